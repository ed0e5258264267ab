"""Adan: Nesterov's momentum by the difference of two gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from adambook._check import Array, Hyper
from adambook.numpy_optim.base import Betas, Optimizer, Step


class AdanState(NamedTuple):
    """The number of steps taken, the EWMAs m, v and n, and the last gradient g."""

    t: int
    m: Array
    v: Array
    n: Array
    g: Array


@dataclass(frozen=True)
class Adan(Betas, Optimizer):
    r"""Adan: Adam with an average of the gradients' differences, which tells where the gradient is going.

    .. math:: d_t = g_t - g_{t-1}, \qquad m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
              v_t = \beta_2 v_{t-1} + (1 - \beta_2) d_t

    .. math:: n_t = \beta_3 n_{t-1} + (1 - \beta_3) (g_t + \beta_2 d_t)^2, \qquad
              u_t = \frac{m_t}{1 - \beta_1^t} + \frac{\beta_2 v_t}{1 - \beta_2^t}, \qquad
              \hat n_t = \frac{n_t}{1 - \beta_3^t}

    .. math:: \theta_t = \theta_{t-1} - \frac{\alpha}{1 + \alpha \lambda}
              ( \frac{u_t}{\sqrt{\hat n_t} + \epsilon} + \lambda \theta_{t-1} )

    with :math:`d_1 = 0`. The weight decay is proximal, :math:`\theta / (1 + \alpha\lambda)` after the step, as
    in the paper. The paper's betas are one minus these, which are the authors' code's. optax weights d and v by
    :math:`1 - \beta_2`, the paper's letter with the code's meaning, has an epsilon inside the root as well, and
    decays as AdamW does.
    Shapes and dtypes as in `Optimizer`. Source: Xie et al. (2022), algorithm 1; the authors' Adan.
    """

    lr: Hyper = 1e-3
    betas: tuple[Hyper, Hyper, Hyper] = (0.98, 0.92, 0.99)
    eps: Hyper = 1e-8
    weight_decay: Hyper = 0.0
    State: ClassVar = AdanState

    @property
    def beta3(self) -> Hyper:
        """Decay rate of the average n of squares."""
        return self.betas[2]

    def update(self, grad: Array, state: AdanState, theta: Array) -> Step:
        g = grad
        t = state.t + 1
        d = g - (state.g if t > 1 else g)
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * d
        n = self.beta3 * state.n + (1 - self.beta3) * (g + self.beta2 * d) ** 2
        u = m / (1 - self.beta1**t) + self.beta2 * v / (1 - self.beta2**t)
        root = np.sqrt(n / (1 - self.beta3**t)) + self.eps
        delta = -self.lr * (u / root + self.weight_decay * theta) / (1 + self.lr * self.weight_decay)
        return Step(delta, self.State(t, m, v, n, g))
