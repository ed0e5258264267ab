"""Schedule-Free: an average of the points in the place of momentum and of a schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from adambook._check import Array, Hyper, floats
from adambook.numpy_optim.base import Betas, Optimizer, Step


class ScheduleFreeSGDState(NamedTuple):
    """The number of steps taken, the point z that takes the steps, and the average x of all z."""

    t: int
    z: Array
    x: Array


class ScheduleFreeAdamWState(NamedTuple):
    """The number of steps taken, z and x, and the EWMA v of squared gradients."""

    t: int
    z: Array
    x: Array
    v: Array


class _ScheduleFree(Optimizer):
    """What both have in common: z and x start at theta, and x is what to evaluate."""

    def init(self, theta: npt.ArrayLike) -> ScheduleFreeSGDState | ScheduleFreeAdamWState:
        """Return the state at t = 0: z and x are ``theta``."""
        start = np.array(floats("theta", theta))
        return super().init(theta)._replace(z=start, x=start)

    def eval_point(self, state: ScheduleFreeSGDState | ScheduleFreeAdamWState, theta: Array) -> Array:
        """Return the average x, where the loss is to be evaluated; ``theta`` is y, where gradients are taken.

        Same shape and dtype as ``theta``.
        """
        return state.x


@dataclass(frozen=True)
class ScheduleFreeSGD(_ScheduleFree):
    r"""Schedule-Free gradient descent: gradients are taken between the newest point and the average of all.

    .. math:: z_t = z_{t-1} - \alpha g_t, \qquad x_t = (1 - \frac{1}{t}) x_{t-1} + \frac{1}{t} z_t, \qquad
              \theta_t = (1 - \mu) z_t + \mu x_t

    The parameters :math:`\theta` are the paper's y; `eval_point` gives x. :math:`\mu` is ``momentum``, the
    paper's :math:`\beta`. The authors' package weights the average by the squared step size of a warm-up;
    without one, its weights are these. z and x follow from the gradients alone: leave the step as it is, with
    no schedule on it.
    Shapes and dtypes as in `Optimizer`. Source: Defazio et al. (2024), equations 3 to 5; the authors'
    SGDScheduleFree.
    """

    lr: Hyper = 1.0
    momentum: Hyper = 0.9
    weight_decay: Hyper = 0.0
    State: ClassVar = ScheduleFreeSGDState

    def update(self, grad: Array, state: ScheduleFreeSGDState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        z = state.z - self.lr * g
        x = (1 - 1 / t) * state.x + z / t
        delta = (1 - self.momentum) * z + self.momentum * x - theta
        return Step(delta, self.State(t, z, x))


@dataclass(frozen=True)
class ScheduleFreeAdamW(Betas, _ScheduleFree):
    r"""Schedule-Free AdamW: the average of all points in the place of the average of gradients.

    .. math:: v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \qquad \hat v_t = \frac{v_t}{1 - \beta_2^t}, \qquad
              z_t = z_{t-1} - \alpha ( \frac{g_t}{\sqrt{\hat v_t} + \epsilon} + \lambda \theta_{t-1} )

    .. math:: x_t = (1 - \frac{1}{t}) x_{t-1} + \frac{1}{t} z_t, \qquad \theta_t = (1 - \beta_1) z_t + \beta_1 x_t

    All else as in `ScheduleFreeSGD`. The paper multiplies the step size by :math:`\sqrt{1 - \beta_2^t}`
    instead, before the weights are taken from it; the authors' later releases and optax do as here.
    Shapes and dtypes as in `Optimizer`. Source: Defazio et al. (2024), algorithm 1; the authors'
    AdamWScheduleFree.
    """

    lr: Hyper = 2.5e-3
    betas: tuple[Hyper, Hyper] = (0.9, 0.999)
    eps: Hyper = 1e-8
    weight_decay: Hyper = 0.0
    State: ClassVar = ScheduleFreeAdamWState

    def update(self, grad: Array, state: ScheduleFreeAdamWState, theta: Array) -> Step:
        g = grad
        t = state.t + 1
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        v_hat = v / (1 - self.beta2**t)
        z = state.z - self.lr * (g / (np.sqrt(v_hat) + self.eps) + self.weight_decay * theta)
        x = (1 - 1 / t) * state.x + z / t
        delta = (1 - self.beta1) * z + self.beta1 * x - theta
        return Step(delta, self.State(t, z, x, v))
