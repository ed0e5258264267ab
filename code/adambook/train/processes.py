"""The processes of a run: this one alone, or those that torchrun has started."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Self, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.nn.parallel import DistributedDataParallel

from adambook.train.settings import Refused, Settings

Result = TypeVar("Result")


class Processes:
    """Where this process stands among its fellows (``rank`` of ``world``), and the device it computes on.

    Raises `Refused` if the settings do not suit what is here. As a context, joins the processes.
    """

    def __init__(self, settings: Settings) -> None:
        self.sharding = settings.sharding
        self.under_torchrun = "WORLD_SIZE" in os.environ
        self.rank = int(os.environ.get("RANK", 0))
        self.world = int(os.environ.get("WORLD_SIZE", 1))
        self.device = _device(settings.device)
        if self.sharding != "none" and not self.under_torchrun:
            raise Refused(
                f"--sharding {self.sharding} needs the processes of torchrun; "
                "start with: torchrun --nproc-per-node 2 -m adambook.train ..."
            )
        if self.sharding == "none" and self.world > 1:
            raise Refused(f"--sharding none is for one process, and here are {self.world}; add --sharding ddp")
        if settings.batch_size % self.world:
            raise Refused(
                f"--batch-size {settings.batch_size} cannot be shared by {self.world} processes; "
                f"allowed: multiples of {self.world}"
            )

    def __enter__(self) -> Self:
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        if self.sharding != "none":
            dist.init_process_group("cpu:gloo,cuda:nccl" if self.device.type == "cuda" else "gloo")
        return self

    def __exit__(self, *_: object) -> None:
        if dist.is_initialized():
            dist.destroy_process_group()

    def share(self, rows: Tensor) -> Tensor:
        """Return this process's part of a batch, on its device."""
        return rows.tensor_split(self.world)[self.rank].to(self.device, non_blocking=True)

    def spread(self, model: nn.Module) -> Any:
        """Return the model as it is trained on these processes."""
        if self.sharding == "fsdp":
            mesh = init_device_mesh(self.device.type, (self.world,))
            for block in getattr(model, "blocks", ()):
                fully_shard(block, mesh=mesh)
            return fully_shard(model, mesh=mesh)
        return model if self.sharding == "none" else DistributedDataParallel(model)

    def optimizer(self, kind: Any, model: nn.Module, hyper: dict[str, Any]) -> Any:
        """Return the optimizer; with ``zero``, each process keeps the state of its own parameters only."""
        if self.sharding == "zero":
            return ZeroRedundancyOptimizer(model.parameters(), optimizer_class=kind, **hyper)
        return kind(model.parameters(), **hyper)

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over all processes, the same on each."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def largest(self, number: int) -> int:
        """Return the largest of the processes' numbers, without waiting for a GPU."""
        if self.world == 1:
            return number
        numbers = torch.tensor(number)
        dist.all_reduce(numbers, dist.ReduceOp.MAX)
        return int(numbers)

    def first(self, action: Callable[[], Result]) -> Result:
        """Let the first process act while the others wait; all return its result, or raise its `Refused`."""
        outcome: list[Any] = [None]
        if self.rank == 0:
            try:
                outcome[0] = action()
            except Refused as error:
                outcome[0] = error
        if self.world > 1:
            dist.broadcast_object_list(outcome)
        if isinstance(outcome[0], Refused):
            raise outcome[0]
        result: Result = outcome[0]
        return result


def _device(wanted: str) -> torch.device:
    here = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "cpu" or (wanted == "auto" and not here):
        return torch.device("cpu")
    if not here:
        raise Refused("--device cuda: this PyTorch sees no CUDA device; allowed here: cpu, auto")
    local = int(os.environ.get("LOCAL_RANK", 0))
    if local >= here:
        raise Refused(f"process {local + 1} of this machine finds {here} CUDA devices; start {here} processes")
    return torch.device("cuda", local)
