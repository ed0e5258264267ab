"""The models and their data. A batch is a function of (seed, step): a run that continues needs no position."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from adambook._check import whole
from adambook.data import characters, digits
from adambook.language import Pair, Text
from adambook.models import Transformer
from adambook.tasks import ORDER
from adambook.train.settings import Settings


@dataclass(frozen=True)
class Task:
    """A model, the whole batch of each step (counted from 1), and the data to test on."""

    model: nn.Module
    batch: Callable[[int], Pair]
    test: Pair


def build(settings: Settings) -> Task:
    """Return the task with its first weights, which depend on the seed alone; ValueError for a batch too large."""
    torch.manual_seed(settings.seed)
    return {"digits-mlp": digits_mlp, "digits-cnn": digits_cnn, "text-transformer": text_transformer}[
        settings.task
    ](settings)


def digits_mlp(settings: Settings) -> Task:
    """Handwritten digits, one hidden layer."""
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(settings.dropout), nn.Linear(128, 10))
    return _digits(model, settings)


def digits_cnn(settings: Settings) -> Task:
    """Handwritten digits, two convolutions."""
    model = nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(settings.dropout),
        nn.Linear(32 * 4 * 4, 10),
    )
    return _digits(model, settings)


def _digits(model: nn.Module, settings: Settings) -> Task:
    data = digits()
    x, y = torch.tensor(data.x_train, dtype=torch.float32), torch.tensor(data.y_train)
    per_epoch = len(y) // whole("--batch-size", settings.batch_size, 1, len(y))

    @lru_cache(1)
    def order(epoch: int) -> Tensor:
        return torch.from_numpy(np.random.default_rng((ORDER, settings.seed, epoch)).permutation(len(y)))

    def batch(step: int) -> Pair:
        """The rows that `adambook.tasks.Network` takes at this step: NumPy and torch see the same."""
        epoch, k = divmod(step - 1, per_epoch)
        rows = order(epoch)[k * settings.batch_size : (k + 1) * settings.batch_size]
        return x[rows], y[rows]

    return Task(model, batch, (torch.tensor(data.x_test, dtype=torch.float32), torch.tensor(data.y_test)))


def text_transformer(settings: Settings, context: int = 64) -> Task:
    """The next character of technical English; a third of the test windows are used."""
    text = Text(characters(), context)
    x, y = text.test
    return Task(
        Transformer(len(text.tokens.names), context, settings.dropout),
        lambda step: text.batch(settings.batch_size, settings.seed, step),
        (x[::3], y[::3]),
    )
