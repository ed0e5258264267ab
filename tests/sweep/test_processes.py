"""The same numbers from one process, from several, and from machines that die."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest
from adambook.sweep import run, sweep

GRID = {"lr": [1e-3, 3e-3, 1e-2, 3e-2]}
# As in test_numbers: the same operations, in stacks of other sizes.
ROUNDING = {"rtol": 1e-12, "atol": 1e-13}


@pytest.mark.slow
def test_processes_of_this_machine(task, parameters, tmp_path):
    alone = sweep(task, "AdamW", GRID, seeds=2, steps=10)
    spread = sweep(task, "AdamW", GRID, seeds=2, steps=10, workers=2, folder=tmp_path)
    np.testing.assert_allclose(parameters(spread), parameters(alone), **ROUNDING)
    assert spread[["lr", "seed"]].equals(alone[["lr", "seed"]])


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as running:
        yield running


@pytest.mark.slow
def test_a_worker_that_is_killed(tasks, parameters, cluster, monkeypatch, tmp_path):
    """Both workers wait in their second step until one of them has been killed."""
    folder = str(tmp_path)
    plain = tasks(folder)
    ours, of_batch = os.getpid(), plain.batch

    def batch(seed, t):
        import os
        import time
        from pathlib import Path

        if os.getpid() != ours and t == 2 and not Path(folder, "killed").exists():
            Path(folder, str(os.getpid())).touch()
            while not Path(folder, "killed").exists():
                time.sleep(0.01)
        return of_batch(seed, t)

    from dataclasses import replace

    killed = []

    def kill():
        while len(waiting := [name for name in os.listdir(folder) if name.isdigit()]) < 2:
            time.sleep(0.01)
        killed.append(int(waiting[0]))
        os.kill(killed[0], signal.SIGKILL)
        (tmp_path / "killed").touch()

    monkeypatch.setattr(run, "CHUNK", 1)
    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    spread = sweep(
        replace(plain, batch=batch), "AdamW", GRID, seeds=2, steps=10, scheduler=cluster.scheduler_address
    )
    killer.join(10)
    assert len(killed) == 1
    np.testing.assert_allclose(
        parameters(spread), parameters(sweep(plain, "AdamW", GRID, seeds=2, steps=10)), **ROUNDING
    )


@pytest.mark.slow
def test_an_error_on_a_worker_comes_home(tasks, cluster):
    ours = os.getpid()
    plain = tasks()

    def batch(seed, t):
        import os

        if os.getpid() != ours and t == 3:
            raise RuntimeError("no such batch")
        return plain.batch(seed, t)

    from dataclasses import replace

    with pytest.raises(RuntimeError, match="no such batch"):
        sweep(replace(plain, batch=batch), "Adam", GRID, seeds=1, steps=5, scheduler=cluster.scheduler_address)


@pytest.mark.slow
def test_a_part_that_kills_its_workers_is_given_up(tasks, cluster):
    """Dask tries four workers."""
    from dataclasses import replace

    from distributed import KilledWorker

    ours, plain = os.getpid(), tasks()

    def batch(seed, t):
        import os
        import signal

        if os.getpid() != ours and t == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain.batch(seed, t)

    with pytest.raises(KilledWorker):
        sweep(replace(plain, batch=batch), "Adam", GRID, seeds=1, steps=5, scheduler=cluster.scheduler_address)


def test_a_scheduler_that_is_not_there(task, monkeypatch, tmp_path):
    monkeypatch.setattr(run, "CONNECT", 1)
    with pytest.raises(OSError, match=r"scheduler = 'tcp://127.0.0.1:9' does not answer.*allowed: the address"):
        sweep(task, "Adam", GRID, steps=5, scheduler="tcp://127.0.0.1:9", folder=tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_part_is_a_stack_that_fits(task, monkeypatch):
    """All seeds stay together; points are divided so that a stack has at most CHUNK numbers."""
    numbers = []
    original = run.chunk.train

    def train(*trial, **job):
        if not trial:
            numbers.append(len(job["points"]) * len(job["seeds"]) * 11)
        return original(*trial, **job)

    monkeypatch.setattr(run.chunk, "train", train)
    monkeypatch.setattr(run, "CHUNK", 2 * 3 * 11)
    sweep(task, "Adam", {"lr": [0.1, 0.2, 0.3, 0.4, 0.5]}, seeds=3, steps=1)
    assert numbers == [66, 66, 33]
