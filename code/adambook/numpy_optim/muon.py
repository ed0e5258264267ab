"""Muon: momentum of a matrix, made orthogonal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from adambook._check import Array, Hyper, floats
from adambook.numpy_optim.base import Optimizer, Step
from adambook.numpy_optim.sgd import MomentumState

QUINTIC = (3.4445, -4.7750, 2.0315)


def newton_schulz(
    matrix: npt.ArrayLike,
    steps: int = 5,
    eps: Hyper = 1e-7,
    coefficients: tuple[float, float, float] = QUINTIC,
) -> Array:
    r"""Return ``matrix`` with its singular values brought near one.

    .. math:: X_0 = \frac{G}{\max(\lVert G \rVert_F, \epsilon)}, \qquad
              X_k = a X_{k-1} + (b A + c A^2) X_{k-1}, \qquad A = X_{k-1} X_{k-1}^\top

    with (a, b, c) the ``coefficients``. Those of `QUINTIC` are chosen for a steep start and never settle: after five
    steps the values lie between about 0.7 and 1.2, those far below the largest have grown 485 times. The last two
    axes of ``matrix`` are the matrix, ``(..., A, B)``; the dtype is kept. Raises ValueError for fewer axes.
    Source: Jordan et al. (2024).
    """
    x = _matrix("matrix", matrix)
    a, b, c = coefficients
    tall = x.shape[-2] > x.shape[-1]
    x = np.swapaxes(x, -2, -1) if tall else x  # the smaller of X X^T and X^T X
    x = x / np.maximum(np.linalg.norm(x, axis=(-2, -1), keepdims=True), eps)
    for _ in range(steps):
        gram = x @ np.swapaxes(x, -2, -1)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return np.swapaxes(x, -2, -1) if tall else x


def orthogonal_factor(matrix: npt.ArrayLike) -> Array:
    r"""Return :math:`U V^\top` of the singular value decomposition :math:`U S V^\top`, what `newton_schulz`
    comes near.

    Singular values below the rounding of the largest count as zero and stay zero. Shapes, dtypes and errors
    as in `newton_schulz`.
    """
    x = _matrix("matrix", matrix)
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    kept = s > s.max(axis=-1, keepdims=True) * max(x.shape[-2:]) * np.finfo(x.dtype).eps
    return np.asarray((u * kept[..., None, :]) @ vh)


def _matrix(name: str, value: npt.ArrayLike) -> Array:
    array = floats(name, value)
    if array.ndim < 2:
        raise ValueError(
            f"{name} has shape {array.shape}; allowed: at least two axes, the last two a matrix; "
            "use another optimizer, such as AdamW, for vectors"
        )
    return array


@dataclass(frozen=True)
class Muon(Optimizer):
    r"""Muon: Nesterov's momentum with all singular values brought near one.

    .. math:: b_t = \mu b_{t-1} + (1 - \mu) g_t, \qquad
              u_t = \operatorname{NS}((1 - \mu) g_t + \mu b_t), \qquad
              \theta_t = \theta_{t-1} - \alpha ( \sqrt{\max(1, A / B)} \, u_t + \lambda \theta_{t-1} )

    where NS is `newton_schulz` with ``ns_steps``. The last two axes of ``theta`` are the matrix,
    ``(..., A, B)``, those before them a batch; ``init`` raises ValueError for vectors, which belong to another
    optimizer. The sum of gradients would do as well as the average b: NS does not see the scale.
    torch iterates in bfloat16, here it is theta's dtype. Jordan's defaults are ``lr=0.02``,
    ``weight_decay=0``; Moonshot's factor is :math:`0.2 \sqrt{\max(A, B)}`.
    Dtypes as in `Optimizer`. Source: Jordan et al. (2024); Liu et al. (2025); torch.optim.Muon.
    """

    lr: Hyper = 1e-3
    weight_decay: Hyper = 0.1
    momentum: Hyper = 0.95
    eps: Hyper = 1e-7
    ns_steps: int = 5
    State: ClassVar = MomentumState
    elementwise: ClassVar[bool] = False

    def init(self, theta: npt.ArrayLike) -> MomentumState:
        """Return the state at t = 0: the average is zero."""
        return MomentumState(*super().init(_matrix("theta", theta)))

    def update(self, grad: Array, state: MomentumState, theta: Array) -> Step:
        g = grad
        t = state.t + 1
        b = self.momentum * state.b + (1 - self.momentum) * g
        u = newton_schulz((1 - self.momentum) * g + self.momentum * b, self.ns_steps, self.eps)
        scale = max(1, theta.shape[-2] / theta.shape[-1]) ** 0.5
        delta = -self.lr * (scale * u + self.weight_decay * theta)
        return Step(delta, self.State(t, b))
