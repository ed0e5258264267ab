"""Estimates of the Hessian's diagonal, for Sophia."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from adambook._check import Array, floats, whole


def hutchinson(
    product: Callable[[Array], npt.ArrayLike],
    theta: npt.ArrayLike,
    rng: np.random.Generator,
    samples: int = 1,
) -> Array:
    r"""Return Hutchinson's estimate of the Hessian's diagonal at ``theta``.

    .. math:: \hat h = z \odot H z, \qquad z_i = \pm 1 \text{ with equal chance}

    averaged over ``samples`` draws. It is unbiased, and exact where H is diagonal; off the diagonal
    :math:`H_{ij} z_i z_j` is noise. ``product(z)`` is the Hessian-vector product :math:`H z`, of z's shape,
    which is that of ``theta``, ``(..., d)``. The paper of Sophia draws z from a normal distribution, whose
    variance is larger. Raises ValueError where the product has another shape.
    Source: Hutchinson (1989); Liu et al. (2023), algorithm 1.
    """
    theta = floats("theta", theta)
    total = np.zeros_like(theta)
    for _ in range(whole("samples", samples, 1)):
        z = rng.choice(np.array([-1, 1], theta.dtype), size=theta.shape)
        hz = np.asarray(product(z))
        if hz.shape != theta.shape:
            raise ValueError(f"product(z) has shape {hz.shape}; allowed: that of theta, {theta.shape}")
        total += z * hz
    return np.asarray(total / samples)


def gauss_newton_bartlett(grad: npt.ArrayLike, batch_size: int) -> Array:
    r"""Return the Gauss-Newton-Bartlett estimate of the Gauss-Newton matrix's diagonal.

    .. math:: \hat h = B \, \hat g \odot \hat g

    ``grad`` is :math:`\hat g`, the gradient of the mean loss over ``batch_size`` examples whose labels are
    drawn from the model's own prediction, not taken from the data; then the estimate is unbiased. It is never
    negative. Raises ValueError or TypeError for a ``batch_size`` that is no positive whole number.
    Source: Liu et al. (2023), algorithm 2.
    """
    return np.asarray(whole("batch_size", batch_size, 1) * floats("grad", grad) ** 2)
