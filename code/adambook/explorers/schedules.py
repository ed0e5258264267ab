"""Six learning-rate schedules, and the loss under each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from adambook._check import Array
from adambook.descent import Trajectory, descend
from adambook.explorers._plane import OBJECTIVES, STEPS, WithNoise, floor, noise_of
from adambook.explorers.base import Choice, Explorer, Hidden, Slider, Steps, count, short
from adambook.figures import MUTED, color, label_lines
from adambook.numpy_optim import SGD, Adam
from adambook.schedules import Schedule, constant, cosine, inverse_root, one_cycle, warmup_stable_decay

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The schedules, each with the colour that it borrows.
COLOURS = {
    "constant": "SGD",
    "warm-up": "Adagrad",
    "cosine": "Adam",
    "one-cycle": "AMSGrad",
    "inverse root": "RMSprop",
    "WSD": "AdamW",
}
RUNS = 12


class Schedules(Explorer):
    """The curves of six schedules with one peak, and what Adam or SGD makes of them under the same noise."""

    module = "schedules"
    label_width = "6.5em"
    height = 5.4

    optimizer = Choice("Adam", ("Adam", "SGD"), "optimizer", buttons=True)
    objective = Choice("Rosenbrock's valley", tuple(OBJECTIVES), "objective")
    bold = Choice("none", ("none", *COLOURS), "in bold")
    peak = Slider(1.0, 1e-4, 10.0, 0.05, "peak α", format=".2g", log=True)
    warmup = Steps(50, 0, 100, "warm-up", step=5)
    steps = Steps(300, 200, STEPS, "steps in all", step=10)
    decay = Slider(0.2, 0.02, 0.5, 0.02, "decay share")
    noise = Slider(0.1, 0.0, 1.0, 0.05, "noise")
    seed = Hidden(0, 0, 999, whole=True)

    def fall(self) -> int:
        """How many steps the decay of warm-up-stable-decay takes."""
        return int(self.decay * self.steps + 0.5)

    def schedules(self) -> dict[str, Schedule]:
        """The six schedules by name."""
        made = (
            constant(),
            constant(self.warmup),
            cosine(self.steps, self.warmup),
            one_cycle(self.steps, self.warmup),
            inverse_root(self.warmup),
            warmup_stable_decay(self.steps, self.warmup, self.fall()),
        )
        return dict(zip(COLOURS, made, strict=True))

    def trajectories(self) -> dict[str, Trajectory]:
        """The runs under each schedule from the objective's own start, a column each; without noise all are one."""
        objective = OBJECTIVES[self.objective]
        sigma, first = noise_of(objective, self.noise), RUNS * int(self.seed)
        noisy = WithNoise(objective, sigma, first)
        runs = RUNS if self.noise else 1
        noisy.noise = np.stack([WithNoise(objective, sigma, first + r).noise for r in range(runs)], axis=1)
        start = np.broadcast_to(objective.start, (runs, 2))
        rule = {"Adam": Adam, "SGD": SGD}[self.optimizer](lr=self.peak)
        return {
            name: descend(rule, noisy, start, self.steps, schedule=schedule)
            for name, schedule in self.schedules().items()
        }

    def gaps(self) -> dict[str, Array]:
        """f above its minimum in the geometric mean of the runs, (steps + 1,); inf from where one of them fails."""
        bottom, out = floor(OBJECTIVES[self.objective]), {}
        for name, run in self.trajectories().items():
            gap = np.full((self.steps + 1, run.diverged.size), np.inf)
            gap[: len(run.loss)] = np.maximum(run.loss - bottom, 1e-12)
            failed = run.diverged * (np.arange(self.steps + 1)[:, None] >= run.diverged)
            out[name] = np.exp(np.log(np.where(failed, np.inf, gap)).mean(axis=1))
        return out

    def summary(self) -> str:
        objective, of, parts = OBJECTIVES[self.objective], RUNS if self.noise else 1, []
        gaps = self.gaps()
        for name, run in self.trajectories().items():
            failed, gap = np.count_nonzero(run.diverged), gaps[name]
            fate = f"diverges in {failed} of {of}" if failed else f"{short(gap.max(), 2)}, then {short(gap[-1], 2)}"
            parts.append(f"{name} {fate}")
        noise = f" and noise of σ = {short(noise_of(objective, self.noise), 2)}" if self.noise else ""
        bold = f" In bold: {self.bold}." if self.bold != "none" else ""
        return (
            f"{self.optimizer} with peak α = {short(self.peak, 2)}{noise}: {count(self.warmup, 'step')} of warm-up, "
            f"{count(self.steps, 'step')} in all, the last {self.fall()} WSD's decay. How far f stands above its "
            f"minimum, at most and then at the end, in the mean of {count(of, 'run')}: {'; '.join(parts)}.{bold}"
        )

    def draw(self, figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
        t, gaps = np.arange(1, self.steps + 1), self.gaps()
        start = gaps["constant"][0]
        for name, schedule in self.schedules().items():
            look: dict[str, Any] = {
                "color": color(COLOURS[name]),
                "linewidth": 3 if name == self.bold else 1.5,
                "alpha": 1 if self.bold in ("none", name) else 0.4,
            }
            above.plot(t, [self.peak * schedule(int(step)) for step in t], label=name, **look)
            below.plot(np.minimum(gaps[name], 1e6 * start), label=name, **look)
        below.axhline(start, color=MUTED, linestyle="--", linewidth=1)
        above.set(title="learning rate")
        below.set(yscale="log", xlabel="step t", xlim=(0, self.steps), title="f above its minimum")
        below.set_ylim(top=min(below.get_ylim()[1], 1e4 * start))
        for axes in (above, below):
            label_lines(axes)
