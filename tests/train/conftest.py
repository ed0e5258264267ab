"""Training runs in processes of their own, forked from a server that has loaded torch once."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

LAUNCHER = str(Path(__file__).with_name("launcher.py"))
CONTEXT = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
if os.name == "posix":
    # The last two are loaded by torch at its first optimizer and its first checkpoint.
    CONTEXT.set_forkserver_preload(["adambook.train.loop", "sklearn.datasets", "torch._dynamo", "fsspec.core"])
PATIENCE = 100  # seconds after which a run that hangs is a failure


@dataclass
class Started:
    """The processes of one run."""

    output: Path
    processes: list[BaseProcess] = field(default_factory=list)

    def wait(self) -> tuple[list[int | None], str]:
        """Return exit codes (-9: killed) and what was printed. Once one is killed, so are the others."""
        end = time.monotonic() + PATIENCE
        while any(p.is_alive() for p in self.processes) and time.monotonic() < end:
            if any(p.exitcode not in (None, 0) for p in self.processes):
                time.sleep(0.2)  # for those that end by themselves
                self.kill()
            time.sleep(0.01)
        hung = any(p.is_alive() for p in self.processes)
        self.kill()
        assert not hung, f"still running after {PATIENCE} s:\n{self.output.read_text()}"
        return [p.exitcode for p in self.processes], self.output.read_text()

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join()


class Launcher:
    """Starts runs, and reads what they have left."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.started = folder, list[Started]()

    def start(self, arguments: str, folder: Path | None = None, world: int = 1, kill_at: int | None = None) -> Started:
        """Start the command on so many processes; kill the first before its ``kill_at``-th file operation."""
        run = Started(self.folder / f"output{len(self.started)}")
        run.output.touch()
        self.started.append(run)
        port = free_port()
        for rank in range(world):
            places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "MASTER_PORT": port}
            torchrun = {"MASTER_ADDR": "127.0.0.1"} | {name: str(value) for name, value in places.items()}
            given = {
                "arguments": arguments.split() + (["--checkpoint", str(folder)] if folder else []),
                "environment": torchrun if "--sharding" in arguments else {},
                "output": str(run.output),
                "folder": str(folder),
                "kill_at": kill_at if rank == 0 else None,
            }
            process = CONTEXT.Process(target=runpy.run_path, args=(LAUNCHER, {"given": given}), daemon=True)
            process.start()
            run.processes.append(process)
        return run

    def run(self, arguments: str, folder: Path | None = None, world: int = 1) -> str:
        """Let a run end well; return what it printed."""
        codes, output = self.start(arguments, folder, world).wait()
        assert codes == [0] * world, output
        return output


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launching(folder: Path) -> Iterator[Launcher]:
    launcher = Launcher(folder)
    yield launcher
    for run in launcher.started:
        run.kill()


@pytest.fixture
def launcher(tmp_path):
    yield from launching(tmp_path)


@pytest.fixture(scope="module")
def launcher_for_all(tmp_path_factory):
    yield from launching(tmp_path_factory.mktemp("train"))


def tensors(checkpoint: Path) -> dict[str, torch.Tensor]:
    """Every tensor of a checkpoint, weights and optimizer state, whole."""
    whole = checkpoint.parent / f"{checkpoint.name}.pt"
    dcp_to_torch_save(checkpoint, whole)
    found, rest = {}, [("", torch.load(whole, weights_only=False))]
    for name, value in rest:
        if isinstance(value, dict):
            rest += [(f"{name}.{key}", inner) for key, inner in value.items()]
        elif isinstance(value, torch.Tensor):
            found[name] = value
    whole.unlink()
    return found


@pytest.fixture
def tensors_of():
    return tensors
