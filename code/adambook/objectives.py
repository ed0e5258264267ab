"""Functions to descend, each with its gradient, its minima and a good viewing window.

Every objective is a function of a point and of time: ``value(theta, t)`` and ``grad(theta, t)`` with
``theta`` of shape ``(..., d)`` and ``t`` counted from 1. Most ignore ``t``; noise and online losses do not,
and are pure functions of it, so that every optimizer meets the same sequence. Points are float arrays, and
their dtype is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from adambook._check import Array, floats, real, whole

Window = tuple[tuple[float, float], tuple[float, float]]


class Objective:
    """A function to descend.

    ``minima`` has shape ``(k, d)`` (``k`` may be 0), ``start`` shape ``(d,)``; ``window`` is a good view in
    two dimensions, ``((left, right), (bottom, top))``; ``bounds`` is an interval that `descend` projects
    onto, or None.
    """

    name: str = ""
    dim: int = 2
    minima: Array = np.empty((0, 2))
    start: Array = np.zeros(2)
    window: Window = ((-2, 2), (-2, 2))
    bounds: tuple[float, float] | None = None

    def value(self, theta: npt.ArrayLike, t: int = 1) -> Array:
        """Return f_t(theta), shape ``(...)`` for ``theta`` of shape ``(..., d)``."""
        return self._value(self._point(theta), t)

    def grad(self, theta: npt.ArrayLike, t: int = 1) -> Array:
        """Return the gradient of f_t at ``theta``, of the same shape ``(..., d)``."""
        return self._grad(self._point(theta), t)

    def hessian_diagonal(self, theta: npt.ArrayLike, t: int = 1) -> Array:
        """Return the second derivatives along the axes at ``theta``, of the same shape ``(..., d)``."""
        return self._hessian_diagonal(self._point(theta), t)

    def __call__(self, theta: npt.ArrayLike, t: int = 1) -> Array:
        """Return `value`."""
        return self.value(theta, t)

    def _point(self, theta: npt.ArrayLike) -> Array:
        point = floats("theta", theta)
        if point.ndim == 0 or point.shape[-1] != self.dim:
            raise ValueError(
                f"theta has shape {point.shape}; "
                f"{self.name or type(self).__name__} takes points of shape (..., {self.dim})"
            )
        return point

    def _value(self, theta: Array, t: int) -> Array:
        raise NotImplementedError

    def _grad(self, theta: Array, t: int) -> Array:
        raise NotImplementedError

    def _hessian_diagonal(self, theta: Array, t: int) -> Array:
        raise NotImplementedError(f"{self.name or type(self).__name__} does not know its second derivatives")


def _like(theta: Array, *parts: npt.ArrayLike) -> Array:
    """Return the parts as one array, or tensor, that lies in memory as ``theta`` does."""
    both = abs(theta)  # a new one of the same kind; its values are not used
    for i, part in enumerate(parts):
        both[..., i] = part
    return both


class Quadratic(Objective):
    r"""A quadratic bowl, :math:`f(\theta) = \frac{1}{2} \theta^T A \theta` with the given eigenvalues.

    In two dimensions ``angle`` (radians) turns the axes; in any dimension ``rotation`` is an orthogonal
    matrix whose columns are the eigenvectors. Raises ValueError for eigenvalues that are not positive, or
    both turns at once.
    """

    def __init__(
        self,
        eigenvalues: Sequence[float] = (1.0, 100.0),
        angle: float = 0.0,
        rotation: npt.ArrayLike | None = None,
    ) -> None:
        self.eigenvalues = floats("eigenvalues", eigenvalues)
        if (
            self.eigenvalues.ndim != 1
            or not np.all(self.eigenvalues > 0)
            or not np.all(np.isfinite(self.eigenvalues))
        ):
            raise ValueError(f"eigenvalues = {eigenvalues!r}; allowed: a list of positive numbers")
        self.dim = len(self.eigenvalues)
        self.angle = real("angle", angle)
        if self.angle and (rotation is not None or self.dim != 2):
            raise ValueError(
                f"angle = {angle} turns two dimensions only, without rotation; give rotation instead"
            )
        if rotation is None:
            rotation = turn(self.angle) if self.dim == 2 else np.eye(self.dim)
        self.rotation = floats("rotation", rotation)
        identity = np.eye(self.dim)
        if self.rotation.shape != identity.shape or not np.allclose(
            self.rotation.T @ self.rotation, identity
        ):
            raise ValueError(f"rotation must be an orthogonal {self.dim} x {self.dim} matrix")
        self.matrix = (self.rotation * self.eigenvalues) @ self.rotation.T
        self.name = f"quadratic, condition number {self.condition:g}"
        self.minima = np.zeros((1, self.dim))
        self.window = ((-2.5, 2.5), (-2.5, 2.5))
        self.start = self.rotation @ np.array([2.0, 1.0] if self.dim == 2 else np.ones(self.dim))

    @property
    def condition(self) -> float:
        """The ratio of the largest eigenvalue to the smallest."""
        return float(self.eigenvalues.max() / self.eigenvalues.min())

    def _value(self, theta: Array, t: int) -> Array:
        return np.asarray(0.5 * (theta * self._grad(theta, t)).sum(-1))

    def _grad(self, theta: Array, t: int) -> Array:
        return np.asarray(theta @ self.matrix.astype(theta.dtype, copy=False))

    def _hessian_diagonal(self, theta: Array, t: int) -> Array:
        return _like(theta, *self.matrix.diagonal())


def turn(angle: float) -> Array:
    """Return the 2 x 2 matrix that turns the plane by ``angle`` radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


class Rosenbrock(Objective):
    r"""Rosenbrock's valley, :math:`(1 - x)^2 + b (y - x^2)^2`. Source: Rosenbrock (1960)."""

    name = "Rosenbrock"
    minima = np.array([[1.0, 1.0]])
    start = np.array([-1.5, 2.0])
    window = ((-2, 2), (-1, 3))

    def __init__(self, b: float = 100.0) -> None:
        self.b = real("b", b, 0)

    def _value(self, theta: Array, t: int) -> Array:
        x, y = theta[..., 0], theta[..., 1]
        return np.asarray((1 - x) ** 2 + self.b * (y - x * x) ** 2)

    def _grad(self, theta: Array, t: int) -> Array:
        x, y = theta[..., 0], theta[..., 1]
        bend = 2 * self.b * (y - x * x)
        return _like(theta, -2 * (1 - x) - 2 * x * bend, bend)

    def _hessian_diagonal(self, theta: Array, t: int) -> Array:
        x, y = theta[..., 0], theta[..., 1]
        return _like(theta, 2 + 4 * self.b * (3 * x * x - y), 2 * self.b)


class Beale(Objective):
    r"""Beale's function, :math:`\sum_{i=1}^3 (c_i - x + x y^i)^2` with c = (1.5, 2.25, 2.625)."""

    name = "Beale"
    minima = np.array([[3.0, 0.5]])
    start = np.array([1.0, 1.5])
    window = ((-1, 4), (-2, 2))

    def _value(self, theta: Array, t: int) -> Array:
        x, y = theta[..., 0], theta[..., 1]
        return np.asarray(sum((c - x + x * y**i) ** 2 for i, c in enumerate((1.5, 2.25, 2.625), 1)))

    def _grad(self, theta: Array, t: int) -> Array:
        x, y = theta[..., 0], theta[..., 1]
        residuals = [(i, c - x + x * y**i) for i, c in enumerate((1.5, 2.25, 2.625), 1)]
        return _like(
            theta,
            sum(2 * r * (y**i - 1) for i, r in residuals),
            sum(2 * r * i * x * y ** (i - 1) for i, r in residuals),
        )

    def _hessian_diagonal(self, theta: Array, t: int) -> Array:
        x, y = theta[..., 0], theta[..., 1]
        residuals = [(i, c - x + x * y**i) for i, c in enumerate((1.5, 2.25, 2.625), 1)]
        return _like(
            theta,
            sum(2 * (y**i - 1) ** 2 for i, _ in residuals),
            sum(
                2 * (i * x * y ** (i - 1)) ** 2 + 2 * r * i * (i - 1) * x * y ** max(i - 2, 0)
                for i, r in residuals
            ),
        )


class Himmelblau(Objective):
    r"""Himmelblau's function, :math:`(x^2 + y - 11)^2 + (x + y^2 - 7)^2`: four minima of equal depth."""

    name = "Himmelblau"
    minima = np.array(
        [
            [3.0, 2.0],
            [-2.805118086952745, 3.131312518250573],
            [-3.779310253377747, -3.283185991286170],
            [3.584428340330492, -1.848126526964404],
        ]
    )
    start = np.array([-0.5, -1.0])
    window = ((-5, 5), (-5, 5))

    def _value(self, theta: Array, t: int) -> Array:
        x, y = theta[..., 0], theta[..., 1]
        return np.asarray((x * x + y - 11) ** 2 + (x + y * y - 7) ** 2)

    def _grad(self, theta: Array, t: int) -> Array:
        x, y = theta[..., 0], theta[..., 1]
        p, q = x * x + y - 11, x + y * y - 7
        return _like(theta, 4 * x * p + 2 * q, 2 * p + 4 * y * q)

    def _hessian_diagonal(self, theta: Array, t: int) -> Array:
        x, y = theta[..., 0], theta[..., 1]
        return _like(theta, 12 * x * x + 4 * y - 42, 12 * y * y + 4 * x - 26)


class Rastrigin(Objective):
    r"""Rastrigin's function, :math:`A d + \sum_i (x_i^2 - A \cos 2 \pi x_i)`: a bowl full of dents."""

    name = "Rastrigin"
    window = ((-5.12, 5.12), (-5.12, 5.12))

    def __init__(self, dim: int = 2, A: float = 10.0) -> None:
        self.dim = whole("dim", dim, 1)
        self.A = real("A", A, 0)
        self.minima = np.zeros((1, dim))
        self.start = np.resize([3.3, -2.6], dim)

    def _value(self, theta: Array, t: int) -> Array:
        return np.asarray(self.A * self.dim + (theta**2 - self.A * np.cos(2 * np.pi * theta)).sum(-1))

    def _grad(self, theta: Array, t: int) -> Array:
        return np.asarray(2 * theta + 2 * np.pi * self.A * np.sin(2 * np.pi * theta))

    def _hessian_diagonal(self, theta: Array, t: int) -> Array:
        return np.asarray(2 + (2 * np.pi) ** 2 * self.A * np.cos(2 * np.pi * theta))


class Saddle(Objective):
    r"""A saddle between two minima, :math:`\frac{1}{2} x^2 - \frac{1}{2} y^2 + \frac{1}{4} y^4`.

    The saddle is the origin, the minima are (0, 1) and (0, -1). The start lies almost on the ridge.
    """

    name = "saddle"
    minima = np.array([[0.0, 1.0], [0.0, -1.0]])
    start = np.array([1.5, 0.001])
    window = ((-2, 2), (-1.6, 1.6))

    def _value(self, theta: Array, t: int) -> Array:
        x, y = theta[..., 0], theta[..., 1]
        return np.asarray(0.5 * x * x - 0.5 * y * y + 0.25 * y**4)

    def _grad(self, theta: Array, t: int) -> Array:
        x, y = theta[..., 0], theta[..., 1]
        return _like(theta, x, y**3 - y)

    def _hessian_diagonal(self, theta: Array, t: int) -> Array:
        return _like(theta, 1, 3 * theta[..., 1] ** 2 - 1)


class Noisy(Objective):
    r"""An objective whose gradient carries normal noise, :math:`g_t = \nabla f(\theta) + \sigma z_t`.

    ``z_t`` depends on ``seed`` and ``t`` alone (independent for each entry of ``theta``); the value stays
    clean.
    """

    def __init__(self, objective: Objective, sigma: float = 1.0, seed: int = 0) -> None:
        self.objective, self.sigma, self.seed = objective, real("sigma", sigma, 0), whole("seed", seed)
        self.name = f"{objective.name} with noise"
        self.dim, self.bounds = objective.dim, objective.bounds
        self.minima, self.start, self.window = objective.minima, objective.start, objective.window

    def _value(self, theta: Array, t: int) -> Array:
        return self.objective.value(theta, t)

    def _grad(self, theta: Array, t: int) -> Array:
        noise = np.random.default_rng((self.seed, t)).standard_normal(theta.shape)
        return np.asarray(self.objective.grad(theta, t) + (self.sigma * noise).astype(theta.dtype))


class _Online(Objective):
    """Linear losses f_t(x) = c_t x on [-1, 1]; the best fixed point is an end of the interval."""

    dim = 1
    start = np.zeros(1)
    window = ((-1, 1), (-1, 1))
    bounds = (-1.0, 1.0)
    minima = np.array([[-1.0]])

    def slope(self, t: int) -> float:
        """Return c_t."""
        raise NotImplementedError

    def _value(self, theta: Array, t: int) -> Array:
        return np.asarray(self.slope(t) * theta[..., 0])

    def _grad(self, theta: Array, t: int) -> Array:
        return np.full_like(theta, self.slope(t))

    def average_regret(self, theta: Array) -> Array:
        """Return the average regret (1/t) sum (f_s(x_s) - f_s(x*)) for t = 1 ... T.

        ``theta`` has shape ``(T + 1, ..., 1)`` as in a Trajectory, x_s is ``theta[s - 1]`` and x* the best
        fixed point, ``minima[0]``. The result has shape ``(T, ...)``.
        """
        steps = len(theta) - 1
        slopes = np.array([self.slope(t) for t in range(1, steps + 1)])
        gaps = theta[:-1, ..., 0] - self.minima[0, 0]
        shape = (steps,) + (1,) * (gaps.ndim - 1)
        return np.asarray(
            np.cumsum(slopes.reshape(shape) * gaps, axis=0) / np.arange(1, steps + 1).reshape(shape)
        )


class ReddiOnline(_Online):
    r"""The periodic counterexample: :math:`f_t(x) = h x` if :math:`t \bmod p = 1`, else :math:`f_t(x) = l x`.

    With h = 3, l = -1, p = 3 one loss in three is steep the right way, two are shallow the wrong way; the
    best point is -1. Source: Reddi, Kale and Kumar (2018), theorem 1 (h = C, l = -1, p = 3) and section 3's
    1010, -10, 101.
    """

    def __init__(self, high: float = 3.0, low: float = -1.0, period: int = 3) -> None:
        self.high, self.low, self.period = real("high", high), real("low", low), whole("period", period, 2)
        _positive_mean(high, (self.high + (self.period - 1) * self.low) / self.period)
        self.name = "Reddi's periodic losses"

    def slope(self, t: int) -> float:
        """Return c_t."""
        return self.high if t % self.period == 1 else self.low


class ReddiStochastic(_Online):
    r"""The stochastic counterexample: slope ``high`` with probability ``p``, else ``low``.

    Source: Reddi, Kale and Kumar (2018), theorem 3 and section 3 (1010 with probability 0.01, else -10).
    """

    def __init__(self, high: float = 1010.0, low: float = -10.0, p: float = 0.01, seed: int = 0) -> None:
        self.high, self.low = real("high", high), real("low", low)
        self.p, self.seed = real("p", p, 0, 1), whole("seed", seed)
        _positive_mean(high, p * high + (1 - p) * low)
        self.name = "Reddi's stochastic losses"

    def slope(self, t: int) -> float:
        """Return c_t, drawn from ``seed`` and ``t``."""
        block, i = divmod(t, _BLOCK)
        return self.high if _uniforms(self.seed, block)[i] < self.p else self.low


def _positive_mean(high: float, mean: float) -> None:
    if mean <= 0:
        raise ValueError(
            f"high = {high} gives a mean slope of {mean:g}; allowed: a mean above 0, a larger high"
        )


_BLOCK = 4096


@lru_cache(maxsize=8)
def _uniforms(seed: int, block: int) -> Array:
    """Return a block of uniform numbers that depends on ``seed`` and ``block`` alone."""
    return np.random.default_rng((seed, block)).random(_BLOCK)
