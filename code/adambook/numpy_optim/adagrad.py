"""Layer 1: AdaGrad divides by the root of the sum of squared gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from adambook._check import Array, Hyper
from adambook.numpy_optim.base import Optimizer, Step


class AdagradState(NamedTuple):
    """The number of steps taken, and the sum v of squared gradients."""

    t: int
    v: Array


@dataclass(frozen=True)
class Adagrad(Optimizer):
    r"""AdaGrad: each coordinate is divided by the root of its own sum of squares.

    .. math:: v_t = v_{t-1} + g_t^2, \qquad \alpha_t = \frac{\alpha}{1 + (t - 1)\eta}, \qquad
              \theta_t = \theta_{t-1} - \frac{\alpha_t g_t}{\sqrt{v_t} + \epsilon}

    where :math:`v_0` is ``initial_accumulator_value`` and :math:`\eta` is ``lr_decay`` (0 in the paper).
    Shapes and dtypes as in `Optimizer`. Source: Duchi, Hazan and Singer (2011), figure 1, diagonal case;
    torch.optim.Adagrad.
    """

    lr: Hyper = 1e-2
    lr_decay: Hyper = 0.0
    weight_decay: Hyper = 0.0
    initial_accumulator_value: Hyper = 0.0
    eps: Hyper = 1e-10
    State: ClassVar = AdagradState

    def init(self, theta: npt.ArrayLike) -> AdagradState:
        """Return the state at t = 0: the sum starts at ``initial_accumulator_value``."""
        t, v = super().init(theta)
        return AdagradState(t, np.asarray(v + self.initial_accumulator_value))

    def update(self, grad: Array, state: AdagradState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        v = state.v + g**2
        delta = -self.lr / (1 + (t - 1) * self.lr_decay) * g / (np.sqrt(v) + self.eps)
        return Step(delta, self.State(t, v))
