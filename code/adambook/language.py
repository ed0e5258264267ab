"""Prediction of the next token on the text of `adambook.data`: its batches, a training run, losses by frequency."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adambook._check import whole
from adambook.data import Tokens
from adambook.tasks import STREAM

Pair = tuple[Tensor, Tensor]  # inputs and the tokens to predict, (windows, context) each


class Text:
    """A text cut into windows of ``context`` tokens and the one that follows; of every ten, the last is for testing.

    ``train`` and ``test`` are a `Pair` each, and ``batch`` draws from the training part at any place.
    """

    def __init__(self, tokens: Tokens, context: int) -> None:
        self.tokens, self.context, self.span = tokens, whole("context", context, 1), context + 1
        rows, ids = len(tokens.ids) // (10 * self.span), torch.from_numpy(tokens.ids)
        if not rows:
            raise ValueError(f"context = {context}; a text of {len(ids)} tokens allows {len(ids) // 10 - 1} at most")
        windows = ids[: rows * 10 * self.span].view(rows, 10, self.span)
        self._rows = windows[:, :9].flatten(1)
        self.train, self.test = self._pair(windows[:, :9].flatten(0, 1)), self._pair(windows[:, 9])

    def batch(self, size: int, seed: int, step: int) -> Pair:
        """Return the batch of a step, counted from 1: a function of (seed, step) alone."""
        rng = np.random.default_rng((STREAM, seed, step))
        shape = (len(self._rows), self._rows.shape[1] - self.context)
        rows, starts = torch.from_numpy(rng.integers(shape, size=(size, 2))).T
        return self._pair(self._rows[rows[:, None], starts[:, None] + torch.arange(self.span)])

    @cached_property
    def tenths(self) -> Tensor:
        """Which tenth of the training text each token of the vocabulary belongs to: 0 the most frequent, 9 the rarest.

        A token is counted where its first occurrence falls when all are sorted by frequency.
        """
        counts = torch.bincount(self._rows.flatten(), minlength=len(self.tokens.names))
        order = counts.argsort(descending=True, stable=True)
        before = counts[order].cumsum(0) - counts[order]
        tenths = torch.empty_like(order)
        tenths[order] = (10 * before // counts.sum()).clamp(max=9)
        return tenths

    def _pair(self, windows: Tensor) -> Pair:
        return windows[:, :-1], windows[:, 1:]


def train(
    model: nn.Module, optimizers: list[torch.optim.Optimizer], text: Text, steps: int, *, batch: int, seed: int
) -> list[float]:
    """Train for ``steps`` steps whose size decays linearly to zero; return each batch's cross-entropy.

    Ends early at a loss that is not finite.
    """
    schedules = [torch.optim.lr_scheduler.LambdaLR(o, lambda t: 1 - t / steps) for o in optimizers]
    losses: list[float] = []
    for step in range(1, whole("steps", steps, 1) + 1):
        x, y = text.batch(batch, seed, step)
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        losses.append(loss.item())
        if not np.isfinite(losses[-1]):
            break
        model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
    return losses


@torch.no_grad()
def token_losses(model: nn.Module, pair: Pair, windows: int = 512) -> Tensor:
    """Return the cross-entropy of every token in some ``windows`` of the pair, evenly spread: (windows, context)."""
    every = max(1, len(pair[0]) // whole("windows", windows, 1))
    x, y = (part[::every] for part in pair)
    each = [
        F.cross_entropy(model(x[i : i + 256]).transpose(1, 2), y[i : i + 256], reduction="none")
        for i in range(0, len(x), 256)
    ]
    return torch.cat(each)
