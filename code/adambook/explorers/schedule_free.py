"""Schedule-Free's three points on a noisy objective: z takes the steps, θ the gradients, x is what counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from adambook._check import Array
from adambook.descent import descend
from adambook.explorers._plane import OBJECTIVES, STEPS, OnThePlane, WithNoise, floor, noise_of
from adambook.explorers.base import Choice, Hidden, Slider, Steps, count, fixed, short
from adambook.figures import color, contour, label_lines
from adambook.numpy_optim import ScheduleFreeAdamW

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLES: dict[str, dict[str, Any]] = {
    "z": {"linewidth": 0.8, "alpha": 0.45},
    "θ": {"linewidth": 1.2, "linestyle": "--"},
    "x": {"linewidth": 2.6},
}


class ScheduleFree(OnThePlane):
    """z, θ and x of Schedule-Free AdamW on a contour map, with f at each of them."""

    module = "schedule_free"
    height = 4.2

    objective = Choice("ill-conditioned quadratic", tuple(OBJECTIVES), "objective")
    beta = Slider(0.9, 0.0, 0.99, 0.01, "β")
    lr = Slider(0.2, 1e-3, 1.0, 0.05, "step size α", format=".2g", log=True)
    noise = Slider(0.1, 0.0, 1.0, 0.05, "noise")
    shown = Steps(STEPS, 0, STEPS, "step t", step=5, play=True, interval=30)
    seed = Hidden(0, 0, 999, whole=True)

    def sigma(self) -> float:
        """The noise in units of the objective."""
        return noise_of(OBJECTIVES[self.objective], self.noise)

    def points(self) -> dict[str, Array]:
        """The three points at every step, (501, 2) each."""
        objective = WithNoise(OBJECTIVES[self.objective], self.sigma(), int(self.seed))
        rule = ScheduleFreeAdamW(lr=self.lr, betas=(self.beta, 0.999))
        run = descend(rule, objective, (self.x0, self.y0), STEPS)
        z, x = (np.vstack([[self.x0, self.y0], part]) for part in (run.state.z, run.state.x))
        return {"z": z, "θ": np.asarray(run.theta), "x": x}

    def gaps(self) -> dict[str, Array]:
        """How far f stands above its minimum at each of them, (501,)."""
        objective = OBJECTIVES[self.objective]
        return {
            name: np.maximum(objective.value(at) - floor(objective), 1e-12)
            for name, at in self.points().items()
        }

    def summary(self) -> str:
        noise = f", with noise of σ = {short(self.sigma(), 2)} in every gradient" if self.noise else ""
        gaps = ", ".join(f"{short(gap[self.shown], 2)} at {name}" for name, gap in self.gaps().items())
        return (
            f"From ({fixed(self.x0)}, {fixed(self.y0)}), after {count(self.shown, 'step')} "
            f"with α = {short(self.lr, 2)} and β = {fixed(self.beta)}{noise}, f stands above its minimum by {gaps}."
        )

    def draw(self, figure: Figure) -> None:
        objective, hue = OBJECTIVES[self.objective], color("ScheduleFreeAdamW")
        plane, over = figure.subplots(1, 2, width_ratios=(5, 4))
        contour(plane, objective)
        for (name, at), gap in zip(self.points().items(), self.gaps().values(), strict=True):
            plane.plot(*at[: self.shown + 1].T, color=hue, **STYLES[name])
            plane.plot(*at[self.shown], "o", color=hue)
            over.plot(gap[: self.shown + 1], color=hue, label=name, **STYLES[name])
        plane.plot(self.x0, self.y0, "ko")
        plane.set(xlim=objective.window[0], ylim=objective.window[1])
        over.set(yscale="log", xlabel="step t", ylabel="f above its minimum", xlim=(0, STEPS))
        label_lines(over)
