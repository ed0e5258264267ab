"""Layer 0: gradient descent, and the two ways to give it a memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from adambook._check import Array, Hyper
from adambook.numpy_optim.base import Optimizer, Step


class SGDState(NamedTuple):
    """The number of steps taken."""

    t: int


class MomentumState(NamedTuple):
    """The number of steps taken, and the buffer b."""

    t: int
    b: Array


@dataclass(frozen=True)
class SGD(Optimizer):
    r"""Stochastic gradient descent.

    .. math:: \theta_t = \theta_{t-1} - \alpha g_t

    Shapes and dtypes as in `Optimizer`. Source: Robbins and Monro (1951); torch.optim.SGD with momentum 0.
    """

    lr: Hyper = 1e-3
    weight_decay: Hyper = 0.0
    State: ClassVar = SGDState

    def update(self, grad: Array, state: SGDState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        delta = -self.lr * g
        return Step(delta, self.State(t))


@dataclass(frozen=True)
class Momentum(Optimizer):
    r"""Gradient descent with momentum (the heavy ball).

    .. math:: b_t = \mu b_{t-1} + (1 - \tau) g_t, \qquad \theta_t = \theta_{t-1} - \alpha b_t

    with :math:`b_1 = g_1`. Here :math:`\mu` is ``momentum`` and :math:`\tau` is ``dampening``: with
    :math:`\tau = \mu` the buffer is an EWMA of the gradients, with :math:`\tau = 0` it is a decaying sum.
    Shapes and dtypes as in `Optimizer`. Source: Polyak (1964), equation 9; torch.optim.SGD.
    """

    lr: Hyper = 1e-3
    momentum: Hyper = 0.9
    dampening: Hyper = 0.0
    weight_decay: Hyper = 0.0
    State: ClassVar = MomentumState

    def update(self, grad: Array, state: MomentumState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        b = self.momentum * state.b + (g if t == 1 else (1 - self.dampening) * g)
        delta = -self.lr * b
        return Step(delta, self.State(t, b))


@dataclass(frozen=True)
class Nesterov(Optimizer):
    r"""Nesterov's momentum in the form of Sutskever et al., which needs only the gradient at the current
    point.

    .. math:: b_t = \mu b_{t-1} + g_t, \qquad \theta_t = \theta_{t-1} - \alpha (g_t + \mu b_t)

    Shapes and dtypes as in `Optimizer`. Source: Nesterov (1983); Sutskever et al. (2013), section 2;
    torch.optim.SGD with ``nesterov=True``.
    """

    lr: Hyper = 1e-3
    momentum: Hyper = 0.9
    weight_decay: Hyper = 0.0
    State: ClassVar = MomentumState

    def update(self, grad: Array, state: MomentumState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        b = self.momentum * state.b + g
        delta = -self.lr * (g + self.momentum * b)
        return Step(delta, self.State(t, b))
