"""`descend`: run an optimizer on an objective and keep what happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from adambook._check import Array, choice, floats, whole
from adambook.numpy_optim.base import Optimizer
from adambook.objectives import Objective

Schedule = Callable[[int], Any]


class Stopped(NamedTuple):
    """Where the first value that is not finite appeared."""

    step: int
    what: str
    coordinate: tuple[int, ...]

    def __str__(self) -> str:
        place = f"{self.what}{list(self.coordinate)}"
        return f"stopped at step {self.step}: {place} is not finite; try a smaller lr"


@dataclass(frozen=True)
class Trajectory:
    """A descent, step by step. What was not recorded is None.

    ``theta`` has shape ``(steps + 1, ..., d)`` and starts with theta_0, ``loss`` has shape ``(steps + 1,
    ...)``; ``grad``, ``delta`` and the fields of ``state`` have shape ``(steps, ..., d)``: entry i belongs
    to step ``t[i] = i + 1``. ``final`` is the last point, ``(..., d)``; of Schedule-Free, its average.
    ``diverged`` has shape ``(...)``: the step at which a run first met a value that is not finite, 0 for runs
    that never did. ``stopped`` tells of the first of these, None if all went well.
    """

    t: Array
    theta: Array | None
    loss: Array
    grad: Array | None
    delta: Array | None
    state: Any
    final: Array
    diverged: Array
    stopped: Stopped | None


def descend(
    optimizer: Optimizer,
    objective: Objective,
    start: npt.ArrayLike | None = None,
    steps: int = 100,
    *,
    record: str = "all",
    schedule: Schedule | None = None,
) -> Trajectory:
    """Take ``steps`` steps from ``start`` and return the `Trajectory`.

    ``start`` has shape ``(..., d)`` (None: the objective's own); array hyper-parameters broadcast against
    it, so one call can run a whole grid. The objective's gradient at step t is ``objective.grad(theta, t)``.
    ``schedule(t)`` multiplies the step, as eta_t does in the AdamW paper. ``record`` is "all", "loss"
    (losses and the last point) or "last".

    A single run stops at its first value that is not finite, with everything before it kept. In a batch the
    other runs go on; the batch stops when none is left. Raises ValueError or TypeError for arguments out of
    range, and for a schedule on an optimizer that keeps points of its own (Schedule-Free).
    """
    choice("record", record, ("all", "loss", "last"))
    steps = whole("steps", steps)
    eval_point = getattr(optimizer, "eval_point", None)
    if eval_point and schedule:
        raise ValueError(
            f"schedule with {type(optimizer).__name__}: its own points would not follow; allowed: None. "
            "It needs no schedule; set lr"
        )
    theta = floats("start", objective.start if start is None else start)
    if not np.all(np.isfinite(theta)):
        raise ValueError("start holds a value that is not finite; allowed: finite numbers")
    theta = np.array(np.broadcast_to(theta, np.broadcast_shapes(theta.shape, optimizer.hyper_shape)))
    optimizer = optimizer.astype(theta.dtype)
    state = optimizer.init(theta)
    batch = theta.shape[:-1]
    with np.errstate(over="ignore", invalid="ignore"):
        loss_0 = np.asarray(objective.value(theta, 1))

    keep_loss, keep_all = record != "last", record == "all"
    losses = np.empty((steps + 1, *batch), loss_0.dtype)
    thetas = np.empty((steps + 1 if keep_all else 0, *theta.shape), theta.dtype)
    grads, deltas = (np.empty((steps if keep_all else 0, *theta.shape), theta.dtype) for _ in range(2))
    states: list[Any] = []
    losses[0] = loss_0
    if keep_all:
        thetas[0] = theta

    diverged = np.zeros(batch, int)
    stopped: Stopped | None = None
    done = 0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for t in range(1, steps + 1):
            grad = objective.grad(theta, t)
            delta, next_state = optimizer.update(grad, state, theta)
            if schedule is not None:
                delta = delta * schedule(t)
            next_theta = theta + delta
            if objective.bounds is not None:
                next_theta = np.clip(next_theta, *objective.bounds)
            if not np.isfinite(
                next_theta.sum() + grad.sum()
            ):  # one cheap look; the exact one only when it is needed
                stopped = stopped or _first_bad(t, grad, next_theta)
                bad = ~(np.isfinite(next_theta) & np.isfinite(grad)).all(axis=-1)
                diverged[(diverged == 0) & bad] = t
                if diverged.all():
                    break
            theta, state, done = next_theta, next_state, t
            if keep_all:
                thetas[t], grads[t - 1], deltas[t - 1] = theta, grad, delta
                states.append(state)
            if keep_loss:
                losses[t] = objective.value(theta, t)
        if not keep_loss:
            losses = np.asarray(objective.value(theta, done or 1))[None]

    return Trajectory(
        t=np.arange(1, done + 1),
        theta=thetas[: done + 1] if keep_all else None,
        loss=losses[: done + 1],
        grad=grads[:done] if keep_all else None,
        delta=deltas[:done] if keep_all else None,
        state=_stacked(states) if states else None,
        final=eval_point(state, theta) if eval_point else theta,
        diverged=diverged,
        stopped=stopped,
    )


def steps_on(optimizer: Optimizer, gradients: npt.ArrayLike) -> Array:
    """Return the steps that ``optimizer`` takes on gradients known in advance, at parameters of zero.

    ``gradients`` has the shape ``(steps, ...)``, and so has the result. Raises ValueError or TypeError for what
    is no array of numbers.
    """
    given = floats("gradients", gradients)
    theta = np.zeros_like(given[0])
    state, steps = optimizer.init(theta), np.empty_like(given)
    for t, gradient in enumerate(given):
        steps[t], state = optimizer.update(gradient, state, theta)
    return steps


def _first_bad(t: int, grad: Array, theta: Array) -> Stopped | None:
    for what, array in (("gradient", grad), ("theta", theta)):
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            return Stopped(t, what, tuple(map(int, bad[0])))
    return None  # the sum overflowed, no entry did


def _stacked(states: list[Any]) -> Any:
    return type(states[0])(*(np.stack(column) for column in zip(*states, strict=True)))
