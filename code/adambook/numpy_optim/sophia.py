"""Sophia: the curvature's average in the place of the squared gradients', every step clipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from adambook._check import Array, Hyper, floats
from adambook.numpy_optim.base import Betas, Optimizer, Range, Step


class SophiaState(NamedTuple):
    """The number of steps taken, the EWMA m of gradients, and the EWMA h of the Hessian's diagonal."""

    t: int
    m: Array
    h: Array


class _Sophia(Betas, Optimizer):
    """What both have in common: how the state learns of the Hessian."""

    ranges: ClassVar[dict[str, Range]] = {"rho": (0, np.inf, False)}
    State: ClassVar = SophiaState

    def with_hessian(self, state: SophiaState, estimate: npt.ArrayLike) -> SophiaState:
        r"""Return ``state`` with a new estimate of the Hessian's diagonal in its average.

        .. math:: h_t = \beta_2 h_{t-1} + (1 - \beta_2) \hat h_t

        Call it every ten steps or so, before `update`; in between h stays as it is. ``estimate`` has the
        shape of theta (ValueError if not) and comes from `hutchinson` or `gauss_newton_bartlett`.
        """
        h_hat = floats("estimate", estimate)
        if h_hat.shape != state.h.shape:
            raise ValueError(
                f"estimate has shape {h_hat.shape}; allowed: that of theta, {state.h.shape}, one number a coordinate"
            )
        return state._replace(h=self.beta2 * state.h + (1 - self.beta2) * h_hat.astype(state.h.dtype))


@dataclass(frozen=True)
class SophiaG(_Sophia):
    r"""Sophia with the Gauss-Newton-Bartlett estimate: a clipped Newton step for every coordinate.

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad h_t = \beta_2 h_{t-1} + (1 - \beta_2) \hat h_t

    .. math:: \theta_t = \theta_{t-1} - \alpha (\operatorname{sign}(m_t)
              \min(\frac{|m_t|}{\rho h_t + 10^{-15}}, 1) + \lambda \theta_{t-1})

    h only changes where `with_hessian` is called, every ten steps in the paper; before the first call it is
    zero, and every step is clipped to its sign. The estimate :math:`\hat h_t` contains the batch size, as in
    the paper's algorithm 2; the authors' code keeps the squares alone and multiplies here, by ``bs``. The
    paper, and optax, call :math:`\rho` :math:`\gamma`; optax sets it to 0.01 and corrects the bias of m.
    Shapes and dtypes as in `Optimizer`. Source: Liu et al. (2023), algorithm 3; the authors' SophiaG.
    """

    lr: Hyper = 1e-4
    betas: tuple[Hyper, Hyper] = (0.965, 0.99)
    rho: Hyper = 0.04
    weight_decay: Hyper = 0.1

    def update(self, grad: Array, state: SophiaState, theta: Array) -> Step:
        g = grad
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        u = np.sign(m) * np.minimum(np.abs(m) / (self.rho * state.h + 1e-15), 1)
        delta = -self.lr * (u + self.weight_decay * theta)
        return Step(delta, self.State(t, m, state.h))


@dataclass(frozen=True)
class SophiaH(_Sophia):
    r"""Sophia with Hutchinson's estimate, which can be negative: there the step is its sign.

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad h_t = \beta_2 h_{t-1} + (1 - \beta_2) \hat h_t

    .. math:: \theta_t = \theta_{t-1} - \alpha (\operatorname{sign}(m_t)
              \min(\frac{|m_t|}{\rho \max(h_t, 0) + 10^{-15}}, 1) + \lambda \theta_{t-1})

    All else as in `SophiaG`; :math:`\rho` is the paper's :math:`\gamma` for this estimate.
    Shapes and dtypes as in `Optimizer`. Source: Liu et al. (2023), algorithm 3.
    """

    lr: Hyper = 1e-4
    betas: tuple[Hyper, Hyper] = (0.965, 0.99)
    rho: Hyper = 0.01
    weight_decay: Hyper = 0.1

    def update(self, grad: Array, state: SophiaState, theta: Array) -> Step:
        g = grad
        t = state.t + 1
        m = self.beta1 * state.m + (1 - self.beta1) * g
        u = np.sign(m) * np.minimum(np.abs(m) / (self.rho * np.maximum(state.h, 0) + 1e-15), 1)
        delta = -self.lr * (u + self.weight_decay * theta)
        return Step(delta, self.State(t, m, state.h))
