"""LAMB: the length of the parameters sets the length of the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adambook._check import Array, Hyper
from adambook.numpy_optim.adam import AdamState
from adambook.numpy_optim.base import Betas, Optimizer, Step


def trust_ratio(theta: Array, u: Array) -> Array:
    """Return the length of each row of ``theta`` over that of ``u``, 1 where either is zero: ``(..., 1)``."""
    p, q = (np.linalg.norm(x, axis=-1, keepdims=True) for x in (theta, u))
    return np.where((p > 0) & (q > 0), p / np.where(q > 0, q, 1), 1)


@dataclass(frozen=True)
class LAMB(Betas, Optimizer):
    r"""LAMB: AdamW whose step is as long as the parameters, times the step size.

    .. math:: u_t = \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon} + \lambda \theta_{t-1}, \qquad
              \theta_t = \theta_{t-1} - \alpha \frac{\operatorname{rms}(\theta_{t-1})}{\operatorname{rms}(u_t)} u_t

    with :math:`\hat m_t` and :math:`\hat v_t` as in `AdamW`. The ratio of the root mean squares is that of the
    lengths; it is 1 where either is zero. Every row of theta's last axis has a ratio of its own: ``theta`` of
    shape ``(..., d)`` is a batch of vectors, so a layer's matrix is passed flat. optax takes one
    ratio a tensor. The paper allows a function of theta's length, which is the identity here and in optax. Some
    implementations correct no bias.
    Dtypes as in `Optimizer`. Source: You et al. (2019), algorithm 2.
    """

    lr: Hyper = 1e-3
    betas: tuple[Hyper, Hyper] = (0.9, 0.999)
    eps: Hyper = 1e-6
    weight_decay: Hyper = 0.0
    State: ClassVar = AdamState
    elementwise: ClassVar[bool] = False

    def update(self, grad: Array, state: AdamState, theta: Array) -> Step:
        g = grad
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        m_hat = m / (1 - self.beta1**t)
        v_hat = v / (1 - self.beta2**t)
        u = m_hat / (np.sqrt(v_hat) + self.eps) + self.weight_decay * theta
        delta = -self.lr * trust_ratio(theta, u) * u
        return Step(delta, self.State(t, m, v))
