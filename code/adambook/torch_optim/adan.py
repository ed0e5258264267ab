"""Adan, as a torch.optim.Optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from adambook.torch_optim.base import (
    FROM_0_BELOW_1,
    NOT_NEGATIVE,
    Group,
    Interval,
    Lists,
    Optimizer,
    State,
    average_squares_,
    average_squares_foreach_,
    lerp_,
    nonzero,
    plus,
    plus_eps,
    subtract_ratio_,
    subtract_ratios_foreach_,
)
from adambook.torch_optim.fused import Kernel


class Adan(Optimizer):
    r"""Adan: Nesterov's momentum by the difference of two gradients.

    .. math:: d_t = g_t - g_{t-1}, \qquad m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
              v_t = \beta_2 v_{t-1} + (1 - \beta_2) d_t

    .. math:: n_t = \beta_3 n_{t-1} + (1 - \beta_3) (g_t + \beta_2 d_t)^2

    .. math:: \theta_t = \frac{1}{1 + \alpha \lambda} \left( \theta_{t-1} - \alpha
              \frac{m_t / (1 - \beta_1^t) + \beta_2 v_t / (1 - \beta_2^t)}
              {\sqrt{n_t} / \sqrt{1 - \beta_3^t} + \epsilon} \right)

    with :math:`d_1 = 0`. Here :math:`\alpha` is ``lr``, :math:`\lambda` ``weight_decay``, and the three
    ``betas`` are one minus the paper's. Keeps ``step``, ``exp_avg`` (m), ``exp_avg_diff`` (v), ``exp_avg_sq``
    (n), ``previous_grad``.

    ``fused=True`` needs a GPU. Shapes and dtypes: any dense.
    Errors: ValueError, TypeError for a hyper-parameter; RuntimeError for an unfit gradient or state.
    Source: Xie et al. (2022), algorithm 1; the authors' Adan.
    """

    allowed: ClassVar[Mapping[str, Interval]] = {
        "lr": NOT_NEGATIVE,
        "betas": FROM_0_BELOW_1,
        "eps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
    }
    n_betas = 3
    always_kept = ("exp_avg", "exp_avg_diff", "exp_avg_sq", "previous_grad")

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor, float | Tensor] = (0.98, 0.92, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def update(self, theta: Tensor, g: Tensor, t: Any, state: State, group: Group) -> None:
        lr, (beta1, beta2, beta3), weight_decay = group["lr"], group["betas"], group["weight_decay"]
        m, v, n, before = (state[name] for name in self.always_kept)
        # d_t = g_t - g_{t-1},  d_1 = 0
        d = (g - before) * (t > 1)
        before.copy_(g)
        # m_t = beta1 m_{t-1} + (1 - beta1) g_t
        # v_t = beta2 v_{t-1} + (1 - beta2) d_t
        lerp_(m, g, 1 - beta1)
        lerp_(v, d, 1 - beta2)
        # n_t = beta3 n_{t-1} + (1 - beta3) (g_t + beta2 d_t)^2
        average_squares_(n, beta3, plus(g, beta2, d))
        # theta <- theta_{t-1} - alpha (m_t / (1 - beta1^t) + beta2 v_t / (1 - beta2^t))
        #                              / (sqrt(n_t) / sqrt(1 - beta3^t) + epsilon)
        denominator = plus_eps(n.sqrt() / (1 - beta3**t) ** 0.5, group["eps"])
        subtract_ratio_(theta, lr / (1 - beta1**t), m, denominator)
        subtract_ratio_(theta, lr * beta2 / (1 - beta2**t), v, denominator)
        # theta_t = theta / (1 + alpha lambda)
        if nonzero(weight_decay):
            theta.div_(1 + lr * weight_decay)

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        lr, (beta1, beta2, beta3), weight_decay = group["lr"], group["betas"], group["weight_decay"]
        m, v, n, before = (state[name] for name in self.always_kept)
        d = list(torch._foreach_sub(g, before))
        torch._foreach_mul_(d, [(s > 1) * 1.0 for s in t])
        for old, new in zip(before, g, strict=True):
            old.copy_(new)
        torch._foreach_lerp_(m, g, 1 - beta1)
        torch._foreach_lerp_(v, d, 1 - beta2)
        ahead = list(torch._foreach_add(g, d, alpha=beta2))
        del d, g  # frees them, where g is a copy
        average_squares_foreach_(n, beta3, ahead)
        del ahead
        denominator = list(torch._foreach_sqrt(n))
        torch._foreach_div_(denominator, [(1 - beta3**s) ** 0.5 for s in t])
        torch._foreach_add_(denominator, group["eps"])
        of_m, of_v = [lr / (1 - beta1**s) for s in t], [lr * beta2 / (1 - beta2**s) for s in t]
        subtract_ratios_foreach_(theta, (of_m, m), (of_v, v), denominator)
        if weight_decay != 0:
            torch._foreach_div_(theta, 1 + lr * weight_decay)

    def kernel(self, group: Group, begins: bool) -> Kernel:
        numbers = (group["lr"], *group["betas"], group["eps"], group["weight_decay"])
        return Kernel("adan", numbers, decays=True)
