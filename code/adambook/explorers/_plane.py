"""What the explorers on the plane share: objectives, noise in the gradient, and a start that can be dragged."""

from __future__ import annotations

from typing import Any

import numpy as np

from adambook._check import Array
from adambook.explorers._noise import normals
from adambook.explorers.base import Explorer, Hidden
from adambook.objectives import Beale, Himmelblau, Objective, Quadratic, Rastrigin, Rosenbrock, Saddle

STEPS = 500
OBJECTIVES: dict[str, Objective] = {
    "Rosenbrock's valley": Rosenbrock(),
    "Beale's plateau": Beale(),
    "Himmelblau's four minima": Himmelblau(),
    "saddle": Saddle(),
    "ill-conditioned quadratic": Quadratic((1.0, 100.0), 0.5),
    "Rastrigin's dents": Rastrigin(),
}


def floor(objective: Objective) -> float:
    """The value at the lowest minimum."""
    return float(objective.value(objective.minima).min())


class WithNoise(Objective):
    """An objective whose gradient carries the page's noise."""

    def __init__(self, objective: Objective, sigma: float, seed: int) -> None:
        self.objective = objective
        self.minima, self.start, self.window = objective.minima, objective.start, objective.window
        self.noise = sigma * normals(seed, 2 * STEPS).reshape(STEPS, 2)

    def _value(self, theta: Array, t: int) -> Array:
        return self.objective.value(theta, t)

    def _grad(self, theta: Array, t: int) -> Array:
        return np.asarray(self.objective.grad(theta, t) + self.noise[t - 1])


class OnThePlane(Explorer):
    """An explorer with an ``objective``, whose runs start where the reader puts the point (x0, y0)."""

    x0 = Hidden(-1.5, -6.0, 6.0)
    y0 = Hidden(2.0, -6.0, 6.0)

    def __init__(self, **parameters: Any) -> None:
        name = parameters.get("objective", self.parameters()["objective"].default_value)
        if name in OBJECTIVES:  # else the parameter itself says what is wrong
            parameters = _start(name) | parameters
        super().__init__(**parameters)
        self.observe(self._move, "objective")

    def _move(self, change: Any) -> None:
        """Another objective has another start; in the page the drawing sees to it."""
        if not self._from_browser:
            for name, value in _start(change.new).items():
                setattr(self, name, value)


def _start(name: str) -> dict[str, float]:
    x, y = OBJECTIVES[name].start
    return {"x0": round(float(x), 3), "y0": round(float(y), 3)}


def noise_of(objective: Objective, share: float) -> float:
    """The noise in units of the objective: a share of the gradient's length at the objective's own start."""
    return float(share * np.hypot(*objective.grad(objective.start)))
