"""Test error and sharpness over learning rates, in six settings of the digits: do adaptive methods generalize worse?

    python benchmarks/sweeps/generalization.py --record

Four optimizers, ten learning rates each, five seeds, 1,000 steps with a step size that falls linearly to zero: 1,200
networks, about four minutes on one core.
"""

import argparse

import numpy as np
import torch
from _record import record
from adambook.curvature import sharpness, training_loss
from adambook.data import digits
from adambook.descent import descend
from adambook.numpy_optim import SGD, Adam, AdamW, Momentum
from adambook.tasks import MLP

HIDDEN, STEPS, SEEDS, WEIGHT_DECAY = 16, 1000, range(5), 0.3
RULES = {
    "SGD": (SGD, np.logspace(-2, 1, 10)),
    "Momentum": (Momentum, np.logspace(-3, 0, 10)),
    "Adam": (Adam, np.logspace(-4, -1, 10)),
    "AdamW": (lambda lr: AdamW(lr, weight_decay=WEIGHT_DECAY), np.logspace(-4, -1, 10)),
}
SETTINGS = {  # rows to train on, share of wrong labels, rows of a batch (None: all)
    "500 digits": (500, 0.0, 32),
    "500 digits, full batch": (500, 0.0, None),
    "500 digits, noisy labels": (500, 0.2, 32),
    "500 digits, noisy labels, full batch": (500, 0.2, None),
    "100 digits": (100, 0.0, 20),
    "1,347 digits": (1347, 0.0, 32),
}


def rows(setting: str, optimizer: str) -> list[dict[str, object]]:
    """Return what became of each learning rate and seed."""
    count, noise, batch = SETTINGS[setting]
    make, lrs = RULES[optimizer]
    data = digits().first(count).with_label_noise(noise)
    task = MLP(data, HIDDEN, batch=batch, seeds=SEEDS, dtype=np.float32)
    start = np.broadcast_to(task.start, (len(lrs), *task.start.shape))
    rule = make(lrs[:, None, None]).astype(np.float32)
    final = descend(rule, task, start, STEPS, record="last", schedule=lambda t: 1 - (t - 1) / STEPS).final
    measured = task.evaluate(final)._asdict()
    measured["sharpness"] = sharpness(training_loss(task, torch.float32), torch.from_numpy(final)).numpy()
    return [
        {"setting": setting, "optimizer": optimizer, "lr": lr, "seed": seed}
        | {name: float(values[i, k]) for name, values in measured.items()}
        for i, lr in enumerate(lrs)
        for k, seed in enumerate(SEEDS)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write the result into benchmarks/recorded/sweeps")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = []
    for setting in SETTINGS:
        for optimizer in RULES:
            new = rows(setting, optimizer)
            best = min(new, key=lambda row: row["test_error"])
            print(f"{setting}, {optimizer}: best test error {best['test_error']:.3f} at {best['lr']:.2g}", flush=True)
            found += new
    if arguments.record:
        settings = {"hidden": HIDDEN, "steps": STEPS, "weight_decay of AdamW": WEIGHT_DECAY}
        print(record("generalization", "Test error and sharpness in six settings of the digits", found, **settings))


if __name__ == "__main__":
    main()
