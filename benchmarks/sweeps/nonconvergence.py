"""AMSGrad against Adam on six tasks, three beta2, six learning rates and several seeds each.

Run: python benchmarks/sweeps/nonconvergence.py [--record] [--only TASK]   (some two minutes; --only keeps the
rows that are recorded of the other tasks)
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from _record import record
from adambook import torch_optim
from adambook.data import Dataset, bag_of_words, digits, recorded, words
from adambook.models import cnn, stack
from adambook.numpy_optim import Adam, AMSGrad
from adambook.tasks import MLP, Network, SoftmaxRegression, tune
from torch.nn.functional import cross_entropy

BETA2 = (0.9, 0.99, 0.999)
RULES = (Adam, AMSGrad)
LRS = {  # half decades; the logistic regression's steps decay like 1/sqrt(t), as in the paper
    "softmax": np.logspace(-1.5, 1, 6),
    "MLP": np.logspace(-3, -0.5, 6),
    "bag of words": np.logspace(-2, 0.5, 6),
    "bag, one by one": np.logspace(-2, 0.5, 6),
    "next word": np.logspace(-2.5, 0, 6),
    "CNN": np.logspace(-4, -1.5, 6),
}


def next_word(vocabulary: int = 150) -> Dataset:
    """Return pairs of neighbouring words: the first as one-hot row, the second as its class."""
    tokens = words(vocabulary)
    x, y = np.eye(vocabulary)[tokens.ids[:-1]], tokens.ids[1:]
    cut = int(0.9 * len(y))
    return Dataset("next word", x[:cut], y[:cut], x[cut:], y[cut:], tokens.names, tokens.names)


def tasks() -> dict[str, tuple[Network, int, int]]:
    """Return each task with its steps and its number of seeds."""
    return {
        "softmax": (SoftmaxRegression(digits(), batch=128), 500, 5),
        "MLP": (MLP(digits(), 32, batch=64), 400, 5),
        "bag of words": (SoftmaxRegression(bag_of_words(min_rows=30), batch=16, dtype=np.float32), 400, 3),
        "bag, one by one": (SoftmaxRegression(bag_of_words(min_rows=30), batch=1, dtype=np.float32), 1500, 3),
        "next word": (SoftmaxRegression(next_word(), batch=64, dtype=np.float32), 400, 3),
    }


def numpy_rows(name: str, task: Network, steps: int, seeds: int) -> Iterator[dict[str, Any]]:
    for rule in RULES:
        for beta2 in BETA2:
            row = tune(
                lambda lr, rule=rule, beta2=beta2: rule(lr, betas=(0.9, beta2)),
                task,
                LRS[name],
                range(seeds),
                steps,
                schedule=(lambda t: 1 / np.sqrt(t)) if name == "softmax" else None,
            )
            for (i, lr), seed in ((pair, seed) for pair in enumerate(row.lrs) for seed in row.seeds):
                losses = row.evaluation.train_loss[i, seed], row.evaluation.test_loss[i, seed]
                yield line(name, rule, beta2, lr, seed, *losses)


def cnn_rows(steps: int = 300, seeds: int = 3) -> Iterator[dict[str, Any]]:
    data = digits()
    x, y = torch.tensor(data.x_train, dtype=torch.float32), torch.tensor(data.y_train)
    x_test, y_test = torch.tensor(data.x_test, dtype=torch.float32), torch.tensor(data.y_test)
    start, run = stack(lambda: cnn(4, 32), range(seeds))
    lrs = LRS["CNN"].repeat(seeds)
    for rule in RULES:
        for beta2 in BETA2:
            parameters = [row.clone().requires_grad_() for row in start.repeat(len(LRS["CNN"]), 1)]
            groups = [{"params": [p], "lr": lr} for p, lr in zip(parameters, lrs, strict=True)]
            optimizer = getattr(torch_optim, rule.__name__)(groups, betas=(0.9, beta2), foreach=False)
            for step in range(steps):
                batches = [np.random.default_rng((seed, step)).integers(len(y), size=64) for seed in range(seeds)]
                rows = torch.tensor(np.array(batches)).repeat(len(LRS["CNN"]), 1)
                logits = run(torch.stack(parameters), x[rows])
                loss = cross_entropy(logits.flatten(0, 1), y[rows].flatten()) * len(parameters)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            with torch.no_grad():
                for k, p in enumerate(parameters):
                    pairs = ((x, y), (x_test, y_test))
                    losses = [cross_entropy(run(p[None], a[None])[0], b).item() for a, b in pairs]
                    yield line("CNN", rule, beta2, lrs[k], k % seeds, *losses)


def line(task: str, rule: type, beta2: float, lr: float, seed: int, train: float, test: float) -> dict[str, Any]:
    name, lr, train, test = rule.__name__, float(lr), float(train), float(test)
    return {"task": task, "optimizer": name, "beta2": beta2, "lr": lr, "seed": seed, "train": train, "test": test}


def main() -> None:
    """Run all of it, and with --record write benchmarks/recorded/sweeps/nonconvergence.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--only", choices=LRS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    old = recorded("sweeps/nonconvergence")["rows"] if options.only else []
    rows = {name: [row for row in old if row["task"] == name] for name in LRS}
    for name in [options.only] if options.only else LRS:
        rows[name] = list(cnn_rows() if name == "CNN" else numpy_rows(name, *tasks()[name]))
        print(*rows[name], sep="\n", flush=True)
    if options.record:
        title = "AMSGrad and Adam on six tasks: final training and test loss"
        record("nonconvergence", title, [row for group in rows.values() for row in group])


if __name__ == "__main__":
    main()
