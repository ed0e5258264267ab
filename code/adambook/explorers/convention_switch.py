"""The convention switch: one rule in two conventions, from one point, and how far apart they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from adambook._check import Array
from adambook.descent import Trajectory, descend
from adambook.explorers._plane import OBJECTIVES, STEPS, OnThePlane
from adambook.explorers.base import Choice, Slider, Steps, count, short
from adambook.figures import color, contour
from adambook.figures import path as draw_path
from adambook.numpy_optim import Adagrad, Adam, AdamW, AMSGrad, NAdam, Optimizer, RMSprop, conventions

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Convention(NamedTuple):
    """The book's rule, the other convention, and what each has besides learning rate and epsilon."""

    rule: type[Optimizer]
    other: type[Optimizer]
    shared: dict[str, Any] = {}  # noqa: RUF012
    own: dict[str, Any] = {}  # noqa: RUF012


CONVENTIONS: dict[str, Convention] = {
    "Adam: no correction": Convention(Adam, conventions.AdamUncorrected),
    "Adam: ε-hat (Keras)": Convention(Adam, conventions.AdamEpsHat),
    "AMSGrad: maximum of v̂ (Optax)": Convention(AMSGrad, conventions.AMSGradCorrectedMax),
    "AMSGrad: as printed": Convention(AMSGrad, conventions.AMSGradPaper),
    "AMSGrad: of web pages": Convention(AMSGrad, conventions.AMSGradHatOverMax),
    "AdamW: decay not times α (paper)": Convention(AdamW, conventions.AdamWPaper, {"weight_decay": 0.01}),
    "NAdam: fast schedule (Keras)": Convention(NAdam, NAdam, own={"momentum_decay": 1.0}),
    "RMSProp: ε inside (Optax)": Convention(RMSprop, conventions.RMSpropEpsInside),
    "AdaGrad: ε inside, from 0.1 (Optax)": Convention(
        Adagrad, conventions.AdagradEpsInside, own={"initial_accumulator_value": 0.1}
    ),
}


class ConventionSwitch(OnThePlane):
    """The book's rule and another convention of it: two paths on a map, and their distance."""

    module = "convention_switch"
    height = 4.2

    convention = Choice("Adam: ε-hat (Keras)", tuple(CONVENTIONS), "convention")
    objective = Choice("ill-conditioned quadratic", tuple(OBJECTIVES), "objective")
    lr = Slider(0.05, 1e-3, 1.0, 0.05, "step size α", format=".2g", log=True)
    eps = Slider(1e-2, 1e-10, 10.0, 0.25, "epsilon", format=".0e", log=True)
    shown = Steps(STEPS, 0, STEPS, "step t", step=5, play=True, interval=30)

    def trajectories(self) -> tuple[Trajectory, Trajectory]:
        """The run of the book's rule and that of the other convention, over all 500 steps."""
        rule, other, shared, own = CONVENTIONS[self.convention]
        made = rule(lr=self.lr, eps=self.eps, **shared), other(lr=self.lr, eps=self.eps, **shared, **own)  # type: ignore[call-arg]
        one, two = (descend(o, OBJECTIVES[self.objective], (self.x0, self.y0), STEPS) for o in made)
        return one, two

    def distance(self) -> Array:
        """How far apart the two are at each step that both have taken."""
        one, two = (np.asarray(run.theta) for run in self.trajectories())
        n = min(len(one), len(two))
        return np.hypot(*(one[:n] - two[:n]).T)

    def summary(self) -> str:
        gap, t = self.distance(), int(self.shown)
        if len(gap) <= t:
            return f"After {count(t, 'step')} one of the two has diverged."
        widest = int(gap[: t + 1].argmax())
        apart = f"{short(gap[t], 2)} apart" if gap[t] >= 1e-12 else "less than 10⁻¹² apart"
        most = f"; farthest, {short(gap[widest], 2)}, at step {widest}" if gap[widest] >= 1e-12 else ""
        given = f"With α = {short(self.lr, 2)} and ε = {short(self.eps, 2)}"
        return f"{given}: after {count(t, 'step')} the two stand {apart}{most}."

    def draw(self, figure: Figure) -> None:
        objective, rule = OBJECTIVES[self.objective], CONVENTIONS[self.convention].rule.__name__
        plane, far = figure.subplots(1, 2, width_ratios=(5, 4))
        contour(plane, objective)
        one, two = (np.asarray(run.theta)[: self.shown + 1] for run in self.trajectories())
        draw_path(plane, one, rule, label="")
        plane.plot(*two.T, "--", color=color(rule), linewidth=1.6)
        plane.plot(self.x0, self.y0, "ko")
        plane.set(xlim=objective.window[0], ylim=objective.window[1])
        far.plot(np.maximum(self.distance()[: self.shown + 1], 1e-12), color=color(rule))
        far.set(yscale="log", xlabel="step t", ylabel="distance of the two", xlim=(0, STEPS))
