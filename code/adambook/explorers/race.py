"""The race: optimizers from a point of the reader's choice, each at its own best learning rate or all at the same.

`python -m adambook.explorers.race` tunes every optimizer on every objective and writes race_rates.json.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adambook._check import Array
from adambook.descent import Trajectory, descend
from adambook.explorers._plane import OBJECTIVES, STEPS, OnThePlane, WithNoise, floor, noise_of
from adambook.explorers.base import Choice, Hidden, Slider, Steps, count, fixed, short
from adambook.figures import color, contour, label_lines
from adambook.figures import path as draw_path
from adambook.numpy_optim import SGD, Adagrad, Adam, AdamW, AMSGrad, Momentum, Nesterov, Optimizer, RMSprop
from adambook.objectives import Objective

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATES = Path(__file__).with_name("race_rates.json")
GRID = 10.0 ** (np.arange(-16, 5) / 4)
OPTIMIZERS: tuple[type[Optimizer], ...] = (SGD, Momentum, Nesterov, Adagrad, RMSprop, Adam, AMSGrad, AdamW)
NAMES = {cls.__name__: cls for cls in OPTIMIZERS}
PROSE = {"Adagrad": "AdaGrad", "RMSprop": "RMSProp"}
OWN, SAME = "each its own best", "the same for all"


def build(cls: type[Optimizer], lr: float | Array, beta1: float, beta2: float) -> Optimizer:
    """An optimizer whose memory is set by the two sliders: RMSProp's decay is beta2, momentum is beta1."""
    memory: dict[type[Optimizer], dict[str, Any]] = {
        Momentum: {"momentum": beta1},
        Nesterov: {"momentum": beta1},
        RMSprop: {"alpha": beta2},
        Adam: {"betas": (beta1, beta2)},
        AMSGrad: {"betas": (beta1, beta2)},
        AdamW: {"betas": (beta1, beta2)},
    }
    return cls(lr=lr, **memory.get(cls, {}))  # type: ignore[call-arg]


def best_rate(cls: type[Optimizer], objective: Objective) -> float:
    """The learning rate of `GRID` that is best around the start; other hyper-parameters as in the explorer."""
    return float(GRID[gaps_around(build(cls, GRID[:, None, None], 0.9, 0.999), objective).argmin()])


def gaps_around(optimizer: Optimizer, objective: Objective) -> Array:
    """The mean of log10(f - f*) over 500 steps from nine starts, for each of the optimizer's learning rates.

    The starts are the objective's own and eight around it, a twentieth of the window away, so that no lucky jump
    decides. Gaps are cut at 1e-12. A rate counts as 1e6 where a run goes farther from the middle of the window than
    three quarters of its width. The learning rates have the shape (n, 1, 1), the result (n,).
    """
    window = np.array(objective.window)
    size = window[:, 1] - window[:, 0]
    around = np.stack(np.meshgrid([-0.05, 0, 0.05], [-0.05, 0, 0.05]), axis=-1).reshape(-1, 2)
    run = descend(optimizer, objective, objective.start + around * size, STEPS)
    score = np.log10(np.clip(np.nan_to_num(run.loss - floor(objective), nan=1e6), 1e-12, 1e6)).mean(axis=0)
    gone = (np.abs(run.theta - window.mean(axis=1)) > 0.75 * size).any(axis=(0, -1)) | (run.diverged > 0)
    score[gone] = 6.0
    return np.asarray(score.mean(axis=1))


class Race(OnThePlane):
    """Paths of the eight optimizers on a contour map, on the surface and as loss curves."""

    module = "race"
    height = 6.2

    objective = Choice("Rosenbrock's valley", tuple(OBJECTIVES), "objective")
    who = Choice("all", ("all", *(PROSE.get(name, name) for name in NAMES)), "optimizers")
    rates = Choice(OWN, (OWN, SAME), "step sizes")
    lr = Slider(0.01, 1e-4, 10.0, 0.05, "one for all, α", format=".2g", log=True)
    beta1 = Slider(0.9, 0.0, 0.99, 0.01, "momentum β₁")
    beta2 = Slider(0.999, 0.9, 0.9995, 0.0005, "decay β₂", format=".4f")
    noise = Slider(0.0, 0.0, 1.0, 0.05, "noise")
    shown = Steps(STEPS, 0, STEPS, "step t", step=5, play=True, interval=30)
    yaw = Hidden(-0.6, -3.2, 3.2)
    pitch = Hidden(0.75, 0.1, 1.5)
    seed = Hidden(0, 0, 999, whole=True)

    def __init__(self, **parameters: Any) -> None:
        if "lr" in parameters:  # who names a rate wants it used
            parameters.setdefault("rates", SAME)
        super().__init__(**parameters)

    def learning_rates(self) -> dict[str, float]:
        """The learning rate of every optimizer."""
        if self.rates == SAME:
            return dict.fromkeys(NAMES, self.lr)
        table = json.loads(RATES.read_text("utf8"))["rates"]
        return dict(zip(NAMES, table[list(OBJECTIVES).index(self.objective)], strict=True))

    def optimizers(self) -> dict[str, Optimizer]:
        """The optimizers that run, by name."""
        rates = self.learning_rates()
        return {
            name: build(cls, rates[name], self.beta1, self.beta2)
            for name, cls in NAMES.items()
            if self.who in ("all", PROSE.get(name, name))
        }

    def sigma(self) -> float:
        """The noise in units of the objective."""
        return noise_of(OBJECTIVES[self.objective], self.noise)

    def trajectory(self) -> dict[str, Trajectory]:
        """The run of every optimizer over all 500 steps."""
        objective = WithNoise(OBJECTIVES[self.objective], self.sigma(), int(self.seed))
        return {
            name: descend(optimizer, objective, (self.x0, self.y0), STEPS)
            for name, optimizer in self.optimizers().items()
        }

    def summary(self) -> str:
        bottom, rates = floor(OBJECTIVES[self.objective]), self.learning_rates()
        parts = []
        for name, run in self.trajectory().items():
            text = f"{PROSE.get(name, name)} ({short(rates[name], 2)})"
            if len(run.loss) <= self.shown:
                parts.append((np.inf, f"{text} has diverged"))
            else:
                gap = max(0.0, float(run.loss[self.shown]) - bottom)
                parts.append((gap, f"{text} {'below 10⁻¹²' if gap < 1e-12 else short(gap, 2)}"))
        parts.sort(key=lambda part: max(part[0], 1e-12))
        noise = f", with noise of σ = {short(self.sigma(), 2)} in every gradient" if self.noise else ""
        return (
            f"From ({fixed(self.x0)}, {fixed(self.y0)}), after {count(self.shown, 'step')}{noise}, f stands above its "
            f"minimum by, step size in brackets: {'; '.join(text for _, text in parts)}."
        )

    def draw(self, figure: Figure) -> None:
        objective, runs = OBJECTIVES[self.objective], self.trajectory()
        plane, losses = figure.subplots(2, 1, height_ratios=(3, 2))
        contour(plane, objective)
        for name, run in runs.items():
            theta = np.asarray(run.theta)[: self.shown + 1]
            draw_path(plane, theta, name, label="")
            gap = np.maximum(run.loss[: self.shown + 1] - floor(objective), 1e-12)
            losses.plot(gap, color=color(name), label=PROSE.get(name, name))
        plane.plot(self.x0, self.y0, "ko")
        plane.set(xlim=objective.window[0], ylim=objective.window[1])
        losses.set(yscale="log", xlabel="step t", ylabel="f above its minimum", xlim=(0, STEPS))
        label_lines(losses)


def main() -> None:
    """Tune every optimizer on every objective and write race_rates.json."""
    told = {"made_by": "python -m adambook.explorers.race", "rows": list(OBJECTIVES), "columns": list(NAMES)}
    rows = [
        [float(f"{best_rate(cls, objective):.4g}") for cls in OPTIMIZERS] for objective in OBJECTIVES.values()
    ]
    RATES.write_text(json.dumps(told | {"rates": rows}) + "\n", "utf8")


if __name__ == "__main__":
    main()
