"""Layer 3: Adam puts momentum above RMSProp's root and corrects the bias of both averages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from adambook._check import Array, Hyper
from adambook.numpy_optim.base import Betas, Optimizer, Step


class AdamState(NamedTuple):
    """The number of steps taken, and the EWMAs m of gradients and v of squared gradients."""

    t: int
    m: Array
    v: Array


@dataclass(frozen=True)
class Adam(Betas, Optimizer):
    r"""Adam: adaptive moment estimation.

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2

    .. math:: \hat m_t = \frac{m_t}{1 - \beta_1^t}, \qquad \hat v_t = \frac{v_t}{1 - \beta_2^t}, \qquad
              \theta_t = \theta_{t-1} - \frac{\alpha \hat m_t}{\sqrt{\hat v_t} + \epsilon}

    ``weight_decay`` is added to the gradient, as in torch.optim.Adam; `AdamW` takes it out again.
    Shapes and dtypes as in `Optimizer`. Source: Kingma and Ba (2014), algorithm 1; torch.optim.Adam.
    """

    lr: Hyper = 1e-3
    betas: tuple[Hyper, Hyper] = (0.9, 0.999)
    eps: Hyper = 1e-8
    weight_decay: Hyper = 0.0
    State: ClassVar = AdamState

    def update(self, grad: Array, state: AdamState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        m_hat = m / (1 - self.beta1**t)
        v_hat = v / (1 - self.beta2**t)
        delta = -self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
        return Step(delta, self.State(t, m, v))
