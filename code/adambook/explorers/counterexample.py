"""Reddi's counterexample: losses on which Adam walks to the worst point, and what the maximum changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from adambook._check import Array
from adambook.descent import Trajectory, descend
from adambook.explorers._noise import uniform
from adambook.explorers.base import Choice, Explorer, Hidden, Slider, Steps, count, fixed
from adambook.figures import MUTED, color, label_lines
from adambook.numpy_optim import SGD, Adam, AMSGrad, Optimizer
from adambook.numpy_optim.conventions import AMSGradCorrectedMax, AMSGradHatOverMax, AMSGradPaper
from adambook.objectives import Objective

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RIVALS: dict[str, type[Optimizer]] = {
    "AMSGrad": AMSGrad,
    "AMSGrad as printed": AMSGradPaper,
    "AMSGrad with max v̂": AMSGradCorrectedMax,
    "AMSGrad of the web": AMSGradHatOverMax,
    "SGD": SGD,
}


class Losses(Objective):
    """f_t(x) = C x once a period, else -x, on [-1, 1]; either on a fixed day or on a random one.

    As `objectives.ReddiOnline` and `ReddiStochastic`, with the page's random numbers and also for a C that is too
    small to make -1 the best point.
    """

    dim = 1
    name = "Reddi's losses"
    start = np.zeros(1)
    window = ((-1, 1), (-1, 1))
    bounds = (-1.0, 1.0)

    def __init__(self, C: float, period: int, steps: int, random: bool, seed: int) -> None:
        t = np.arange(steps + 1)
        steep = uniform(seed, t) * period < 1 if random else t % period == 1
        self.slopes = np.where(steep, C, -1.0)
        self.minima = np.array([[-1.0 if period - 1 < C else 1.0]])

    def _value(self, theta: Array, t: int) -> Array:
        return np.asarray(self.slopes[t] * theta[..., 0])

    def _grad(self, theta: Array, t: int) -> Array:
        return np.full_like(theta, self.slopes[t])

    def average_regret(self, theta: Array) -> Array:
        """The average over the first t steps of f_s(x_s) - f_s(x*), for every t."""
        regret = np.cumsum(self.slopes[1:] * (theta[:-1, 0] - self.minima[0, 0]))
        return np.asarray(regret / np.arange(1, len(theta)))


class Counterexample(Explorer):
    """x_t, its average regret and the denominators of Adam and a rival, with steps of alpha / sqrt(t)."""

    module = "counterexample"
    height = 5.0

    losses = Choice("in turn", ("in turn", "at random"), "steep loss")
    rival = Choice("AMSGrad", tuple(RIVALS), "beside Adam")
    C = Slider(3.0, 1.0, 150.0, 0.5, "steep slope C", format=".1f")
    period = Steps(3, 2, 120, "once in")
    beta1 = Slider(0.0, 0.0, 0.99, 0.01, "decay β₁")
    beta2 = Slider(0.1, 0.0, 0.9999, 0.0001, "decay β₂", format=".4f")
    lr = Slider(0.5, 0.01, 3.0, 0.05, "step size α", format=".2f", log=True)
    horizon = Slider(3000.0, 100.0, 1e6, 0.1, "steps", format=",.0f", log=True)
    seed = Hidden(0, 0, 999, whole=True)

    def objective(self) -> Losses:
        """The losses of every step."""
        return Losses(self.C, self.period, round(self.horizon), self.losses == "at random", int(self.seed))

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam and its rival."""
        betas = (self.beta1, self.beta2)
        kind = RIVALS[self.rival]
        rival = kind(lr=self.lr) if kind is SGD else kind(lr=self.lr, betas=betas)  # type: ignore[call-arg]
        return {"Adam": Adam(lr=self.lr, betas=betas), self.rival: rival}

    def trajectory(self) -> dict[str, Trajectory]:
        """The runs of Adam and its rival; a million steps take about half a minute here, not in the page."""
        objective, steps = self.objective(), round(self.horizon)
        return {
            name: descend(optimizer, objective, steps=steps, schedule=lambda t: t**-0.5)
            for name, optimizer in self.optimizers().items()
        }

    def summary(self) -> str:
        objective, total = self.objective(), self.C - self.period + 1
        parts = []
        for name, run in self.trajectory().items():
            x, regret = float(run.final[0]), float(objective.average_regret(np.asarray(run.theta))[-1])
            parts.append(f"{name} stands at {_signed(x)}, with average regret {fixed(regret, 3)}")
        return (
            f"With β₁ = {fixed(self.beta1)}, β₂ = {fixed(self.beta2, 4)} and α = {fixed(self.lr, 3)}: "
            f"{'in' if self.losses == 'in turn' else 'on average over'} {count(self.period, 'step')} the slopes add up "
            f"to {fixed(total)}, so the best point is {'+1' if objective.minima[0, 0] > 0 else '−1'}. "
            f"After {count(round(self.horizon), 'step')} {'; '.join(parts)}."
        )

    def draw(self, figure: Figure) -> None:
        objective = self.objective()
        axes = figure.subplot_mosaic([["x", "x"], ["regret", "root"]])
        for name, run in self.trajectory().items():
            style: dict[str, Any] = {"color": color(name.split()[0]), "label": name, "linewidth": 1.2}
            axes["x"].plot(run.t, np.asarray(run.theta)[1:, 0], **style)
            axes["regret"].plot(run.t, objective.average_regret(np.asarray(run.theta)), **style)
            if name != "SGD":
                axes["root"].plot(run.t, self._root(name, run), **style)
        axes["x"].axhline(objective.minima[0, 0], color=MUTED, linestyle="--", linewidth=0.8)
        for ax, title in zip(
            axes.values(), ("x_t", "average regret", "denominator of the step"), strict=True
        ):
            ax.set(xscale="log", xlabel="step t", title=title, xlim=(1, round(self.horizon)))
        label_lines(axes["x"])

    def _root(self, name: str, run: Trajectory) -> Array:
        v = (run.state.v if name == "Adam" else run.state.v_max)[:, 0]
        corrected_after = name in ("Adam", "AMSGrad")
        return np.asarray(np.sqrt(v / (1 - self.beta2**run.t) if corrected_after else v))


def _signed(x: float) -> str:
    return f"{'+' if x > 0 else ''}{fixed(x)}"
