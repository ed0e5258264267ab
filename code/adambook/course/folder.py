"""Grading a folder: which files are whose, two at a time, and going on where it was broken off."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import adambook
from adambook.course.grade import Result, grade
from adambook.course.master import LARGEST, Master, readable
from adambook.course.sandbox import Limits

DEEPEST = 3  # folders below the one that is graded: nbgrader keeps STUDENT/ASSIGNMENT/NOTEBOOK


@dataclass(frozen=True)
class HandedIn:
    """What one student handed in: a notebook, or why there is none to grade."""

    student: str
    path: Path | None
    why: str = ""


def submissions(folder: Path, name: str) -> list[HandedIn]:
    """Return what is handed in, in the order of the students' names.

    A notebook in the folder belongs to the student whom it is named after. A folder in it is a student's, with one
    notebook somewhere in it, or several of which one is called ``name``. Links are not followed.
    """
    found = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.is_symlink():
            found.append(HandedIn(readable(path.stem), None, "this is a link; hand in the file itself"))
        elif entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            notebooks = list(_notebooks(path, DEEPEST))
            chosen = [book for book in notebooks if book.name == name] if len(notebooks) > 1 else notebooks
            why = "" if len(chosen) == 1 else f"{len(notebooks)} notebooks were handed in; leave the one called {name}"
            if not notebooks:
                why = "no notebook was handed in"
            found.append(HandedIn(readable(entry.name), None if why else chosen[0], why))
        elif path.suffix == ".ipynb" and not entry.name.startswith("."):
            found.append(HandedIn(readable(path.stem), path))
    return found


def _notebooks(folder: Path, depth: int) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False) and depth > 1:
            yield from _notebooks(Path(entry.path), depth - 1)
        elif entry.name.endswith(".ipynb"):
            yield Path(entry.path)


class Progress:
    """What is graded already, one line of JSON a submission; a line cut short is graded again."""

    def __init__(self, path: Path, master: Master, limits: Limits, safe: bool) -> None:
        self.path = path
        self._of_all = hashlib.sha256(master.path.read_bytes() + repr((limits, safe, adambook.__version__)).encode())
        self._done: dict[str, Result] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                key, _, text = line.partition(" ")
                try:
                    self._done[key] = Result.from_json(text)
                except (ValueError, TypeError, KeyError):
                    continue

    def key(self, handed_in: HandedIn) -> str:
        """A hash of all that a mark depends on."""
        total = self._of_all.copy()
        total.update(repr((handed_in.student, str(handed_in.path))).encode())
        if handed_in.path is not None and handed_in.path.is_file() and not handed_in.path.is_symlink():
            with handed_in.path.open("rb") as file:
                total.update(file.read(LARGEST + 1))
        return total.hexdigest()

    def known(self, key: str) -> Result | None:
        return self._done.get(key)

    def keep(self, key: str, result: Result) -> None:
        """Write a result down at once, unless it has to be graded again."""
        if not result.failed:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{key} {result.to_json()}\n")


def grade_folder(
    master: Master, handed_in: list[HandedIn], progress: Progress, limits: Limits, safe: bool, workers: int
) -> Iterator[Result]:
    """Yield a result for each submission as it is done; what ``progress`` knows comes first.

    The work is in the sandboxes, each a process of its own, so threads are enough here.
    """
    todo: dict[str, HandedIn] = {}
    for one in handed_in:
        if one.path is None:
            yield Result(one.student, "", failed=one.why)
        elif known := progress.known(key := progress.key(one)):
            yield known
        else:
            todo[key] = one
    with ThreadPoolExecutor(workers) as pool:
        running = {
            pool.submit(grade, master, one.student, one.path, limits, safe): key
            for key, one in todo.items()
            if one.path is not None
        }
        try:
            for future in as_completed(running):
                result = future.result()
                progress.keep(running[future], result)
                yield result
        finally:
            for future in running:
                future.cancel()
