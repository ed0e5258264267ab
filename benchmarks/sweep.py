"""How much faster a model takes a step where a whole grid is trained at once: `sweep` against a loop over torch.optim.

The same networks, batches and AdamW; both timed in pairs in one run, one thread each. The loop is timed on a few
members: it takes as long for each.
Run: python benchmarks/sweep.py [--record]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from _record import write
from adambook.sweep import Task, classification, sweep
from torch import nn

LRS, DECAYS, SEEDS, STEPS, SAMPLE = np.geomspace(1e-4, 1e-1, 12), (0.0, 0.1), 5, 200, 4


def mlp(width: int) -> Callable[[int], nn.Module]:
    """Return the maker of a network with one hidden layer for the digits."""
    return lambda seed: nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))


def whole_grid(task: Task) -> tuple[float, float]:
    """Return the seconds a model and step, and the loss of the first member."""
    start = time.perf_counter()
    grid = {"lr": LRS.tolist(), "weight_decay": list(DECAYS)}
    result = sweep(task, "AdamW", grid, seeds=SEEDS, steps=STEPS, progress=False)
    return (time.perf_counter() - start) / (len(result) * STEPS), float(result["test_loss"].iloc[0])


def loop(task: Task) -> tuple[float, float]:
    """Return the same for members trained one after the other with torch.optim.AdamW."""
    losses = []
    start = time.perf_counter()
    for seed in range(SAMPLE):
        torch.manual_seed(seed)
        model = task.model(seed)
        optimizer = torch.optim.AdamW(model.parameters(), lr=LRS[0], weight_decay=DECAYS[0])
        for t in range(1, STEPS + 1):
            optimizer.zero_grad()
            task.loss(model, task.batch(seed, t)).backward()
            optimizer.step()
        with torch.no_grad():
            losses.append(task.metrics(model.eval())["test_loss"])
    return (time.perf_counter() - start) / (SAMPLE * STEPS), losses[0]


def compare(width: int, pairs: int = 3) -> dict[str, Any]:
    """Return one row: microseconds a model and step of both, and the ratio, medians over pairs."""
    task = classification(f"{width} hidden units", mlp(width))
    times = []
    for _ in range(pairs):
        (mine, loss), (theirs, expected) = whole_grid(task), loop(task)
        np.testing.assert_allclose(loss, expected, rtol=1e-3)  # float32, and another order of sums
        times.append((mine, theirs))
    row = {
        "sweep, us a model and step": round(1e6 * statistics.median(mine for mine, _ in times)),
        "torch loop / sweep": round(statistics.median(theirs / mine for mine, theirs in times), 1),
    }
    print(width, row)
    return row


def main() -> None:
    """Measure, print, and with --record write benchmarks/recorded/sweep.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true")
    record = parser.parse_args().record
    torch.set_num_threads(1)
    rows = {f"{width} hidden units": compare(width) for width in (16, 32, 128)}
    members = len(LRS) * len(DECAYS) * SEEDS
    title = f"A grid of {members} networks on the digits at once, whole sweep (AdamW, batches of 64, float32)"
    if record:
        write("sweep", title, rows)


if __name__ == "__main__":
    main()
