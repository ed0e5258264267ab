"""The models and their data. A batch is a function of (seed, step): a run that continues needs no position."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adambook._check import whole
from adambook.data import characters, digits
from adambook.tasks import ORDER, STREAM
from adambook.train.settings import Settings

Pair = tuple[Tensor, Tensor]  # inputs and the classes to predict


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
    """The next character of technical English; of every ten windows of text, the last is for testing."""
    text = characters()
    span = context + 1
    windows = torch.from_numpy(text.ids)[: len(text.ids) // (10 * span) * 10 * span].view(-1, 10, span)
    train, test = windows[:, :9].flatten(1), windows[::3, 9]

    def batch(step: int) -> Pair:
        rng = np.random.default_rng((STREAM, settings.seed, step))
        rows, starts = torch.from_numpy(
            rng.integers((len(train), train.shape[1] - context), size=(settings.batch_size, 2))
        ).T
        return pair(train[rows[:, None], starts[:, None] + torch.arange(span)])

    def pair(rows: Tensor) -> Pair:
        return rows[:, :-1], rows[:, 1:]

    return Task(Transformer(len(text.names), context, settings.dropout), batch, pair(test))


class Transformer(nn.Module):
    """A small decoder-only transformer: (batch, time) character numbers to (batch, time, vocabulary) logits."""

    def __init__(
        self, vocabulary: int, context: int, dropout: float, width: int = 64, depth: int = 4, heads: int = 4
    ) -> None:
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.place = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        for embedding in (self.token, self.place):
            nn.init.normal_(embedding.weight, std=0.02)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.token(ids) + self.place.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(self.norm(x))
        return logits


class Block(nn.Module):
    """Causal self-attention and a network of two layers, each added to what comes in."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(dropout)
        )

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        x = x + self.out(attended.transpose(1, 2).flatten(-2))
        return x + self.mlp(self.norm2(x))
