"""Sophia's clip: a path on a map, and for each coordinate the Newton step over rho, which is clipped above 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adambook._check import Array
from adambook.descent import Trajectory, descend
from adambook.explorers._plane import OBJECTIVES, STEPS, OnThePlane, floor
from adambook.explorers.base import Choice, Slider, Steps, count, fixed, short
from adambook.figures import INK, color, contour
from adambook.figures import path as draw_path
from adambook.numpy_optim import SophiaH
from adambook.numpy_optim.base import Step
from adambook.numpy_optim.sophia import SophiaState

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SophiaClip(OnThePlane):
    """The path of Sophia with exact curvature, and which coordinates are clipped on the way."""

    module = "sophia_clip"
    height = 4.2

    objective = Choice("Rosenbrock's valley", tuple(OBJECTIVES), "objective")
    lr = Slider(0.05, 1e-3, 1.0, 0.05, "step size α", format=".2g", log=True)
    rho = Slider(0.04, 1e-3, 10.0, 0.1, "ρ", format=".2g", log=True)
    shown = Steps(STEPS, 0, STEPS, "step t", step=5, play=True, interval=30)

    def trajectory(self) -> Trajectory:
        """The run over all 500 steps; its state holds m and h after each."""
        objective = OBJECTIVES[self.objective]

        class Informed(SophiaH):
            """Is told the exact curvature every tenth step, and needs no average of it."""

            def update(self, grad: Array, state: SophiaState, theta: Array) -> Step:
                if state.t % 10 == 0:
                    state = self.with_hessian(state, objective.hessian_diagonal(theta))
                return super().update(grad, state, theta)

        rule = Informed(lr=self.lr, betas=(0.9, 0.0), rho=self.rho, weight_decay=0.0)
        return descend(rule, objective, (self.x0, self.y0), STEPS)

    def ratio(self, run: Trajectory) -> Array:
        """|m| / (rho h) at every step, (500, 2), infinite where the curvature is not positive."""
        h = np.maximum(run.state.h, 0)
        return np.divide(np.abs(run.state.m), self.rho * h, out=np.full(h.shape, np.inf), where=h > 0)

    def summary(self) -> str:
        run = self.trajectory()
        gap = max(0.0, float(run.loss[self.shown]) - floor(OBJECTIVES[self.objective]))
        one, two = (self.ratio(run)[: self.shown] > 1).sum(axis=0)
        height = "below 10⁻¹²" if gap < 1e-12 else short(gap, 2)
        return (
            f"From ({fixed(self.x0)}, {fixed(self.y0)}), after {count(self.shown, 'step')} "
            f"with α = {short(self.lr, 2)} and ρ = {short(self.rho, 2)}, f stands {height} above its minimum. "
            f"The clip held θ₁ in {count(one, 'step')} and θ₂ in {count(two, 'step')}."
        )

    def draw(self, figure: Figure) -> None:
        objective, run = OBJECTIVES[self.objective], self.trajectory()
        plane, side = figure.subplots(1, 2, width_ratios=(5, 4))
        contour(plane, objective)
        theta, ratio = np.asarray(run.theta)[: self.shown + 1], self.ratio(run)[: self.shown]
        draw_path(plane, theta, "SophiaH", label="")
        for k in np.flatnonzero((ratio > 1).any(axis=1)):
            plane.plot(*theta[k : k + 2].T, color=color("SophiaH"), linewidth=3.5)
        plane.plot(self.x0, self.y0, "ko")
        plane.set(xlim=objective.window[0], ylim=objective.window[1])
        side.axhspan(1, 1e3, color=color("SophiaH"), alpha=0.12, linewidth=0)
        for i, style in enumerate(("-", "--")):
            values = np.minimum(ratio[:, i], 1e3)
            side.plot(np.arange(1, len(values) + 1), values, style, color=INK, linewidth=1.2, label=f"θ{'₁₂'[i]}")
        side.set(yscale="log", xlim=(0, STEPS), ylim=(1e-3, 1e3), xlabel="step t")
        side.set_title("Newton step over ρ: clipped above 1")
        side.legend(loc="lower left")
