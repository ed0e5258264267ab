"""AdaMax: the largest gradient in the place of the root mean square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from adambook._check import Array, Hyper
from adambook.numpy_optim.base import Betas, Optimizer, Step


class AdamaxState(NamedTuple):
    """The number of steps taken, the EWMA m of gradients, and the decaying maximum u of their sizes."""

    t: int
    m: Array
    u: Array


@dataclass(frozen=True)
class Adamax(Betas, Optimizer):
    r"""AdaMax: Adam with the infinity norm, a decaying maximum, which needs no bias correction.

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad u_t = \max(\beta_2 u_{t-1}, |g_t| + \epsilon)

    .. math:: \theta_t = \theta_{t-1} - \frac{\alpha}{1 - \beta_1^t} \frac{m_t}{u_t}

    The paper has no :math:`\epsilon`; torch and optax add it to :math:`|g_t|`, Keras to :math:`u_t`.
    Shapes and dtypes as in `Optimizer`. Source: Kingma and Ba (2014), algorithm 2; torch.optim.Adamax.
    """

    lr: Hyper = 2e-3
    betas: tuple[Hyper, Hyper] = (0.9, 0.999)
    eps: Hyper = 1e-8
    weight_decay: Hyper = 0.0
    State: ClassVar = AdamaxState

    def update(self, grad: Array, state: AdamaxState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        u = np.maximum(self.beta2 * state.u, np.abs(g) + self.eps)
        m_hat = m / (1 - self.beta1**t)
        delta = -self.lr * m_hat / u
        return Step(delta, self.State(t, m, u))
