"""Layer 2: RMSProp lets the sum forget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from adambook._check import Array, Hyper
from adambook.numpy_optim.base import Optimizer, Step


class RMSpropState(NamedTuple):
    """The number of steps taken, and the EWMA v of squared gradients."""

    t: int
    v: Array


@dataclass(frozen=True)
class RMSprop(Optimizer):
    r"""RMSProp: AdaGrad's sum becomes an exponentially weighted moving average.

    .. math:: v_t = \beta v_{t-1} + (1 - \beta) g_t^2, \qquad
              \theta_t = \theta_{t-1} - \frac{\alpha g_t}{\sqrt{v_t} + \epsilon}

    torch names the decay rate :math:`\beta` ``alpha``, and so does this class. `conventions` holds the
    variants with centring, with momentum and with epsilon inside the root.
    Shapes and dtypes as in `Optimizer`. Source: Hinton (2012), lecture 6e, slide 29; torch.optim.RMSprop.
    """

    lr: Hyper = 1e-2
    alpha: Hyper = 0.99
    eps: Hyper = 1e-8
    weight_decay: Hyper = 0.0
    State: ClassVar = RMSpropState

    def update(self, grad: Array, state: RMSpropState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        v = self.alpha * state.v + (1 - self.alpha) * g**2
        delta = -self.lr * g / (np.sqrt(v) + self.eps)
        return Step(delta, self.State(t, v))
