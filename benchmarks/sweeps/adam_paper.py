"""Training cost against learning rate for the panels of figures 1 to 3 of Kingma and Ba (2015), on small data.

    python benchmarks/sweeps/adam_paper.py [--record]

Each panel gives every optimizer the same number of learning rates, the same seeds and the same batches. The score is
the mean cost of a batch in the last epoch, as it was met in training. A row of learning rates runs as one stack;
then the best one runs alone, as book/practice/adam_paper.ipynb does it again.
"""

import argparse
import time
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from _record import record
from adambook import numpy_optim
from adambook.data import bag_of_words, digits
from adambook.models import cnn, mlp, stack
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

SEEDS, EPOCHS, BATCH, RATES = 3, 15, 64, 7


class Panel(NamedTuple):
    """A model, its penalty, whether alpha falls as 1/sqrt(t), and the power of ten where the rates begin."""

    make: Callable[[], nn.Module]
    l2: float
    falls: bool
    lowest: dict[str, float]


def words_model(dropout: float) -> nn.Module:
    inputs, labels = rows_of("words")
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(inputs.shape[1], int(labels.max()) + 1))


DENSE = {"Adagrad": -3, "RMSprop": -4, "Nesterov": -3, "Adadelta": -1, "Adam": -4}
WORDS = {"Adagrad": -1.5, "RMSprop": -2.5, "Nesterov": -0.5, "Adam": -2.5}
FILTERS = {"Adagrad": -3, "Nesterov": -3, "Adam": -4}
PANELS = {
    "words": Panel(lambda: words_model(0.0), 1e-4, True, WORDS),
    "words, dropout": Panel(lambda: words_model(0.5), 1e-4, True, WORDS),
    "words, fixed": Panel(lambda: words_model(0.0), 1e-4, False, {key: low - 1 for key, low in WORDS.items()}),
    "mlp": Panel(mlp, 1e-4, False, DENSE),
    "mlp, dropout": Panel(lambda: mlp(dropout=0.5), 0, False, DENSE),
    "cnn": Panel(cnn, 0, False, FILTERS),
    "cnn, dropout": Panel(lambda: cnn(dropout=0.5, input_dropout=0.2), 0, False, FILTERS),
}


@cache
def rows_of(data_set: str) -> tuple[Tensor, Tensor]:
    """Return the training inputs and labels."""
    data = bag_of_words(values="presence") if data_set == "words" else digits()
    x = data.x_train if isinstance(data.x_train, np.ndarray) else data.x_train.dense()
    return torch.tensor(x, dtype=torch.float32), torch.tensor(data.y_train)


def train(panel: Panel, x: Tensor, y: Tensor, name: str, lrs: Any) -> Tensor:
    """Return the mean cost of a batch in each epoch, (EPOCHS, n_lr, SEEDS)."""
    start, run = stack(panel.make, range(SEEDS))
    theta = start.repeat(len(lrs), 1).requires_grad_()
    rule = getattr(numpy_optim, name)(np.repeat(lrs, SEEDS)[:, None]).astype(np.float32)
    state = rule.init(theta.detach().numpy())
    torch.manual_seed(0)
    costs, steps = [], len(y) // BATCH
    for t in range(EPOCHS * steps):
        if t % steps == 0:
            order = torch.stack([torch.randperm(len(y)) for _ in range(SEEDS)])
        rows = order[:, t % steps * BATCH : (t % steps + 1) * BATCH].repeat(len(lrs), 1)
        cost = cross_entropy(run(theta, x[rows]).movedim(-1, 1), y[rows], reduction="none").mean(1)
        cost = cost + panel.l2 / 2 * (theta**2).sum(1)
        grad = torch.autograd.grad(cost.sum(), theta)[0].numpy()
        delta, state = rule.update(grad, state, theta.detach().numpy())
        theta.detach().add_(torch.from_numpy(delta) * ((t + 1) ** -0.5 if panel.falls else 1))
        costs.append(cost.detach())
    return torch.stack(costs).reshape(EPOCHS, steps, len(lrs), SEEDS).mean(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write benchmarks/recorded/sweeps/adam_paper.json")
    parser.add_argument("--panel", choices=PANELS, help="only this one")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    np.seterr(all="ignore")  # a rate that is too large overflows
    rows, best = [], {}
    for key in [chosen.panel] if chosen.panel else PANELS:
        panel, began = PANELS[key], time.process_time()
        x, y = rows_of(key.split(",")[0].replace("mlp", "digits").replace("cnn", "digits"))
        for name, low in panel.lowest.items():
            lrs = np.round(np.logspace(low, low + (RATES - 1) / 2, RATES), 6)
            last = train(panel, x, y, name, lrs)[-1]
            at = int(torch.nan_to_num(last.mean(1), nan=torch.inf).argmin())
            best[f"{key}: {name}"] = train(panel, x, y, name, lrs[[at]])[:, 0]
            shown = " ".join(f"{lr:.2g}:{cost.mean():.4f}" for lr, cost in zip(lrs, last, strict=True))
            print(f"{key:15} {name:9} {shown}", flush=True)
            rows += [
                {"panel": key, "optimizer": name, "lr": float(lr), "seed": seed, "cost": float(value)}
                for lr, costs in zip(lrs, last, strict=True)
                for seed, value in enumerate(costs)
            ]
        print(f"{time.process_time() - began:.0f} s", flush=True)
    if chosen.record:
        title = f"Training cost in epoch {EPOCHS}, batches of {BATCH}: figures 1 to 3 of Kingma and Ba (2015)"
        record("adam_paper", title, rows, best=best)


if __name__ == "__main__":
    main()
