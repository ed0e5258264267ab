"""How long six maps of 512 x 512 descents take in NumPy, one optimizer each, and what memory they add.

Run: python benchmarks/atlas.py [--record]   (with a CUDA GPU also 4096 x 4096 in torch)
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from _record import write
from adambook.atlas import atlas
from adambook.numpy_optim import SGD, Adagrad, Adam, Momentum, Nesterov, RMSprop
from adambook.numpy_optim.base import Optimizer
from adambook.objectives import Himmelblau

RULES: tuple[Optimizer, ...] = (
    SGD(lr=0.01),
    Momentum(lr=0.002),
    Nesterov(lr=0.005),
    Adagrad(lr=2),
    RMSprop(lr=0.05),
    Adam(lr=0.2),
)
WINDOW, STEPS = ((-6.0, 6.0), (-6.0, 6.0)), 400


def row(rule: Optimizer, size: int, device: str | None = None) -> dict[str, Any]:
    """Return the seconds of one map, by the clock and of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    atlas(rule, Himmelblau(), size, STEPS, window=WINDOW, device=device)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    found = {"seconds": round(wall, 2), "ns a run and step": round(wall / size**2 / STEPS * 1e9, 2)}
    if device is None:
        found["processor, s"] = round(processor, 2)
    print(type(rule).__name__, size, device or "NumPy", found)
    return found


def main() -> None:
    """Measure, print, and with --record write benchmarks/recorded/atlas.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true")
    record = parser.parse_args().record
    torch.set_num_threads(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results = {type(rule).__name__: row(rule, 512) for rule in RULES}
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    sums = {key: round(sum(found[key] for found in results.values()), 1) for key in ("seconds", "processor, s")}
    results["all six"] = sums | {"memory added, MB": round(memory)}
    print(results["all six"])
    if torch.cuda.is_available():
        row(RULES[0], 64, "cuda")  # starts the GPU
        for rule in RULES:
            results[f"{type(rule).__name__}, 4096 x 4096 on {torch.cuda.get_device_name()}"] = row(rule, 4096, "cuda")
    if record:
        write("atlas", f"Maps of 512 x 512 descents, {STEPS} steps each (Himmelblau, float64)", results)


if __name__ == "__main__":
    main()
