"""The duel: two optimizers from one point, each at its own best learning rate or at a multiple of it.

`python -m adambook.explorers.duel` tunes every optimizer on every objective and writes duel_rates.json.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from adambook._check import Array
from adambook.descent import Trajectory, descend
from adambook.explorers._plane import OBJECTIVES, STEPS, OnThePlane, WithNoise, floor, noise_of
from adambook.explorers.base import Choice, Hidden, Slider, Steps, count, fixed, short
from adambook.explorers.race import gaps_around
from adambook.figures import color, contour, label_lines
from adambook.figures import path as draw_path
from adambook.numpy_optim import (
    SGD,
    AdaBound,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Adan,
    AMSGrad,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    Optimizer,
    RAdam,
    RMSprop,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATES = Path(__file__).with_name("duel_rates.json")
GRID = 10.0 ** (np.arange(-16, 13) / 4)
PROSE: dict[str, type[Optimizer]] = {
    "SGD": SGD,
    "Momentum": Momentum,
    "Nesterov": Nesterov,
    "AdaGrad": Adagrad,
    "RMSProp": RMSprop,
    "Adam": Adam,
    "AMSGrad": AMSGrad,
    "AdamW": AdamW,
    "AdaDelta": Adadelta,
    "AdaMax": Adamax,
    "NAdam": NAdam,
    "RAdam": RAdam,
    "AdaBound": AdaBound,
    "Lion": Lion,
    "Adan": Adan,
}


def build(cls: type[Optimizer], lr: float | Array) -> Optimizer:
    """An optimizer with its defaults; AdaBound closes in on a tenth of its learning rate."""
    return AdaBound(lr, final_lr=lr / 10) if cls is AdaBound else cls(lr=lr)  # type: ignore[call-arg]


class Duel(OnThePlane):
    """Two optimizers on a contour map, with their losses and the lengths of their steps."""

    module = "duel"
    height = 5.2

    first = Choice("Adam", tuple(PROSE), "one")
    second = Choice("Lion", tuple(PROSE), "the other")
    objective = Choice("Rosenbrock's valley", tuple(OBJECTIVES), "objective")
    scale = Slider(1.0, 0.01, 100.0, 0.05, "× best rate", format=".2g", log=True)
    noise = Slider(0.0, 0.0, 1.0, 0.05, "noise")
    shown = Steps(STEPS, 0, STEPS, "step t", step=5, play=True, interval=30)
    seed = Hidden(0, 0, 999, whole=True)

    def learning_rates(self) -> tuple[float, float]:
        """The learning rates of the two."""
        table = json.loads(RATES.read_text("utf8"))["rates"][list(OBJECTIVES).index(self.objective)]
        one, other = (self.scale * table[list(PROSE).index(name)] for name in (self.first, self.second))
        return one, other

    def sigma(self) -> float:
        """The noise in units of the objective."""
        return noise_of(OBJECTIVES[self.objective], self.noise)

    def trajectories(self) -> tuple[Trajectory, Trajectory]:
        """The two runs, over all 500 steps."""
        objective = WithNoise(OBJECTIVES[self.objective], self.sigma(), int(self.seed))
        one, other = (
            descend(build(PROSE[name], rate), objective, (self.x0, self.y0), STEPS)
            for name, rate in zip((self.first, self.second), self.learning_rates(), strict=True)
        )
        return one, other

    def summary(self) -> str:
        bottom = floor(OBJECTIVES[self.objective])
        noise = f", with noise of σ = {short(self.sigma(), 2)} in every gradient" if self.noise else ""
        parts = []
        for name, rate, run in zip(
            (self.first, self.second), self.learning_rates(), self.trajectories(), strict=True
        ):
            text = f"{name}, α = {short(rate, 2)}, "
            if len(run.loss) <= self.shown:
                parts.append(f"{text}has diverged")
            else:
                gap = max(0.0, float(run.loss[self.shown]) - bottom)
                height = "below 10⁻¹²" if gap < 1e-12 else short(gap, 2)
                parts.append(f"{text}stands {height} above the minimum")
        return (
            f"From ({fixed(self.x0)}, {fixed(self.y0)}), after {count(self.shown, 'step')}{noise}: "
            f"{'; '.join(parts)}."
        )

    def draw(self, figure: Figure) -> None:
        objective = OBJECTIVES[self.objective]
        axes = figure.subplot_mosaic([["plane", "loss"], ["plane", "length"]], width_ratios=(5, 4))
        contour(axes["plane"], objective)
        for name, run in zip((self.first, self.second), self.trajectories(), strict=True):
            cls = PROSE[name].__name__
            draw_path(axes["plane"], np.asarray(run.theta)[: self.shown + 1], cls, label="")
            gap = np.maximum(run.loss[: self.shown + 1] - floor(objective), 1e-12)
            axes["loss"].plot(gap, color=color(cls), label=name)
            length = np.hypot(*np.asarray(run.delta)[: self.shown].T)
            axes["length"].plot(np.arange(1, len(length) + 1), np.maximum(length, 1e-12), color=color(cls))
        axes["plane"].plot(self.x0, self.y0, "ko")
        axes["plane"].set(xlim=objective.window[0], ylim=objective.window[1])
        axes["loss"].set(yscale="log", ylabel="f above its minimum", xlim=(0, STEPS))
        axes["length"].set(yscale="log", ylabel="length of the step", xlabel="step t", xlim=(0, STEPS))
        label_lines(axes["loss"])


def main() -> None:
    """Tune every optimizer on every objective and write duel_rates.json."""
    told = {"made_by": "python -m adambook.explorers.duel", "rows": list(OBJECTIVES), "columns": list(PROSE)}
    rows = [
        [
            float(f"{GRID[gaps_around(build(cls, GRID[:, None, None]), f).argmin()]:.4g}")
            for cls in PROSE.values()
        ]
        for f in OBJECTIVES.values()
    ]
    RATES.write_text(json.dumps(told | {"rates": rows}) + "\n", "utf8")


if __name__ == "__main__":
    main()
