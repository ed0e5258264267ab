"""Layer 5: AdamW takes the weight decay out of the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adambook._check import Array, Hyper
from adambook.numpy_optim.adam import AdamState
from adambook.numpy_optim.base import Betas, Optimizer, Step


@dataclass(frozen=True)
class AdamW(Betas, Optimizer):
    r"""AdamW: Adam with decoupled weight decay.

    .. math:: \theta_t = \theta_{t-1} - \alpha \Big( \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}
              + \lambda \theta_{t-1} \Big)

    with :math:`\hat m_t` and :math:`\hat v_t` as in `Adam`, from the gradient alone. The decay is
    :math:`\alpha\lambda`, as in torch.optim.AdamW; the paper's form, in which it is not multiplied by
    :math:`\alpha`, is `conventions.AdamWPaper`.
    Shapes and dtypes as in `Optimizer`. Source: Loshchilov and Hutter (2019), algorithm 2.
    """

    lr: Hyper = 1e-3
    betas: tuple[Hyper, Hyper] = (0.9, 0.999)
    eps: Hyper = 1e-8
    weight_decay: Hyper = 1e-2
    State: ClassVar = AdamState

    def update(self, grad: Array, state: AdamState, theta: Array) -> Step:
        g = grad
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        m_hat = m / (1 - self.beta1**t)
        v_hat = v / (1 - self.beta2**t)
        delta = -self.lr * (m_hat / (np.sqrt(v_hat) + self.eps) + self.weight_decay * theta)
        return Step(delta, self.State(t, m, v))
