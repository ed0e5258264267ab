"""Test error over learning rate and weight decay, for L2, the paper's decoupled decay and torch's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adambook._check import Array
from adambook.descent import descend
from adambook.explorers._noise import normals, uniform
from adambook.explorers.base import Explorer, Hidden, Slider, count, fixed, short
from adambook.figures import INK, MUTED, color
from adambook.numpy_optim import Adam, AdamW
from adambook.numpy_optim.conventions import AdamWPaper
from adambook.objectives import Objective

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SETS, SAMPLES, WEIGHTS = 4, 3, 4
RATES = 10.0 ** (np.arange(-12, -1) / 4)
DECAYS = 10.0 ** (np.arange(-7, 6) / 2)
FORMS: dict[str, tuple[str, type[Adam] | type[AdamW]]] = {
    "L2": ("Adam", Adam),
    "paper": ("AdamW", AdamWPaper),
    "torch": ("AdamW", AdamW),
}
CUT = 10.0


class Regression(Objective):
    """Four small linear regressions at once, each with more weights than samples; one sample a step.

    The features differ in scale, and the true weights matter equally: a feature that is ten times smaller has a weight
    that is ten times larger. Points have shape (..., 4, WEIGHTS), one row a data set.
    """

    dim = WEIGHTS
    name = "regression"

    def __init__(self, steps: int, ratio: float, noise: float, seed: int) -> None:
        z = normals(seed, SETS * (SAMPLES * (WEIGHTS + 1) + 2 * WEIGHTS)).reshape(SETS, -1)
        inputs, label_noise, truth, self.start = np.split(
            z, np.cumsum([SAMPLES * WEIGHTS, SAMPLES, WEIGHTS]), axis=1
        )
        self.scale = ratio ** (-np.arange(WEIGHTS) / (WEIGHTS - 1))
        self.X = inputs.reshape(SETS, SAMPLES, WEIGHTS) * self.scale
        self.truth = truth / self.scale / np.sqrt(WEIGHTS)
        self.y = (self.X @ self.truth[..., None])[..., 0] + noise * label_noise
        draws = uniform(seed + 1000, np.arange((steps + 1) * SETS)).reshape(steps + 1, SETS)
        self.order = np.floor(SAMPLES * draws).astype(int)

    def _value(self, theta: Array, t: int) -> Array:
        """The expected squared error on new data, without their noise; 1 is the error of zero weights."""
        error = (((theta - self.truth) * self.scale) ** 2).sum(axis=-1)
        return np.asarray(error / ((self.truth * self.scale) ** 2).sum(axis=-1))

    def _grad(self, theta: Array, t: int) -> Array:
        sets = np.arange(SETS)
        x, y = self.X[sets, self.order[t]], self.y[sets, self.order[t]]
        return np.asarray(((theta * x).sum(axis=-1) - y)[..., None] * x)


class Still(Objective):
    """A weight that the data never touch."""

    dim = 1
    start = np.ones(1)

    def _value(self, theta: Array, t: int) -> Array:
        return np.asarray(0 * theta[..., 0])

    def _grad(self, theta: Array, t: int) -> Array:
        return np.zeros_like(theta)


class DecayMap(Explorer):
    """Three maps of the test error over (alpha, lambda), and a weight without a gradient under the same decay."""

    module = "decay_map"
    height = 5.2

    steps = Slider(100.0, 10.0, 1000.0, 0.05, "steps", format=",.0f", log=True)
    noise = Slider(0.5, 0.0, 2.0, 0.1, "label noise", format=".1f")
    ratio = Slider(10.0, 1.0, 100.0, 0.05, "scale ratio", format=".0f", log=True)
    lr = Slider(0.01, 1e-3, 0.33, 0.25, "step size α", format=".2g", log=True)
    weight_decay = Slider(0.1, 3e-4, 330.0, 0.5, "decay λ", format=".2g", log=True)
    seed = Hidden(0, 0, 999, whole=True)

    def maps(self) -> dict[str, Array]:
        """The test error after the last step, shape (11 learning rates, 13 decays): the mean
        over the data sets, each cut at CUT."""
        steps = round(self.steps)
        objective = Regression(steps, self.ratio, self.noise, int(self.seed))
        start = np.tile(objective.start, (len(RATES), len(DECAYS), 1, 1))
        out = {}
        for form, (_, cls) in FORMS.items():
            optimizer = cls(lr=RATES[:, None, None, None], weight_decay=DECAYS[:, None, None])
            run = descend(optimizer, objective, start, steps, record="last")
            error = np.where(run.diverged > 0, CUT, np.nan_to_num(run.loss[0], nan=CUT))
            out[form] = np.minimum(error, CUT).mean(axis=-1)
        return out

    def shrunk(self) -> dict[str, Array]:
        """A weight without a data gradient from 1 onwards, for every step."""
        still, steps = Still(), round(self.steps)
        return {
            form: np.asarray(
                descend(cls(lr=self.lr, weight_decay=self.weight_decay), still, steps=steps).theta
            )[:, 0]
            for form, (_, cls) in FORMS.items()
        }

    def summary(self) -> str:
        valleys = [
            f"{form} from {short(best[0], 2)} to {short(best[-1], 2)}"
            for form, best in ((form, valley(error)) for form, error in self.maps().items())
        ]
        ends = [f"{short(path[-1])} ({form})" for form, path in self.shrunk().items()]
        return (
            f"Label noise {fixed(self.noise, 1)}, scale ratio {short(self.ratio)}. "
            f"While α rises from {short(RATES[0], 2)} to {short(RATES[-1], 2)}, the best λ goes: {'; '.join(valleys)}. "
            f"With α = {short(self.lr, 2)} and λ = {short(self.weight_decay, 2)}, {count(round(self.steps), 'step')} "
            f"take a weight without a data gradient from 1 to {', '.join(ends)}."
        )

    def draw(self, figure: Figure) -> None:
        axes = figure.subplot_mosaic([list(FORMS), ["still"] * 3], height_ratios=(3, 2))
        maps, shrunk = self.maps(), self.shrunk()
        low = min(float(error.min()) for error in maps.values())
        for form, error in maps.items():
            ax = axes[form]
            ax.pcolormesh(
                DECAYS, RATES, np.log10(error), vmin=np.log10(low), vmax=0.3, cmap="Greys", shading="nearest"
            )
            ax.plot(valley(error), RATES, "o-", color=color(FORMS[form][0]), markersize=4, linewidth=1)
            ax.plot(
                self.weight_decay, self.lr, "s", markerfacecolor="none", markeredgecolor=INK, markersize=9
            )
            ax.set(xscale="log", yscale="log", title=form, xlabel="decay λ")
            ax.grid(visible=False)
            ax.tick_params(labelleft=form == "L2")
            style = "--" if form == "paper" else "-"
            axes["still"].plot(shrunk[form], style, color=color(FORMS[form][0]))
            axes["still"].text(
                1.01,
                shrunk[form][-1],
                form,
                color=color(FORMS[form][0]),
                transform=axes["still"].get_yaxis_transform(),
                va="center",
            )
        axes["L2"].set_ylabel("step size α")
        axes["still"].axhline(0, color=MUTED, linewidth=0.8)
        axes["still"].set(
            xlabel="step",
            title="a weight without a data gradient",
            xlim=(0, round(self.steps)),
            ylim=(-0.05, 1.05),
        )


def valley(error: Array) -> Array:
    """The best decay of every learning rate of a map."""
    return np.asarray(DECAYS[error.argmin(axis=1)])
