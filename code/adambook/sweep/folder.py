"""What a sweep keeps on disk: parts as they are finished, and one file of all of them at the end."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from adambook._check import changes

Row = dict[str, Any]

SETTINGS, WHOLE, PART, BROKEN, UNFINISHED = "sweep.json", "sweep.parquet", "part-", ".broken", ".unfinished-"


class Folder:
    """A folder that remembers one sweep, its ``identity``, and keeps the rows of every point that is finished.

    A file is written under another name and renamed when it is whole. One that cannot be read, or lacks rows, is
    set aside with a warning, and its points are run again. Where the disk refuses, a warning says so, the rows stay
    in memory, and are written with the next ones. Raises ValueError for what is no folder, or holds something else
    or another sweep.
    """

    def __init__(
        self, path: str | os.PathLike[str], identity: Mapping[str, Any], points: Sequence[Row], rows_a_point: int
    ) -> None:
        self.path, self.points, self.rows_a_point = Path(path), points, rows_a_point
        self.unsaved: list[Row] = []
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"folder = {str(path)!r} is a file; allowed: a folder, or a name that is free")
        parquet()
        self.path.mkdir(parents=True, exist_ok=True)
        for left in self.path.glob(f"{UNFINISHED}*"):
            left.unlink(missing_ok=True)
        now = json.loads(json.dumps(identity))
        settings = self.path / SETTINGS
        if not settings.exists():
            if any(self.path.iterdir()):
                raise ValueError(
                    f"folder = {str(path)!r} holds files and no sweep; allowed: a sweep's own folder, or an empty one"
                )
            self._write(settings, lambda at: at.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8"))
        self._check_same(json.loads(settings.read_text(encoding="utf-8")), now)

    def rows(self) -> list[Row]:
        """Return the rows of all points that are finished."""
        found: dict[int, list[Row]] = {}
        for path in self._files():
            try:
                found |= self._read(path)
            except Exception as error:  # whatever a broken file makes the reader raise
                path.replace(path.with_name(path.name + BROKEN))
                warnings.warn(
                    f"{path} cannot be read ({error}); set aside as {path.name}{BROKEN}, its points run again",
                    stacklevel=3,
                )
        return [row for rows in found.values() for row in rows]

    def add(self, rows: Sequence[Row]) -> None:
        """Keep the rows of some more points."""
        self.unsaved += rows
        try:
            self._write(self.path / f"{PART}{uuid4().hex}.parquet", lambda at: self._table(self.unsaved, at))
        except OSError as error:
            warnings.warn(
                f"{self.path} takes no more ({error}); the sweep goes on, and its rows are kept in memory", stacklevel=3
            )
        else:
            self.unsaved = []

    def compact(self, rows: Sequence[Row]) -> None:
        """Replace the parts by one file, which holds the hyper-parameters, too."""
        parts = [path for path in self._files() if path.name != WHOLE]
        if not parts and not self.unsaved:
            return
        try:
            complete = [self.points[row["point"]] | row for row in rows]
            self._write(self.path / WHOLE, lambda at: self._table(complete, at))
        except OSError as error:
            warnings.warn(
                f"{self.path} takes no more ({error}); the parts stay, and what the disk lacks is run again next time",
                stacklevel=3,
            )
            return
        for part in parts:
            part.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self.path.glob(WHOLE)) + sorted(self.path.glob(f"{PART}*.parquet"))

    def _read(self, path: Path) -> dict[int, list[Row]]:
        table = parquet().read_table(path, page_checksum_verification=True)
        found: dict[int, list[Row]] = {}
        for row in table.to_pylist():
            kept = {name: x for name, x in row.items() if x is not None and name not in self.points[0]}
            found.setdefault(row["point"], []).append(kept)
        for point, rows in found.items():
            if len({(row["seed"], row["step"]) for row in rows}) != self.rows_a_point:
                raise ValueError(f"point {point} has {len(rows)} rows, not {self.rows_a_point}")
        return found

    def _table(self, rows: Sequence[Row], at: Path) -> None:
        import pyarrow

        names = list(dict.fromkeys(name for row in rows for name in row))
        table = pyarrow.table({name: [row.get(name) for row in rows] for name in names})
        parquet().write_table(table, at, write_page_checksum=True)

    def _write(self, path: Path, write: Callable[[Path], Any]) -> None:
        """Write a file whole, or not at all."""
        unfinished = path.with_name(f"{UNFINISHED}{uuid4().hex}")
        try:
            write(unfinished)
            with unfinished.open("rb+") as file:
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def _check_same(self, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        changed = changes(then, now)
        if changed:
            raise ValueError(
                f"folder = {str(self.path)!r} holds another sweep: {changed}. "
                "Use its settings, or another folder"
            )


def parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError("folder= needs pyarrow; install it with: pip install 'adambook[sweep]'") from error
    return pyarrow.parquet
