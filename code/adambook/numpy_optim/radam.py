"""RAdam: no division by v while v is known from too few gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adambook._check import Array, Hyper
from adambook.numpy_optim.adam import AdamState
from adambook.numpy_optim.base import Betas, Optimizer, Step


def rectification(beta2: Hyper, t: int) -> Hyper:
    r"""Return :math:`r_t`, by which RAdam shortens the step t, and 0 where :math:`\rho_t \le 5`.

    .. math:: r_t = \sqrt{\frac{(\rho_t - 4)(\rho_t - 2)\rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2)\rho_t}}, \qquad
              \rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t}, \qquad
              \rho_\infty = \frac{2}{1 - \beta_2} - 1

    ``beta2`` is a number or an array, and so is the result.
    """
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
    low, high = np.maximum(rho, 5), np.maximum(rho_inf, 5)  # no root of a negative number on the other branch
    r = np.sqrt((low - 4) * (low - 2) * high / ((high - 4) * (high - 2) * low))
    r = np.where(rho > 5, r, 0)
    return r if r.ndim else float(r)


@dataclass(frozen=True)
class RAdam(Betas, Optimizer):
    r"""RAdam: Adam that is momentum at first, and then warms up by itself.

    .. math:: \theta_t = \theta_{t-1} - \alpha \hat m_t \cdot \begin{cases}
              r_t \sqrt{1 - \beta_2^t} / (\sqrt{v_t} + \epsilon) & \text{if } \rho_t > 5 \\
              1 & \text{else} \end{cases}

    with :math:`\hat m_t` and :math:`v_t` as in `Adam`, :math:`r_t` and :math:`\rho_t` from `rectification`:
    the first five steps with the default betas do not divide. The paper divides from :math:`\rho_t > 4` on
    and has no :math:`\epsilon`; optax adds it to :math:`\sqrt{\hat v_t}`.
    Shapes and dtypes as in `Optimizer`. Source: Liu et al. (2019), algorithm 2; torch.optim.RAdam.
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
        r = rectification(self.beta2, t)
        root = (np.sqrt(v) + self.eps) / (1 - self.beta2**t) ** 0.5
        delta = -self.lr * m_hat * np.where(r > 0, r / root, 1)
        return Step(delta, self.State(t, m, v))
