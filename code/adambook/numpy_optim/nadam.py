"""NAdam: Nesterov's look ahead inside Adam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from adambook._check import Array, Hyper
from adambook.numpy_optim.base import Betas, Optimizer, Step


class NAdamState(NamedTuple):
    """The number of steps taken, Adam's m and v, and the product p of all momenta so far."""

    t: int
    m: Array
    v: Array
    p: Array


@dataclass(frozen=True)
class NAdam(Betas, Optimizer):
    r"""NAdam: Adam whose corrected average looks one step ahead, with a momentum that warms up.

    .. math:: \mu_t = \beta_1 (1 - \frac{1}{2} 0.96^{t \psi}), \qquad
              \mu_{t+1} = \beta_1 (1 - \frac{1}{2} 0.96^{(t + 1) \psi}), \qquad p_t = p_{t-1} \mu_t

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2

    .. math:: \hat m_t = \frac{\mu_{t+1} m_t}{1 - p_t \mu_{t+1}} + \frac{(1 - \mu_t) g_t}{1 - p_t}, \qquad
              \hat v_t = \frac{v_t}{1 - \beta_2^t}, \qquad
              \theta_t = \theta_{t-1} - \frac{\alpha \hat m_t}{\sqrt{\hat v_t} + \epsilon}

    with :math:`p_0 = 1`; :math:`\psi` is ``momentum_decay``. optax's nadam has no schedule for the momentum;
    torch keeps p in float32.
    Shapes and dtypes as in `Optimizer`. Source: Dozat (2016); torch.optim.NAdam.
    """

    lr: Hyper = 2e-3
    betas: tuple[Hyper, Hyper] = (0.9, 0.999)
    eps: Hyper = 1e-8
    weight_decay: Hyper = 0.0
    momentum_decay: Hyper = 4e-3
    State: ClassVar = NAdamState

    def init(self, theta: npt.ArrayLike) -> NAdamState:
        """Return the state at t = 0: the product of no momenta is one."""
        t, m, v, p = super().init(theta)
        return NAdamState(t, m, v, p + 1)

    def update(self, grad: Array, state: NAdamState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        mu, mu_next = (self.beta1 * (1 - 0.5 * 0.96 ** (i * self.momentum_decay)) for i in (t, t + 1))
        p = state.p * mu
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        m_hat = mu_next * m / (1 - p * mu_next) + (1 - mu) * g / (1 - p)
        v_hat = v / (1 - self.beta2**t)
        delta = -self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
        return Step(delta, self.State(t, m, v, p))
