"""AdaGrad on a bowl that turns: it divides by sums along the coordinates, so the angle matters."""

from __future__ import annotations

from math import inf, radians
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from adambook._check import Array
from adambook.descent import Trajectory, descend
from adambook.explorers.base import Explorer, Slider, Steps, count, fixed, short
from adambook.figures import INK, MUTED, color, label_lines
from adambook.numpy_optim import SGD, Adagrad
from adambook.objectives import Quadratic, turn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVATURES = (1.0, 100.0)
STEPS, LIMIT = 600, 3000
BEST_GD = 2 / sum(CURVATURES)


def needed(rule: Adagrad | SGD, angles: npt.ArrayLike) -> Array:
    """Steps until the distance to the minimum is a thousandth of the start's, for each angle in degrees.

    Infinite beyond the limit. All angles descend at once, each on its own bowl.
    """
    turns = np.stack([turn(radians(angle)) for angle in np.ravel(angles)])
    bowls = (turns * CURVATURES) @ turns.swapaxes(-1, -2)
    theta = turns @ np.array([2.0, 1.0])
    enough = 1e-3 * np.linalg.norm(theta, axis=-1)
    steps = np.full(len(theta), inf)
    state: Any = rule.init(theta)
    for t in range(LIMIT + 1):
        steps[np.isinf(steps) & (np.linalg.norm(theta, axis=-1) <= enough)] = t
        if np.isfinite(steps).all():
            break
        delta, state = rule.update((bowls @ theta[..., None])[..., 0], state, theta)
        theta = theta + delta
    return steps


def _steps(n: float) -> str:
    return f"more than {count(LIMIT, 'step')}" if n == inf else count(int(n), "step")


class AdagradSquares(Explorer):
    """AdaGrad on diag(1, 100) turned by an angle, the sums of squared gradients drawn as squares."""

    module = "adagrad_squares"
    label_width = "6em"

    angle = Steps(20, 0, 90, "angle (°)")
    lr = Slider(1.0, 0.01, 10.0, 0.05, "step size α", format=".3g", log=True)
    step = Steps(STEPS, 0, STEPS, "step t", step=2, play=True)

    def trajectory(self) -> Trajectory:
        """AdaGrad's whole run at the present angle and step size."""
        return descend(Adagrad(lr=self.lr), Quadratic(CURVATURES, radians(self.angle)), steps=STEPS)

    def sums(self) -> Array:
        """The sums of squared gradients along both coordinates after the steps that are shown."""
        if not self.step:
            return np.zeros(2)
        return np.asarray(self.trajectory().state.v[self.step - 1])

    def summary(self) -> str:
        v = [float(x) for x in self.sums()]
        adagrad, gd = (needed(rule, self.angle)[0] for rule in (Adagrad(lr=self.lr), SGD(lr=BEST_GD)))
        return (
            f"With the bowl turned by {fixed(self.angle, 0)}° and α = {short(self.lr)}, AdaGrad needs "
            f"{_steps(adagrad)} to come within a thousandth of its start's distance; "
            f"gradient descent at its best step needs {_steps(gd)} at every angle. "
            f"After {count(self.step, 'step')} the sums of squared gradients are {short(v[0])} along θ₁ and "
            f"{short(v[1])} along θ₂: steps are divided by {short(v[0] ** 0.5)} and {short(v[1] ** 0.5)}."
        )

    def draw(self, figure: Figure) -> None:
        run, bowl = self.trajectory(), Quadratic(CURVATURES, radians(self.angle))
        assert run.theta is not None
        path, (sx, sy) = run.theta[: self.step + 1], np.sqrt(self.sums())
        left, middle, right = figure.subplots(1, 3, width_ratios=(1, 0.8, 1.1))
        reach = np.linspace(-2.5, 2.5, 201)
        height = bowl.value(np.stack(np.meshgrid(reach, reach), axis=-1))
        left.contour(
            reach, reach, height, levels=0.08 * 2.4 ** np.arange(9), colors=MUTED, linewidths=0.7, alpha=0.5
        )
        left.plot(*path.T, color=color("Adagrad"))
        left.plot(*path[-1], "o", color=color("Adagrad"))
        left.plot(0, 0, "*", color=INK, markersize=9)
        left.set(aspect="equal", xlabel="θ₁", ylabel="θ₂")
        left.grid(visible=False)
        for x, y, side in ((0, -sx, sx), (-sy, 0, sy)):
            middle.add_patch(_square(x, y, side))
            middle.text(x + side / 2, y + side / 2, "θ₁" if x == 0 else "θ₂", ha="center", va="center")
        edge = max(sx + sy, 1e-9)
        middle.set(
            xlim=(-sy - 0.02 * edge, sx + 0.02 * edge),
            ylim=(-sx - 0.02 * edge, sy + 0.02 * edge),
            aspect="equal",
        )
        middle.set_title("sums of squared gradients")
        middle.set_axis_off()
        angles = np.arange(91)
        adagrad = np.minimum(needed(Adagrad(lr=self.lr), angles), LIMIT)
        right.plot(angles, adagrad, color=color("Adagrad"), label="AdaGrad")
        gd = needed(SGD(lr=BEST_GD), 0)[0]
        right.plot([0, 90], [gd, gd], color=color("SGD"), label=f"GD: {gd:.0f}")
        right.axvline(self.angle, color=MUTED, linestyle="--")
        right.set(yscale="log", ylim=(3, LIMIT), xlim=(0, 90), xlabel="angle of the bowl (degrees)")
        right.set_title("steps to 1/1000 of the distance")
        label_lines(right)


def _square(x: float, y: float, side: float) -> object:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), side, side, facecolor=color("Adagrad"), alpha=0.35, edgecolor=color("Adagrad"))
