"""Checkpoints that are whole or not there: written elsewhere, then renamed into place."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout  # torch itself needs it
from torch import nn
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.optim import ZeroRedundancyOptimizer

from adambook.train.processes import Processes
from adambook.train.settings import Refused

KEPT = 2
# By the parameters' names, so that the state can be spread over other processes than those that wrote it.
BY_NAME = StateDictOptions(flatten_optimizer_state_dict=True)
# Meant for those who forgot to start several.
warnings.filterwarnings("ignore", ".*assuming the intent is to (save|load) in a single process", UserWarning)


class Checkpoints:
    """The checkpoints of one run, in folders ``step-N`` of which the last two are kept.

    Each holds the tensors in the format of torch.distributed.checkpoint, and ``run.json`` with the step and
    what else the first process knows. Raises `Refused` if the folder cannot be written to or another run
    is writing to it.
    """

    def __init__(self, folder: Path, processes: Processes) -> None:
        self.folder, self.processes = folder, processes
        self.lock = FileLock(folder / "lock")
        processes.first(self._claim)

    def place(self, step: int) -> Path:
        """Return the folder of that step's checkpoint."""
        return self.folder / f"step-{step:08d}"

    def latest(self) -> Path | None:
        """Return the last checkpoint, None if there is none."""
        return self.processes.first(lambda: max(self._all(), default=None))

    def save(self, step: int, model: nn.Module, optimizer: Any, about: dict[str, Any]) -> None:
        """Write a checkpoint; one that is killed halfway leaves the earlier ones as they are."""
        partial = self.folder / "partial"
        save(_state(model, optimizer), checkpoint_id=partial)

        def finish() -> None:
            (partial / "run.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
            partial.rename(self.place(step))
            self._tidy()

        self.processes.first(finish)

    def load(self, checkpoint: Path, model: nn.Module, optimizer: Any) -> None:
        """Take over weights and optimizer state, from whatever number of processes they were written by."""
        model.zero_grad()  # beside gradients, torch makes no optimizer state to read into
        state = _state(model, optimizer, like=checkpoint)
        load(state, checkpoint_id=checkpoint)
        set_model_state_dict(model, state["model"])
        if "optimizer" in state:
            set_optimizer_state_dict(model, _local(optimizer), state["optimizer"], options=BY_NAME)

    def _all(self) -> list[Path]:
        return sorted(self.folder.glob("step-*"))

    def _tidy(self) -> None:
        """Remove what a killed run has left, and all but the last checkpoints."""
        partial = self.folder / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        for old in self._all()[:-KEPT]:
            # Renamed first: no half of a checkpoint is ever called one.
            shutil.rmtree(old.rename(partial))

    def _claim(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.lock.acquire(timeout=0)
            self._tidy()
        except Timeout:
            raise Refused(
                f"another run is writing to {self.folder} (workers of a torchrun that was killed go on without it); "
                "wait for it, end it, or choose another folder"
            ) from None
        except OSError as error:
            raise Refused(f"--checkpoint {self.folder} cannot be written to: {error.strerror}") from error


def about(checkpoint: Path) -> dict[str, Any]:
    """Return what ``run.json`` says."""
    read: dict[str, Any] = json.loads((checkpoint / "run.json").read_text(encoding="utf-8"))
    return read


def _state(model: nn.Module, optimizer: Any, like: Path | None = None) -> dict[str, Any]:
    """Return the tensors to write, or, with ``like``, to read that checkpoint into.

    Before its first step (fp16 may skip some) an optimizer has no state, and then none is written. Where there
    are more processes than parameters, ZeRO leaves some without any.
    """
    state: dict[str, Any] = {"model": get_model_state_dict(model)}
    local = _local(optimizer)
    if like is None:
        begun = bool(local.state)
    else:
        keys = FileSystemReader(like).read_metadata().state_dict_metadata
        begun = any(key.startswith("optimizer.") for key in keys)
    if begun and any(group["params"] for group in local.param_groups):
        state["optimizer"] = get_optimizer_state_dict(model, local, options=BY_NAME)
    return state


def _local(optimizer: Any) -> Any:
    """Return the optimizer that holds this process's state: inside ZeroRedundancyOptimizer, or itself."""
    return optimizer.optim if isinstance(optimizer, ZeroRedundancyOptimizer) else optimizer
