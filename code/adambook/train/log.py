"""The log of a run: one row a step, none lost and none doubled when the run is killed and continued."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from adambook.train.settings import Refused


class Row(NamedTuple):
    """One step: learning rate and training loss and, where the model was tested, test loss and accuracy."""

    step: int
    lr: float
    train_loss: float
    test_loss: float | None = None
    test_accuracy: float | None = None


class Log(Protocol):
    """Takes rows. What it has written is on the disk when `write` returns, so before the checkpoint is."""

    def write(self, rows: Sequence[Row]) -> None: ...


class CsvLog:
    """``log.csv``. Rows after step ``start``, which a killed run has left, are cut off."""

    @staticmethod
    def place(folder: Path) -> Path:
        return folder / "log.csv"

    def __init__(self, folder: Path, start: int) -> None:
        self.path = self.place(folder)
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True) if self.path.exists() else []
        shortened = self.path.with_suffix(".partial")
        shortened.write_text("".join([",".join(Row._fields) + "\n", *lines[1 : start + 1]]), encoding="utf-8")
        shortened.replace(self.path)

    def write(self, rows: Sequence[Row]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(",".join("" if x is None else repr(x) for x in row) + "\n" for row in rows)
            file.flush()
            os.fsync(file.fileno())


class TensorBoardLog:
    """Event files of TensorBoard, which leaves out what a killed run has left after step ``start``."""

    @staticmethod
    def place(folder: Path) -> Path:
        return folder / "tensorboard"

    def __init__(self, folder: Path, start: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise Refused("--log tensorboard needs TensorBoard; install it with: pip install tensorboard") from error
        self.writer = SummaryWriter(self.place(folder), purge_step=start + 1)

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            for name, value in zip(row._fields[1:], row[1:], strict=True):
                if value is not None:
                    self.writer.add_scalar(name, value, row.step)
        self.writer.flush()


LOGS: dict[str, type[CsvLog] | type[TensorBoardLog]] = {"csv": CsvLog, "tensorboard": TensorBoardLog}
