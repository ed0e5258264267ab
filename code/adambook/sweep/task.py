"""What a sweep trains: a model, its batches, its loss, and what is measured; and the tasks that have a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adambook._check import choice, whole
from adambook.data import Dataset, SparseRows, digits
from adambook.tasks import SoftmaxRegression
from adambook.train.settings import TASKS, parse
from adambook.train.tasks import build


@dataclass(frozen=True)
class Task:
    """What a sweep trains.

    ``model(seed)`` builds the network; torch's generator has been seeded with the seed. The seeds' models differ in
    the values of their tensors alone, and have one dtype. ``batch(seed, t)`` is the batch of step t = 1, 2, ...: a
    tensor, or a tuple or dict of tensors, a function of its arguments alone. ``loss(model, batch)`` is one number; it
    may draw noise from torch's generator, and may not read a tensor's value (no ``item()``), as it sees all members at
    once. ``metrics(model)`` returns what is measured, by name, the score first (less is better); it sees one member, in
    the mode of evaluation and without gradients. The workers of a sweep get the task pickled: what it uses must be
    in the notebook, or installed where they run.

    A batch norm uses the statistics of the batch in training, and in evaluation those of ``inputs``, which are to
    be all inputs of the training part; it needs no running average. ``stacked=False`` takes the gradients member
    by member: for models that torch.func.vmap cannot run, or that fill the processor each by itself, as
    convolutions may. nn.RNN, nn.GRU and attention run stacked; nn.LSTM does, too, and gains nothing from it on the CPU.
    """

    name: str
    model: Callable[[int], nn.Module]
    batch: Callable[[int, int], Any]
    loss: Callable[[Any, Any], Tensor]
    metrics: Callable[[Any], Mapping[str, float]]
    inputs: Tensor | None = None
    stacked: bool = True


def classification(
    name: str, model: Callable[[int], nn.Module], data: Dataset | None = None, *, batch: int = 64, stacked: bool = True
) -> Task:
    """Return the task of telling classes apart: cross-entropy on ``data``, which is `digits` unless given.

    The rows of the batches are those of `adambook.tasks.Network`. Measured are test_loss, test_error, train_loss
    and train_error on the whole parts.
    """
    data = digits() if data is None else data
    if isinstance(data.x_train, SparseRows) or isinstance(data.x_test, SparseRows):
        raise TypeError(f"{data.name} has sparse rows; allowed: dense ones")
    parts = {
        part: (torch.tensor(x, dtype=torch.float32), torch.tensor(y))
        for part, x, y in (("test", data.x_test, data.y_test), ("train", data.x_train, data.y_train))
    }
    x, y = parts["train"]
    orders = {0: SoftmaxRegression(data, batch=whole("batch", batch, 1, len(y)))}

    def of_step(seed: int, t: int) -> tuple[Tensor, Tensor]:
        if seed not in orders:
            orders[seed] = orders[0].with_seeds(seed)
        rows = orders[seed].batch_rows(t)
        return x[rows], y[rows]

    return Task(name, model, of_step, cross_entropy, Classified(parts), inputs=x, stacked=stacked)


def cross_entropy(model: Any, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Return the mean cross-entropy of a batch (inputs, classes)."""
    x, y = batch
    return F.cross_entropy(model(x).flatten(0, -2), y.flatten())


@dataclass(frozen=True)
class Classified:
    """Loss and share of wrong answers on each part, (inputs, classes)."""

    parts: Mapping[str, tuple[Tensor, Tensor]]

    def __call__(self, model: Any) -> dict[str, float]:
        measured = {}
        for part, (x, y) in self.parts.items():
            p = next(model.parameters())
            x, y = x.to(p.device, p.dtype if x.is_floating_point() else x.dtype), y.to(p.device).flatten()
            logits = model(x).flatten(0, -2)
            measured[f"{part}_loss"] = float(F.cross_entropy(logits, y))
            measured[f"{part}_error"] = float((logits.argmax(-1) != y).double().mean())
        return measured


def named(name: str) -> Task:
    """Return a task of `adambook.train` with its defaults; ValueError that lists the names for any other."""
    choice("task", name, TASKS)

    def run(seed: int) -> Any:
        return build(parse([name, "--seed", str(seed)]))

    if name.startswith("digits"):
        return classification(name, lambda seed: run(seed).model, stacked=name != "digits-cnn")
    runs: dict[int, Any] = {}

    def batch(seed: int, t: int) -> Any:
        if seed not in runs:
            runs[seed] = run(seed)
        return runs[seed].batch(t)

    with torch.random.fork_rng(devices=[]):
        test = run(0).test
    return Task(name, lambda seed: run(seed).model, batch, cross_entropy, Classified({"test": test}))
