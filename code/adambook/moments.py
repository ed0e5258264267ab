r"""Moments, cumulants, the moment generating function, and the theory of the EWMA. Pure functions.

A sample is an array whose first axis runs over observations; results keep the other axes.
"""

from __future__ import annotations

from math import comb

import numpy as np
import numpy.typing as npt

from adambook._check import Array, Hyper, floats, hyper, whole


def mgf(sample: npt.ArrayLike, s: npt.ArrayLike) -> Array:
    r"""Return the empirical moment generating function :math:`M(s) = \frac{1}{n} \sum_i e^{s g_i}` of a 1-D
    sample.

    ``s`` may have any shape, which is the result's.
    """
    return np.exp(cgf(sample, s))


def cgf(sample: npt.ArrayLike, s: npt.ArrayLike) -> Array:
    """Return the cumulant generating function log M(s), computed without overflow. Shapes as in `mgf`."""
    g = _sample(sample)
    if g.ndim != 1:
        raise ValueError(f"sample has shape {g.shape}; allowed: one dimension")
    exponent = np.multiply.outer(np.asarray(s, dtype=float), g)
    top = exponent.max(axis=-1)
    return np.asarray(top + np.log(np.exp(exponent - top[..., None]).mean(axis=-1)))


def normal_mgf(s: npt.ArrayLike, mu: float = 0.0, sigma: float = 1.0) -> Array:
    r"""Return the normal's moment generating function, :math:`e^{\mu s + \sigma^2 s^2 / 2}`."""
    s = np.asarray(s, dtype=float)
    return np.exp(mu * s + hyper("sigma", sigma, 0) ** 2 * s**2 / 2)


def raw_moments(sample: npt.ArrayLike, order: int = 4) -> Array:
    r"""Return the raw moments :math:`E[g^n]` for n = 1 ... ``order``, stacked on the first axis."""
    g = _sample(sample)
    return np.stack([(g**n).mean(axis=0) for n in range(1, whole("order", order, 1) + 1)])


def central_moments(sample: npt.ArrayLike, order: int = 4) -> Array:
    r"""Return the central moments :math:`E[(g - E g)^n]` for n = 1 ... ``order``, stacked on the first
    axis."""
    g = _sample(sample)
    return raw_moments(g - g.mean(axis=0), order)


def cumulants(sample: npt.ArrayLike, order: int = 4) -> Array:
    r"""Return the cumulants :math:`\kappa_1 \ldots \kappa_{order}` of the sample's own distribution.

    From the central moments by :math:`\kappa_n = \mu_n - \sum_{k=1}^{n-1} \binom{n-1}{k-1} \kappa_k
    \mu_{n-k}` (:math:`\kappa_1` is the mean): centring first loses no digits to cancellation.
    """
    g = _sample(sample)
    mu = central_moments(g, order)
    kappa = np.zeros_like(mu)
    for n in range(2, order + 1):
        kappa[n - 1] = mu[n - 1] - sum(
            comb(n - 1, k - 1) * kappa[k - 1] * mu[n - k - 1] for k in range(2, n - 1)
        )
    kappa[0] = g.mean(axis=0)
    return kappa


def excess_kurtosis(sample: npt.ArrayLike) -> Array:
    r"""Return :math:`\kappa_4 / \kappa_2^2`: 0 for a normal, positive for heavy tails."""
    kappa = cumulants(sample, 4)
    return np.asarray(kappa[3] / kappa[1] ** 2)


def ewma(sample: npt.ArrayLike, beta: Hyper, corrected: bool = False) -> Array:
    r"""Return :math:`m_t = \beta m_{t-1} + (1 - \beta) g_t` along the first axis, from :math:`m_0 = 0`.

    With ``corrected`` each :math:`m_t` is divided by :math:`1 - \beta^t`. The result has the shape of
    ``sample``.
    """
    g = _sample(sample)
    beta = _beta(beta)
    m = np.empty_like(g)
    memory = np.zeros_like(g[0])
    for i, value in enumerate(g):
        memory = beta * memory + (1 - beta) * value
        m[i] = memory / (1 - beta ** (i + 1)) if corrected else memory
    return m


def ewma_weights(beta: Hyper, t: int) -> Array:
    r"""Return the weights :math:`(1 - \beta) \beta^{t - i}` that :math:`m_t` gives to :math:`g_1 \ldots g_t`.

    They sum to `ewma_total`, :math:`1 - \beta^t`, not to 1: that is the bias.
    """
    beta = _beta(beta)
    age = np.arange(whole("t", t, 1) - 1, -1, -1)
    return np.asarray((1 - beta) * beta**age)


def ewma_total(beta: Hyper, t: npt.ArrayLike) -> Array:
    r"""Return :math:`1 - \beta^t`, the sum of the weights; the bias correction divides by it."""
    return np.asarray(1 - _beta(beta) ** np.asarray(t))


def ewma_cumulant_factor(n: int, beta: Hyper, t: npt.ArrayLike = np.inf) -> Array:
    r"""Return :math:`\kappa_n(m_t) / \kappa_n(g) = (1 - \beta)^n \frac{1 - \beta^{nt}}{1 - \beta^n}`.

    For gradients that are independent and identically distributed. n = 1 is the bias :math:`1 - \beta^t`; n
    = 2 is the noise that is left, :math:`(1 - \beta)/(1 + \beta)` for large t. Derived in the chapter on
    moments.
    """
    beta, n = _beta(beta), whole("n", n, 1)
    return np.asarray((1 - beta) ** n * (1 - beta ** (n * np.asarray(t))) / (1 - beta**n))


def effective_window(beta: Hyper) -> Array:
    r"""Return :math:`1 / (1 - \beta)`, the number of steps over which the weights fall to about 1/e."""
    return np.asarray(1 / (1 - _beta(beta)))


def _beta(beta: Hyper) -> Hyper:
    return hyper("beta", beta, 0, 1, open_high=True)


def _sample(sample: npt.ArrayLike) -> Array:
    g = floats("sample", sample)
    if g.ndim == 0 or len(g) == 0:
        raise ValueError(f"sample has shape {g.shape}; allowed: at least one observation on the first axis")
    return g
