"""Adafactor: v of a matrix from its rows' and its columns' means, and no momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from adambook._check import Array, Hyper
from adambook.numpy_optim.base import Optimizer, Step


class AdafactorState(NamedTuple):
    """The number of steps taken, and the averages r of the rows' and c of the columns' mean squares."""

    t: int
    r: Array
    c: Array


def row_means(x: Array) -> Array:
    """Return the mean of each row of the last two axes, ``(..., A, 1)``; of a vector, one."""
    return x.mean(axis=-1, keepdims=True) if x.ndim > 1 else np.ones_like(x[:1])


def column_means(x: Array) -> Array:
    """Return the mean of each column of the last two axes, ``(..., 1, B)``; of a vector, itself."""
    return x.mean(axis=-2, keepdims=True) if x.ndim > 1 else x


def rms(x: Array) -> Array:
    """Return the root mean square over the last two axes of ``x``, kept with length 1."""
    return np.asarray(np.sqrt(np.mean(x**2, axis=tuple(range(-min(x.ndim, 2), 0)), keepdims=True)))


@dataclass(frozen=True)
class Adafactor(Optimizer):
    r"""Adafactor: RMSProp with an average v that is a column times a row, and steps in units of theta.

    .. math:: r_t = \beta_{2,t} r_{t-1} + (1 - \beta_{2,t}) \operatorname{mean}_{rows}(g_t^2), \qquad
              c_t = \beta_{2,t} c_{t-1} + (1 - \beta_{2,t}) \operatorname{mean}_{columns}(g_t^2), \qquad
              \beta_{2,t} = 1 - t^{-0.8}

    .. math:: v_t = \frac{r_t c_t}{\max(\operatorname{mean}(r_t), \epsilon_1)}, \qquad
              u_t = \frac{g_t}{\sqrt{\max(v_t, \epsilon_1^2)}}, \qquad
              \hat u_t = \frac{u_t}{\max(1, \operatorname{rms}(u_t) / d)}

    .. math:: \theta_t = \theta_{t-1} - \max(\epsilon_2, \operatorname{rms}(\theta_{t-1}))
              \min(\alpha, t^{-1/2}) \hat u_t - \alpha \lambda \theta_{t-1}

    The exponent is ``beta2_decay``; ``eps`` is :math:`(\epsilon_1, \epsilon_2)`, where None is the rounding of
    theta's dtype. The last two axes of ``theta`` are the matrix, those before them a batch, so the state
    of a matrix of shape (A, B) is A + B numbers; theta of shape ``(d,)`` is a vector, whose v is kept whole.
    A batch of vectors is ``(..., 1, d)``. torch takes one rms over all axes of a tensor with more than two.
    The paper, and Hugging Face's class, add :math:`\epsilon_1 = 10^{-30}` to the squares instead.
    Dtypes as in `Optimizer`. Source: Shazeer and Stern (2018), algorithms 4 to 6; torch.optim.Adafactor.
    """

    lr: Hyper = 1e-2
    beta2_decay: Hyper = -0.8
    eps: tuple[Hyper | None, Hyper] = (None, 1e-3)
    d: Hyper = 1.0
    weight_decay: Hyper = 0.0
    State: ClassVar = AdafactorState
    elementwise: ClassVar[bool] = False

    def init(self, theta: npt.ArrayLike) -> AdafactorState:
        """Return the state at t = 0: zero for every row and every column; ones for the row of a vector."""
        t, zero, _ = super().init(theta)
        return AdafactorState(t, row_means(zero), column_means(zero))

    def update(self, grad: Array, state: AdafactorState, theta: Array) -> Step:
        eps1 = np.finfo(theta.dtype).eps if self.eps[0] is None else self.eps[0]
        t = state.t + 1
        beta2 = 1 - t**self.beta2_decay
        r = beta2 * state.r + (1 - beta2) * row_means(grad**2)
        c = beta2 * state.c + (1 - beta2) * column_means(grad**2)
        v = r * c / np.maximum(column_means(r), eps1)
        u = grad / np.sqrt(np.maximum(v, eps1**2))
        lr_t = np.maximum(self.eps[1], rms(theta)) * np.minimum(self.lr, t**-0.5, dtype=theta.dtype)
        delta = -lr_t * u / np.maximum(1, rms(u) / self.d) - self.lr * self.weight_decay * theta
        return Step(delta, self.State(t, r, c))
