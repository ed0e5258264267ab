"""Gradient descent and momentum on an ill-conditioned quadratic, against the rates that theory gives."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from adambook.descent import Trajectory, descend
from adambook.explorers.base import Explorer, Hidden, Slider, Steps, count, fixed, short
from adambook.figures import INK, MUTED, color, label_lines
from adambook.numpy_optim import Momentum
from adambook.objectives import Quadratic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = 200


def rate(kappa: float, lr: float, momentum: float) -> float:
    """The factor by which the error shrinks per step in the long run, curvatures being 1/kappa and 1.

    The spectral radius of [[1 + β - αλ, -β], [1, 0]], the larger of the two curvatures' values.
    """

    def along(curvature: float) -> float:
        trace = 1 + momentum - lr * curvature
        inside = trace**2 - 4 * momentum
        return sqrt(momentum) if inside < 0 else (abs(trace) + sqrt(inside)) / 2

    return max(along(1), along(1 / kappa))


def best_rates(kappa: float) -> tuple[float, float]:
    """The best possible rate without momentum and with it."""
    return (kappa - 1) / (kappa + 1), (sqrt(kappa) - 1) / (sqrt(kappa) + 1)


class ConditioningExplorer(Explorer):
    """Gradient descent with momentum on f = (θ₁²/κ + θ₂²)/2: its path, and its loss against theory."""

    module = "conditioning"

    kappa = Slider(100.0, 1.0, 1000.0, 0.05, "condition κ", format=".0f", log=True)
    lr = Slider(1.9, 0.05, 4.0, 0.05, "step size α")
    momentum = Slider(0.0, 0.0, 0.99, 0.01, "momentum β")
    step = Steps(STEPS, 0, STEPS, "step t", play=True)
    x0 = Hidden(-2.0, -2.4, 2.4)
    y0 = Hidden(1.0, -1.6, 1.6)

    def trajectory(self) -> Trajectory:
        """All steps from the present start with the present hyper-parameters."""
        rule = Momentum(lr=self.lr, momentum=self.momentum)
        return descend(rule, Quadratic((1 / self.kappa, 1.0)), [self.x0, self.y0], STEPS)

    def summary(self) -> str:
        loss = self.trajectory().loss
        now, at = rate(self.kappa, self.lr, self.momentum), min(self.step, len(loss) - 1)
        plain, momentum = best_rates(self.kappa)
        speed = (
            f"The error does not shrink: its rate is {fixed(now, 3)} per step, because the step is too large "
            "for the steep direction."
            if now >= 1
            else f"In the long run every step multiplies the error by {fixed(now, 3)}."
        )
        return (
            f"Condition number {short(self.kappa)}, step size {fixed(self.lr)}, "
            f"momentum {fixed(self.momentum)}. {speed} "
            f"The best possible is {fixed(plain, 3)} without momentum and {fixed(momentum, 3)} with it. "
            f"After {count(at, 'step')} the loss is {short(float(loss[at] / loss[0]))} of its start."
        )

    def draw(self, figure: Figure) -> None:
        run = self.trajectory()
        assert run.theta is not None
        name = "Momentum" if self.momentum else "SGD"
        left, right = figure.subplots(1, 2)
        x, y = np.meshgrid(np.linspace(-2.4, 2.4, 201), np.linspace(-1.6, 1.6, 201))
        height = (x**2 / self.kappa + y**2) / 2
        left.contour(
            x, y, height, levels=0.006 * 2.1 ** np.arange(11), colors=MUTED, linewidths=0.7, alpha=0.5
        )
        path = run.theta[: self.step + 1]
        left.plot(*path.T, color=color(name))
        left.plot(*path[-1], "o", color=color(name))
        left.plot(0, 0, "*", color=INK, markersize=9)
        left.set(
            xlim=(-2.4, 2.4),
            ylim=(-1.6, 1.6),
            xlabel="θ₁, the flat direction",
            ylabel="θ₂, the steep direction",
        )
        left.grid(visible=False)
        t = np.arange(STEPS + 1)
        loss = run.loss[: self.step + 1]
        right.plot(np.maximum(loss / loss[0], 1e-300), color=color(name), linewidth=2.5)
        plain, momentum = best_rates(self.kappa)
        now = rate(self.kappa, self.lr, self.momentum)
        for text, q, style in (
            ("theory", now, {"color": INK, "linewidth": 1.0}),
            ("plain, best", plain, {"color": color("SGD"), "linestyle": "--"}),
            ("momentum, best", momentum, {"color": color("Momentum"), "linestyle": "--"}),
        ):
            right.plot(t, np.clip(q ** (2.0 * t), 1e-300, 1e300), label=f"{text} {fixed(q, 3)}", **style)
        right.set(yscale="log", xlim=(0, STEPS), ylim=(1e-12, 100), xlabel="step t")
        right.set_title("loss, as a share of its start")
        label_lines(right)
