"""Lion: only the sign of an average, found by a search over programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from adambook._check import Array, Hyper
from adambook.numpy_optim.base import Betas, Optimizer, Step


class LionState(NamedTuple):
    """The number of steps taken, and the EWMA m of gradients."""

    t: int
    m: Array


@dataclass(frozen=True)
class Lion(Betas, Optimizer):
    r"""Lion: every coordinate moves by the step size, in the direction of an average; AdamW without v.

    .. math:: u_t = \operatorname{sign}(\beta_1 m_{t-1} + (1 - \beta_1) g_t), \qquad
              m_t = \beta_2 m_{t-1} + (1 - \beta_2) g_t

    .. math:: \theta_t = \theta_{t-1} - \alpha (u_t + \lambda \theta_{t-1})

    The step is taken with :math:`\beta_1`, the memory kept with :math:`\beta_2`. optax defaults to
    ``weight_decay=1e-3``. The step size wants to be three to ten times smaller than AdamW's, the weight decay
    as much larger.
    Shapes and dtypes as in `Optimizer`. Source: Chen et al. (2023), algorithm 2.
    """

    lr: Hyper = 1e-4
    betas: tuple[Hyper, Hyper] = (0.9, 0.99)
    weight_decay: Hyper = 0.0
    State: ClassVar = LionState

    def update(self, grad: Array, state: LionState, theta: Array) -> Step:
        g = grad
        t = state.t + 1
        u = np.sign(self.beta1 * state.m + (1 - self.beta1) * g)
        m = self.beta2 * state.m + (1 - self.beta2) * g
        delta = -self.lr * (u + self.weight_decay * theta)
        return Step(delta, self.State(t, m))
