"""AdaDelta: the steps taken so far set the size of the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from adambook._check import Array, Hyper
from adambook.numpy_optim.base import Optimizer, Step


class AdadeltaState(NamedTuple):
    """The number of steps taken, and the EWMAs v of squared gradients and u of squared steps."""

    t: int
    v: Array
    u: Array


@dataclass(frozen=True)
class Adadelta(Optimizer):
    r"""AdaDelta: RMSProp with the root mean square of the past steps in the place of the step size.

    .. math:: v_t = \rho v_{t-1} + (1 - \rho) g_t^2, \qquad
              s_t = \frac{\sqrt{u_{t-1} + \epsilon}}{\sqrt{v_t + \epsilon}} g_t

    .. math:: u_t = \rho u_{t-1} + (1 - \rho) s_t^2, \qquad \theta_t = \theta_{t-1} - \alpha s_t

    The paper has no :math:`\alpha`: ``lr`` is 1. The step has the unit of the parameters, and the first is
    about :math:`\sqrt{\epsilon / (1 - \rho)}` long, so ``eps`` sets how fast it starts. Keras
    defaults to ``rho=0.95`` and ``lr=0.001``.
    Shapes and dtypes as in `Optimizer`. Source: Zeiler (2012), algorithm 1; torch.optim.Adadelta.
    """

    lr: Hyper = 1.0
    rho: Hyper = 0.9
    eps: Hyper = 1e-6
    weight_decay: Hyper = 0.0
    State: ClassVar = AdadeltaState

    def update(self, grad: Array, state: AdadeltaState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        v = self.rho * state.v + (1 - self.rho) * g**2
        s = np.sqrt(state.u + self.eps) / np.sqrt(v + self.eps) * g
        u = self.rho * state.u + (1 - self.rho) * s**2
        delta = -self.lr * s
        return Step(delta, self.State(t, v, u))
