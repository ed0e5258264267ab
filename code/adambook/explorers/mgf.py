"""The moment generating function of a random gradient: its slope and curvature at 0 are the moments."""

from __future__ import annotations

from math import cosh, exp, inf, isfinite, pi, sinh, sqrt
from typing import TYPE_CHECKING

import numpy as np

from adambook.explorers.base import Choice, Explorer, Slider, fixed
from adambook.figures import INK, MUTED, color

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PHRASES = {
    "normal": "a normal g",
    "uniform": "a uniform g",
    "two points": "a g on two points",
    "Laplace": "a Laplace g",
    "exponential": "an exponential g",
}


def mgf(distribution: str, s: float, mu: float, sigma: float) -> float:
    """E[exp(s g)] for a gradient of mean mu and standard deviation sigma; infinite outside ``bounds``."""
    low, high = bounds(distribution, sigma)
    if not low < s < high:
        return inf
    if distribution == "normal":
        return exp(mu * s + (sigma * s) ** 2 / 2)
    if distribution == "uniform":
        a = sqrt(3) * sigma * s
        return exp(mu * s) * (sinh(a) / a if a else 1.0)
    if distribution == "two points":
        return exp(mu * s) * cosh(sigma * s)
    if distribution == "Laplace":
        return exp(mu * s) / (1 - (sigma * s) ** 2 / 2)
    return exp((mu - sigma) * s) / (1 - sigma * s)


def bounds(distribution: str, sigma: float) -> tuple[float, float]:
    """The interval of s in which M is finite."""
    if distribution == "Laplace":
        return -sqrt(2) / sigma, sqrt(2) / sigma
    return -inf, 1 / sigma if distribution == "exponential" else inf


def density(distribution: str, g: float, mu: float, sigma: float) -> float:
    """The density at g; of "two points", which has none, the probability at mu - sigma and mu + sigma."""
    z = (g - mu) / sigma
    if distribution == "normal":
        return exp(-z * z / 2) / (sigma * sqrt(2 * pi))
    if distribution == "uniform":
        return 1 / (2 * sqrt(3) * sigma) if abs(z) <= sqrt(3) else 0.0
    if distribution == "two points":
        return 0.5 if abs(z) == 1 else 0.0
    if distribution == "Laplace":
        return exp(-sqrt(2) * abs(z)) / (sqrt(2) * sigma)
    return exp(-z - 1) / sigma if z >= -1 else 0.0


class MGFExplorer(Explorer):
    """The density of g beside M(s) = E[exp(s g)], with its tangent and parabola at 0."""

    module = "mgf"

    distribution = Choice("normal", tuple(PHRASES), "distribution")
    mu = Slider(0.5, -1.5, 1.5, 0.05, "mean μ")
    sigma = Slider(0.8, 0.05, 1.5, 0.05, "st. dev. σ")

    def summary(self) -> str:
        mu, sigma = self.mu, self.sigma
        low, high = bounds(self.distribution, sigma)
        if high == inf:
            domain = "M(s) is finite for every s."
        elif low == -inf:
            domain = f"M(s) is finite only for s below {fixed(high)}."
        else:
            domain = f"M(s) is finite only for s between {fixed(low)} and {fixed(high)}."
        return (
            f"For {PHRASES[self.distribution]} with μ = {fixed(mu)} and σ = {fixed(sigma)} "
            f"the slope of M at 0 is {fixed(mu)}, the mean of g; "
            f"the curvature is {fixed(mu * mu + sigma * sigma)}, the mean square: "
            f"{fixed(mu * mu)} from the mean and {fixed(sigma * sigma)} from the variance. {domain}"
        )

    def draw(self, figure: Figure) -> None:
        mu, sigma, name = self.mu, self.sigma, self.distribution
        left, right = figure.subplots(1, 2, width_ratios=(2, 3))
        g = np.linspace(-4, 4, 801)
        if name == "two points":
            left.stem([mu - sigma, mu + sigma], [0.5, 0.5], linefmt="k-", markerfmt="ko", basefmt=" ")
            left.set(ylabel="probability of g", ylim=(0, 0.8))
        else:
            p = np.array([density(name, float(x), mu, sigma) for x in g])
            left.plot(g, p, color=INK)
            left.fill_between(g, p, color=INK, alpha=0.12, linewidth=0)
            left.set(ylabel="density of g", ylim=(0, max(0.8, 1.12 * p.max())))
        left.axvline(mu, color=color("Momentum"), linestyle="--")
        left.set(xlabel="gradient g", xlim=(-4, 4))
        low, high = bounds(name, sigma)
        s = np.linspace(-2, 2, 401)
        right.plot(
            s, 1 + mu * s + (mu * mu + sigma * sigma) * s * s / 2, color=color("RMSprop"), linestyle="--"
        )
        right.plot(s, 1 + mu * s, color=color("Momentum"))
        right.plot(s, [min(mgf(name, float(x), mu, sigma), 1e3) for x in s], color=INK, linewidth=2.5)
        right.plot(0, 1, "o", color=INK)
        for edge in filter(isfinite, (low, high)):
            right.axvline(edge, color=MUTED, linestyle="--")
        right.set(xlabel="s", ylabel="M(s)", xlim=(-2, 2), ylim=(-1, 6))
        notes = {
            "M(s)": INK,
            f"tangent: slope {fixed(mu)}": color("Momentum"),
            f"parabola: curvature {fixed(mu * mu + sigma * sigma)}": color("RMSprop"),
        }
        for line, (text, ink) in enumerate(notes.items()):
            right.text(0.03, 0.93 - 0.09 * line, text, color=ink, va="top", transform=right.transAxes)
