"""Layer 4: AMSGrad never lets the denominator shrink."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from adambook._check import Array, Hyper
from adambook.numpy_optim.base import Betas, Optimizer, Step


class AMSGradState(NamedTuple):
    """The number of steps taken, Adam's m and v, and the running maximum of v."""

    t: int
    m: Array
    v: Array
    v_max: Array


@dataclass(frozen=True)
class AMSGrad(Betas, Optimizer):
    r"""AMSGrad: Adam with the running maximum of v in the denominator.

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2,
              \qquad v^{\max}_t = \max(v^{\max}_{t-1}, v_t)

    .. math:: \theta_t = \theta_{t-1} - \alpha \frac{m_t}{1 - \beta_1^t} \Big/
              \Big( \sqrt{\frac{v^{\max}_t}{1 - \beta_2^t}} + \epsilon \Big)

    The maximum is taken first and corrected after, as in torch.optim.Adam(amsgrad=True); `conventions` holds
    the paper's form and two more. A NaN in v stays in the maximum, as in torch.
    Shapes and dtypes as in `Optimizer`. Source: Reddi, Kale and Kumar (2018), algorithm 2.
    """

    lr: Hyper = 1e-3
    betas: tuple[Hyper, Hyper] = (0.9, 0.999)
    eps: Hyper = 1e-8
    weight_decay: Hyper = 0.0
    State: ClassVar = AMSGradState

    def update(self, grad: Array, state: AMSGradState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        v_max = np.maximum(state.v_max, v)
        m_hat = m / (1 - self.beta1**t)
        v_hat = v_max / (1 - self.beta2**t)
        delta = -self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
        return Step(delta, self.State(t, m, v, v_max))
