"""Other papers' and libraries' conventions, each the smallest change to the book's own class.

Every class here answers the question "why does my optimizer differ from the book's": one line of the rule is
different, and `layers.layer_diff` shows which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from adambook._check import Array, Hyper
from adambook.numpy_optim.adagrad import Adagrad, AdagradState
from adambook.numpy_optim.adam import Adam, AdamState
from adambook.numpy_optim.adamw import AdamW
from adambook.numpy_optim.amsgrad import AMSGrad, AMSGradState
from adambook.numpy_optim.base import Optimizer, Step
from adambook.numpy_optim.rmsprop import RMSprop, RMSpropState


class CenteredRMSpropState(NamedTuple):
    """RMSProp's state, and the EWMA of the gradients."""

    t: int
    v: Array
    g_bar: Array


class MomentumRMSpropState(NamedTuple):
    """RMSProp's state, and the buffer b of scaled gradients."""

    t: int
    v: Array
    b: Array


class AdagradEpsInside(Adagrad):
    r"""AdaGrad with epsilon inside the root, :math:`\alpha g_t / \sqrt{v_t + \epsilon}`, as in optax."""

    def update(self, grad: Array, state: AdagradState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        v = state.v + g**2
        delta = -self.lr / (1 + (t - 1) * self.lr_decay) * g / np.sqrt(v + self.eps)
        return Step(delta, self.State(t, v))


class RMSpropEpsInside(RMSprop):
    r"""RMSProp with epsilon inside the root, :math:`\alpha g_t / \sqrt{v_t + \epsilon}`, as in optax and
    TensorFlow."""

    def update(self, grad: Array, state: RMSpropState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        v = self.alpha * state.v + (1 - self.alpha) * g**2
        delta = -self.lr * g / np.sqrt(v + self.eps)
        return Step(delta, self.State(t, v))


@dataclass(frozen=True)
class CenteredRMSprop(Optimizer):
    r"""RMSProp divided by the estimated standard deviation, :math:`\sqrt{v_t - \bar g_t^2} + \epsilon`.

    Source: Graves (2013), equations 38 to 45; torch.optim.RMSprop with ``centered=True``.
    """

    lr: Hyper = 1e-2
    alpha: Hyper = 0.99
    eps: Hyper = 1e-8
    weight_decay: Hyper = 0.0
    State: ClassVar = CenteredRMSpropState

    def update(self, grad: Array, state: CenteredRMSpropState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        v = self.alpha * state.v + (1 - self.alpha) * g**2
        g_bar = self.alpha * state.g_bar + (1 - self.alpha) * g
        delta = -self.lr * g / (np.sqrt(v - g_bar**2) + self.eps)
        return Step(delta, self.State(t, v, g_bar))


@dataclass(frozen=True)
class MomentumRMSprop(Optimizer):
    r"""RMSProp whose scaled gradients go through a momentum buffer, the step size after it.

    .. math:: b_t = \mu b_{t-1} + \frac{g_t}{\sqrt{v_t} + \epsilon}, \qquad \theta_t = \theta_{t-1} - \alpha
    b_t

    Source: torch.optim.RMSprop with ``momentum``.
    """

    lr: Hyper = 1e-2
    alpha: Hyper = 0.99
    eps: Hyper = 1e-8
    weight_decay: Hyper = 0.0
    momentum: Hyper = 0.9
    State: ClassVar = MomentumRMSpropState

    def update(self, grad: Array, state: MomentumRMSpropState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        v = self.alpha * state.v + (1 - self.alpha) * g**2
        b = self.momentum * state.b + g / (np.sqrt(v) + self.eps)
        delta = -self.lr * b
        return Step(delta, self.State(t, v, b))


class AdamUncorrected(Adam):
    """Adam without bias correction: what m and v do when nothing mends their start at zero."""

    def update(self, grad: Array, state: AdamState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        delta = -self.lr * m / (np.sqrt(v) + self.eps)
        return Step(delta, self.State(t, m, v))


class AdamEpsHat(Adam):
    r"""Adam in the rearranged form at the end of section 2 of the paper, with epsilon-hat beside the raw
    root.

    Equal to `Adam` when :math:`\hat\epsilon = \epsilon\sqrt{1 - \beta_2^t}`; here ``eps`` is
    :math:`\hat\epsilon`. Source: Kingma and Ba (2014), section 2; TensorFlow.
    """

    def update(self, grad: Array, state: AdamState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        lr_t = self.lr * (1 - self.beta2**t) ** 0.5 / (1 - self.beta1**t)
        delta = -lr_t * m / (np.sqrt(v) + self.eps)
        return Step(delta, self.State(t, m, v))


class AMSGradPaper(AMSGrad):
    """AMSGrad as printed: no bias correction. The paper prints no epsilon; set ``eps=0`` for that.

    Source: Reddi, Kale and Kumar (2018), algorithm 2.
    """

    def update(self, grad: Array, state: AMSGradState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        v_max = np.maximum(state.v_max, v)
        delta = -self.lr * m / (np.sqrt(v_max) + self.eps)
        return Step(delta, self.State(t, m, v, v_max))


class AMSGradCorrectedMax(AMSGrad):
    """AMSGrad with the maximum of the corrected v-hat, so that the denominator really never shrinks; optax's
    form."""

    def update(self, grad: Array, state: AMSGradState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        m_hat = m / (1 - self.beta1**t)
        v_hat = v / (1 - self.beta2**t)
        v_max = np.maximum(state.v_max, v_hat)
        delta = -self.lr * m_hat / (np.sqrt(v_max) + self.eps)
        return Step(delta, self.State(t, m, v, v_max))


class AMSGradHatOverMax(AMSGrad):
    r"""The form common on web pages: corrected m-hat over the uncorrected maximum.

    Its first step is :math:`\alpha / \sqrt{1 - \beta_2}`, 31.6 alpha with the defaults.
    """

    def update(self, grad: Array, state: AMSGradState, theta: Array) -> Step:
        g = grad + self.weight_decay * theta
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        v_max = np.maximum(state.v_max, v)
        m_hat = m / (1 - self.beta1**t)
        delta = -self.lr * m_hat / (np.sqrt(v_max) + self.eps)
        return Step(delta, self.State(t, m, v, v_max))


class AdamWPaper(AdamW):
    r"""AdamW as in the paper: the decay :math:`\lambda\theta_{t-1}` is not multiplied by the step size.

    The paper's schedule multiplier scales both terms; `descend` applies it to the whole step.
    Source: Loshchilov and Hutter (2019), algorithm 2, line 12.
    """

    def update(self, grad: Array, state: AdamState, theta: Array) -> Step:
        g = grad
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        v = self.beta2 * state.v + (1 - self.beta2) * g**2
        m_hat = m / (1 - self.beta1**t)
        v_hat = v / (1 - self.beta2**t)
        delta = -self.lr * m_hat / (np.sqrt(v_hat) + self.eps) - self.weight_decay * theta
        return Step(delta, self.State(t, m, v))
