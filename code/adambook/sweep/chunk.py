"""The training of one stack: what a sweep hands to a process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any
from warnings import catch_warnings, filterwarnings

import torch

from adambook.sweep.rules import Optimizer, Resolved, rule_for
from adambook.sweep.stack import Stack
from adambook.sweep.task import Task, named

LOCK = Lock()  # torch's generator belongs to the process, so threads take turns

OF_ROW = ("point", "seed", "step", "diverged_at", "loss")  # all else in a row is a metric

Row = dict[str, Any]


def train(
    task: str | Task,
    optimizer: Optimizer,
    points: Mapping[int, Mapping[str, Any]],
    seeds: Sequence[int],
    steps: int,
    multipliers: Sequence[float],
    every: int | None,
    device: str,
    tick: Callable[[int], Any] = lambda members: None,
) -> list[Row]:
    """Train ``points`` (number in the grid: hyper-parameters) with every seed; return a row a member and mark.

    A row holds point, seed, step, diverged_at (0: not) and, unless it diverged, loss (the mean over the batches since
    the last mark; without ``every``, of the last tenth) and the metrics. ``multipliers`` are the schedule's values
    at t = 1, 2, .... ``tick`` is told after each step how many members took it.
    """
    marks = marks_of(steps, every)
    fresh = marks if every else {steps - -(-steps // 10)}  # where the mean begins anew
    task = named(task) if isinstance(task, str) else task
    place = torch.device(device)
    with LOCK, torch.random.fork_rng([place] if place.type == "cuda" else []), catch_warnings():
        # What vmap has no rule for it runs one by one, such as the kernels of attention and nn.LSTM: slower, and right.
        filterwarnings("ignore", "There is a performance drop")
        stack = Stack(task, len(points), seeds, place)
        rule = rule_for([Resolved(optimizer, point) for point in points.values()], stack)
        shape = stack.theta.shape[:-1]
        diverged = torch.zeros(shape, dtype=torch.int64, device=stack.device)
        losses, since = torch.zeros(shape, dtype=torch.float64, device=stack.device), 0
        rows: list[Row] = []
        for t in range(steps + 1):
            if t:
                gradient, loss = stack.gradient(t)
                with torch.no_grad():
                    rule.step(t, gradient, multipliers[t - 1])
                    # A sum is not finite where a term is not; it is one pass, where to look at each term takes four.
                    if not (loss + stack.theta.sum(-1)).isfinite().all():
                        lost = ~(loss.isfinite() & stack.theta.isfinite().all(-1))
                        # From here on it only keeps its place in the stack: a loss that refuses NaN must not stop
                        # the others.
                        diverged = torch.where(lost & (diverged == 0), t, diverged)
                        stack.theta[lost] = stack.start.expand_as(stack.theta)[lost]
                    losses += loss
                    since += 1
                tick(loss.numel())
            if t in marks:
                rows += measured(stack, rule.result(), list(points), t, diverged, losses / max(1, since))
            if t in fresh:
                losses, since = torch.zeros_like(losses), 0
    return rows


def marks_of(steps: int, every: int | None) -> set[int]:
    """Return the steps after which members are measured."""
    return {steps, *range(0, steps, every)} if every else {steps}


def measured(
    stack: Stack, theta: torch.Tensor, points: Sequence[int], t: int, diverged: torch.Tensor, losses: torch.Tensor
) -> list[Row]:
    rows = []
    for i, point in enumerate(points):
        for j, seed in enumerate(stack.seeds):
            row: Row = {"point": point, "seed": seed, "step": t, "diverged_at": int(diverged[i, j])}
            if not row["diverged_at"]:
                row |= ({"loss": float(losses[i, j])} if t else {}) | stack.measure(theta[i, j], j)
            rows.append(row)
    return rows
