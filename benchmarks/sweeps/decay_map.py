"""Test error over learning rate and weight decay, for three forms of decay, without and with batch normalization.

    python benchmarks/sweeps/decay_map.py --record

500 digits, a fifth of them with a wrong label, 32 hidden units, 600 steps of 50 rows with a cosine; 12 learning rates
times 12 decays times 3 seeds in each of six maps: 2,592 networks. All parameters decay. Then the same with the right
labels, of which the test errors alone are kept, (learning rate, decay, seed). About seven minutes on one core.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from _record import record
from adambook.data import digits
from adambook.schedules import cosine
from adambook.sweep import Task, classification, sweep
from torch import nn

STEPS, SEEDS, NOISE = 600, 3, 0.2
LRS = np.logspace(-3.25, -0.5, 12)


def paper(lr: float, weight_decay: float) -> tuple[str, dict[str, float]]:
    """Return the paper's form, whose decay is not multiplied by the learning rate, as torch's AdamW."""
    return "AdamW", {"lr": lr, "weight_decay": weight_decay / lr}


FORMS: dict[str, tuple[str | Callable[..., Any], np.ndarray]] = {
    "L2": ("Adam", np.logspace(-4.5, -0.1, 12)),
    "paper": (paper, np.logspace(-5, -0.6, 12)),
    "torch": ("AdamW", np.logspace(-2.5, 1.9, 12)),
}


def task(norm: bool, noise: float) -> Task:
    def model(seed: int) -> nn.Module:
        between = [nn.BatchNorm1d(32)] if norm else []
        return nn.Sequential(nn.Linear(64, 32), *between, nn.ReLU(), nn.Linear(32, 10))

    data = digits().first(500).with_label_noise(noise)
    return classification("digits", model, data, batch=50)


def rows(form: str, norm: bool, noise: float = NOISE) -> list[dict[str, object]]:
    """Return what became of each learning rate, decay and seed."""
    optimizer, decays = FORMS[form]
    grid = {"lr": LRS.tolist(), "weight_decay": decays.tolist()}
    found = sweep(task(norm, noise), optimizer, grid, seeds=SEEDS, steps=STEPS, schedule=cosine(STEPS), progress=False)
    kept = found[["lr", "weight_decay", "seed", "test_error", "test_loss"]].astype(object)
    return [{"form": form, "norm": norm, **row} for row in kept.to_dict("records")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write the result into benchmarks/recorded/sweeps")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    noisy, clean = [], {}
    for norm in (False, True):
        for form in FORMS:
            noisy += rows(form, norm)
            errors = [row["test_error"] for row in rows(form, norm, noise=0.0)]
            clean[f"{form}, {'with' if norm else 'without'} batch norm"] = np.reshape(errors, (12, 12, SEEDS))
            print(f"{form}, batch norm {norm}: least error with right labels {np.nanmin(errors):.3f}", flush=True)
    if arguments.record:
        print(record("decay_map", "Test error over learning rate and weight decay", noisy, steps=STEPS, clean=clean))


if __name__ == "__main__":
    main()
