"""AdaBound: Adam at first, gradient descent in the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adambook._check import Array, Hyper
from adambook.numpy_optim.adam import AdamState
from adambook.numpy_optim.base import Betas, Optimizer, Step


@dataclass(frozen=True)
class AdaBound(Betas, Optimizer):
    r"""AdaBound: Adam whose step sizes lie between two bounds that close in on one number.

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2

    .. math:: l_t = \alpha' (1 - \frac{1}{\gamma t + 1}), \qquad h_t = \alpha' (1 + \frac{1}{\gamma t}), \qquad
              \alpha_t = \alpha \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}

    .. math:: \theta_t = \theta_{t-1} - \operatorname{clip}(\frac{\alpha_t}{\sqrt{v_t} + \epsilon}, l_t, h_t) m_t

    where :math:`\alpha'` is ``final_lr``, the step size of gradient descent with momentum that the bounds
    leave in the end. Once they bind, :math:`m_t` stands without bias correction, as in the authors' code. The
    paper divides ``lr`` by the root of t and has no bias correction; the authors' code scales ``final_lr``
    with a schedule, as `descend` does, which multiplies the whole step.
    Shapes and dtypes as in `Optimizer`. Source: Luo et al. (2019), algorithm 2; the authors' AdaBound.
    """

    lr: Hyper = 1e-3
    betas: tuple[Hyper, Hyper] = (0.9, 0.999)
    final_lr: Hyper = 0.1
    gamma: Hyper = 1e-3
    eps: Hyper = 1e-8
    weight_decay: Hyper = 0.0
    State: ClassVar = AdamState

    def update(self, grad: Array, state: AdamState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        low = self.final_lr * (1 - 1 / (self.gamma * t + 1))
        high = self.final_lr * (1 + 1 / (self.gamma * t))
        lr_t = self.lr * (1 - self.beta2**t) ** 0.5 / (1 - self.beta1**t)
        delta = -np.clip(lr_t / (np.sqrt(v) + self.eps), low, high) * m
        return Step(delta, self.State(t, m, v))
