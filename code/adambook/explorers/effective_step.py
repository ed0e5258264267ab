"""AdaGrad's and RMSProp's effective steps while the gradient changes its size: a sum against an average."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from adambook._check import Array
from adambook.explorers.base import Explorer, Slider, Steps, count, fixed, short
from adambook.figures import INK, MUTED, color, label_lines
from adambook.numpy_optim import Adagrad, RMSprop

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS, LR, EPS = 1000, 0.01, 1e-8


def recovery_adagrad(factor: float, change: int) -> int:
    """Steps after the change until AdaGrad's step is within a factor of two of what it would be had the
    gradient had its new size all along: v = c + F²n against F²(c + n), solved for n."""
    f = factor**2
    return max(0, ceil((change * (1 - 4 * f) if f < 1 else change * (f - 4)) / (3 * f) - 1e-9))


def recovery_rmsprop(factor: float, change: int, alpha: float) -> int:
    """The same for RMSProp: v = αⁿ(1 - α^c) + F²(1 - αⁿ) against F²(1 - α^(c+n))."""
    f, n = factor**2, np.arange(100_001)
    v = alpha**n * (1 - alpha**change) + f * (1 - alpha**n)
    with np.errstate(divide="ignore", invalid="ignore"):  # at n = 0 and α = 0
        ratio = v / (f * (1 - alpha ** (change + n)))
    return int(np.argmax((ratio <= 4 * (1 + 1e-12)) & (ratio >= 0.25 * (1 - 1e-12))))


class EffectiveStep(Explorer):
    """The effective step α / (√v + ε) of AdaGrad and RMSProp on a gradient whose size jumps on the way."""

    module = "effective_step"
    label_width = "8.5em"
    height = 4.0

    factor = Slider(0.1, 0.01, 100.0, 0.05, "gradient after", format=".3g", log=True)
    change = Steps(500, 10, 900, "change at step", step=10)
    alpha = Slider(0.99, 0.5, 0.999, 0.001, "RMSProp decay", format=".3f")

    def sizes(self) -> Array:
        """The size of the gradient at steps 1 ... 1000."""
        return np.where(np.arange(STEPS) < self.change, 1.0, self.factor)

    def trajectory(self) -> dict[str, Array]:
        """The effective step of each optimizer at every step, shape (steps,)."""
        steps = {}
        for name, rule in {
            "Adagrad": Adagrad(lr=LR, eps=EPS),
            "RMSprop": RMSprop(lr=LR, alpha=self.alpha, eps=EPS),
        }.items():
            theta, values = np.zeros(1), []
            state = rule.init(theta)
            for g in self.sizes():
                delta, state = rule.update(np.array([g]), state, theta)
                values.append(-delta[0] / g)
            steps[name] = np.array(values)
        return steps

    def summary(self) -> str:
        if self.factor < 1:
            what = f"shrinks to {short(self.factor)} of its size"
        else:
            what = f"grows to {short(self.factor)} times its size" if self.factor > 1 else "keeps its size"
        memory = f"{1 / (1 - self.alpha):,.1f}".removesuffix(".0")
        rms = count(recovery_rmsprop(self.factor, self.change, self.alpha), "step")
        ada = count(recovery_adagrad(self.factor, self.change), "step")
        return (
            f"After step {self.change} the gradient {what}. RMSProp, which with decay {fixed(self.alpha, 3)} "
            f"remembers about {memory} steps, recovers in {rms}; AdaGrad, which forgets nothing, in {ada}. "
            "Recovered means: the effective step is within a factor of two of what it would be had the gradient "
            "been so all along."
        )

    def draw(self, figure: Figure) -> None:
        t = np.arange(1, STEPS + 1)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 3))
        above.plot(t, self.sizes(), color=INK)
        above.set(yscale="log", ylim=(0.008, 125))
        above.set_title("size of the gradient")
        for name, values in self.trajectory().items():
            below.plot(t, values, color=color(name), label={"Adagrad": "AdaGrad", "RMSprop": "RMSProp"}[name])
        recovered = {
            "RMSprop": recovery_rmsprop(self.factor, self.change, self.alpha),
            "Adagrad": recovery_adagrad(self.factor, self.change),
        }
        for level, (name, n) in zip(
            (2e-5, 3e-6) if self.factor < 1 else (5, 0.7), recovered.items(), strict=True
        ):
            below.plot([self.change, min(self.change + n, STEPS)], [level, level], "|-", color=color(name))
            below.annotate(
                f"recovers in {count(n, 'step')}",
                (self.change, level),
                (5, 4),
                textcoords="offset points",
                color=color(name),
            )
        for ax in (above, below):
            ax.axvline(self.change, color=MUTED, linestyle="--", linewidth=1)
        below.set(yscale="log", ylim=(1e-6, 20), xlim=(0, STEPS), xlabel="step t")
        below.set_title("effective step α / (√v + ε)")
        label_lines(below)
