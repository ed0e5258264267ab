"""The exponentially weighted moving average as a filter: its memory, its bias, and the noise it leaves."""

from __future__ import annotations

from math import pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

from adambook import moments
from adambook._check import Array
from adambook.explorers._noise import normals
from adambook.explorers.base import Explorer, Hidden, Slider, Steps, count, fixed, short
from adambook.figures import MUTED, color

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HORIZON, RUNS, MEAN = 100, 1000, 1.0


class EWMAExplorer(Explorer):
    """A noisy gradient of mean 1, its EWMA with and without correction, the weights, and many runs."""

    module = "ewma"
    label_width = "6em"

    beta = Slider(0.9, 0.0, 0.99, 0.01, "decay β")
    sigma = Slider(1.0, 0.1, 2.0, 0.1, "noise σ", format=".1f")
    t = Steps(60, 1, HORIZON, "step t", play=True, interval=60)
    seed = Hidden(0, 0, 999, whole=True)

    def signals(self) -> Array:
        """The gradients of every run, shape (runs, horizon); row 0 is the one drawn."""
        return MEAN + self.sigma * normals(int(self.seed), RUNS * HORIZON).reshape(RUNS, HORIZON)

    def simulated(self) -> Array:
        """m_t of every run, shape (runs,)."""
        return np.asarray(self.signals()[:, : self.t] @ moments.ewma_weights(self.beta, self.t))

    def trajectory(self) -> tuple[Array, Array, Array]:
        """g, m and the corrected m of the run that is drawn, for steps 1 ... t."""
        g = self.signals()[0, : self.t]
        return g, moments.ewma(g, self.beta), moments.ewma(g, self.beta, corrected=True)

    def summary(self) -> str:
        m = self.simulated()
        window = f"{moments.effective_window(self.beta):.1f}".removesuffix(".0")
        first, second = (float(moments.ewma_cumulant_factor(n, self.beta, self.t)) for n in (1, 2))
        return (
            f"With β = {fixed(self.beta)} the average remembers about {window} "
            f"step{'' if window == '1' else 's'}. "
            f"At t = {self.t} its weights add up to {fixed(first, 3)}, which the correction divides out. "
            f"Over {count(RUNS, 'run')} m has mean {fixed(m.mean(), 3)} (predicted {fixed(MEAN * first, 3)}) "
            f"and variance {short(m.var())} (predicted {short(self.sigma**2 * second)})."
        )

    def draw(self, figure: Figure) -> None:
        g, m, corrected = self.trajectory()
        steps = np.arange(1, self.t + 1)
        axes = figure.subplot_mosaic(
            [["signal", "runs"], ["weights", "."]], width_ratios=(4, 1), height_ratios=(3, 1)
        )
        axes["signal"].plot(steps, g, ".", color=color("SGD"), markersize=4)
        axes["signal"].plot(steps, corrected, "--", color=color("Momentum"))
        axes["signal"].plot(steps, m, color=color("Momentum"), linewidth=2.5)
        axes["signal"].axhline(MEAN, color=MUTED, linewidth=1)
        axes["signal"].set(
            xlim=(0, HORIZON), ylim=(MEAN - 0.9 - 2.4 * self.sigma, MEAN + 0.9 + 2.4 * self.sigma)
        )
        axes["signal"].set_title("gradient g (dots), its average m (line), corrected (dashed)")
        axes["weights"].bar(steps, moments.ewma_weights(self.beta, self.t), 0.8, color=color("Momentum"))
        axes["weights"].set(xlim=(0, HORIZON), xlabel="step", ylabel="weight in m")
        mean = MEAN * float(moments.ewma_cumulant_factor(1, self.beta, self.t))
        sd = self.sigma * sqrt(moments.ewma_cumulant_factor(2, self.beta, self.t))
        x = np.linspace(mean - 4 * sd, mean + 4 * sd, 161)
        axes["runs"].hist(
            self.simulated(), 30, density=True, orientation="horizontal", color=color("Momentum"), alpha=0.5
        )
        axes["runs"].plot(np.exp(-(((x - mean) / sd) ** 2) / 2) / (sd * sqrt(2 * pi)), x, "k")
        axes["runs"].set(ylim=axes["signal"].get_ylim(), xticks=[], yticklabels=[])
        axes["runs"].set_title(f"m at step {self.t}")
