"""Newton-Schulz: the ellipse of a matrix becomes a circle, its singular values go through a polynomial."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adambook._check import Array
from adambook.explorers.base import Choice, Explorer, Hidden, Steps, count, fixed, short
from adambook.figures import INK, MUTED, color
from adambook.numpy_optim.muon import QUINTIC, newton_schulz, orthogonal_factor
from adambook.objectives import turn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The polynomial's coefficients (none for the exact factor) and its name in a sentence, by its name in the menu.
KINDS: dict[str, tuple[tuple[float, float, float] | None, str]] = {
    "Muon's quintic": (QUINTIC, "Muon's quintic"),
    "cubic": ((1.5, -0.5, 0.0), "the cubic"),
    "exact (SVD)": (None, "the exact SVD"),
}
BAND = (0.68, 1.13)  # into which the quintic takes every value in the end
U, V = turn(0.5), turn(1.2)


class NewtonSchulz(Explorer):
    """A 2 x 2 momentum with the singular values sigma1 and sigma2, after a number of steps."""

    module = "newton_schulz"
    height = 3.4

    coefficients = Choice("Muon's quintic", tuple(KINDS), "coefficients")
    steps = Steps(5, 0, 10, "steps")
    sigma1 = Hidden(1.0, 1e-3, 10.0)
    sigma2 = Hidden(0.03, 1e-3, 10.0)

    def momentum(self) -> Array:
        """The matrix before the first step."""
        return np.asarray((U * [self.sigma1, self.sigma2]) @ V.T)

    def iterate(self, steps: int) -> Array:
        """The matrix after ``steps`` steps; after none it is the momentum over its norm."""
        kind = KINDS[self.coefficients][0]
        if steps and kind is None:
            return orthogonal_factor(self.momentum())
        return newton_schulz(self.momentum(), steps, coefficients=kind or QUINTIC)

    def singular_values(self, steps: int) -> Array:
        """What has become of sigma1 and sigma2, in this order."""
        return np.diag(U.T @ self.iterate(steps) @ V)

    def needed(self) -> int:
        """The first step after which both lie above two thirds, from where no polynomial takes them back."""
        steps = 0
        while self.singular_values(steps).min() <= 2 / 3:
            steps += 1
        return steps

    def summary(self) -> str:
        def both(values: Array, say: str) -> str:
            return f"{say}, a ratio of {short(values.max() / values.min())}"

        before, after = np.array([self.sigma1, self.sigma2]), self.singular_values(self.steps)
        return (
            f"After {count(self.steps, 'step')} of {KINDS[self.coefficients][1]} the singular values "
            f"{both(before, f'{short(before[0])} and {short(before[1])}')}, have become "
            f"{both(after, f'{fixed(after[0])} and {fixed(after[1])}')}. "
            f"The smaller one needs {count(self.needed(), 'step')} to pass two thirds."
        )

    def draw(self, figure: Figure) -> None:
        plane, through = figure.subplots(1, 2, width_ratios=(4, 5))
        circle = np.stack([np.cos(a := np.linspace(0, 2 * np.pi, 181)), np.sin(a)])
        sigma = np.geomspace(1e-3, norm := np.hypot(self.sigma1, self.sigma2), 400)
        plane.plot(*circle, "--", color=MUTED, linewidth=1)
        kind = KINDS[self.coefficients][0]
        for k in range(self.steps + 1):
            last = {"color": color("Muon"), "alpha": 0.35, "linewidth": 1.0}
            if k == self.steps:
                last |= {"alpha": 1.0, "linewidth": 2.2}
            plane.plot(*(self.iterate(k) @ circle), **last)
            s = sigma / norm
            for _ in range(k):
                s = kind[0] * s + kind[1] * s**3 + kind[2] * s**5 if kind else np.ones_like(s)
            through.semilogx(sigma, s, **last)
        after = self.singular_values(self.steps)
        for i, name in enumerate(("σ₁", "σ₂")):
            plane.plot(*np.outer(U[:, i], [0, after[i]]), color=color("Muon"), linewidth=1)
            plane.annotate(name, after[i] * U[:, i], (4, 4), textcoords="offset points")
            at = (self.sigma1, self.sigma2)[i]
            through.plot(at, after[i], "o", color=INK, zorder=3)
            through.annotate(name, (at, after[i]), (0, 8), textcoords="offset points", ha="center")
        plane.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), aspect="equal")
        through.axhspan(*BAND, color=color("Muon"), alpha=0.12, linewidth=0)
        through.set(xlim=(1e-3, 15), ylim=(0, 1.35), xlabel="singular value of the momentum")
        through.set_title(f"after {count(self.steps, 'step')}")
