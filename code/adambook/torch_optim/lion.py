"""Lion, as a torch.optim.Optimizer."""

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
    lerp_,
    nonzero,
    plus_,
    subtract_foreach_,
)
from adambook.torch_optim.fused import Kernel


class Lion(Optimizer):
    r"""Lion: every number moves by the step size, in the direction of an average; AdamW without v.

    .. math:: u_t = \operatorname{sign}(\beta_1 m_{t-1} + (1 - \beta_1) g_t), \qquad
              m_t = \beta_2 m_{t-1} + (1 - \beta_2) g_t

    .. math:: \theta_t = (1 - \alpha \lambda) \theta_{t-1} - \alpha u_t

    Here :math:`\alpha` is ``lr``, :math:`\lambda` ``weight_decay``. Keeps ``exp_avg`` (m), as the authors'
    code does. The step size wants to be three to ten times smaller than AdamW's, the weight decay as much
    larger.

    ``fused=True`` needs a GPU. Shapes and dtypes: any dense.
    Errors: ValueError, TypeError for a hyper-parameter; RuntimeError for an unfit gradient or state.
    Source: Chen et al. (2023), algorithm 2.
    """

    allowed: ClassVar[Mapping[str, Interval]] = {
        "lr": NOT_NEGATIVE,
        "betas": FROM_0_BELOW_1,
        "weight_decay": NOT_NEGATIVE,
    }
    always_kept = ("exp_avg",)
    counts_steps = False

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-4,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.99),
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
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def update(self, theta: Tensor, g: Tensor, t: None, state: State, group: Group) -> None:
        lr, (beta1, beta2), weight_decay = group["lr"], group["betas"], group["weight_decay"]
        m = state["exp_avg"]
        # theta <- theta_{t-1} - alpha lambda theta_{t-1}
        if nonzero(weight_decay):
            theta.mul_(1 - lr * weight_decay)
        # u_t = sign(beta1 m_{t-1} + (1 - beta1) g_t),  theta_t = theta - alpha u_t
        average = lerp_(m.clone(), g, 1 - beta1)
        plus_(theta, -lr, average.sign() + (average - average))  # the sign of NaN is 0 in torch, and hides it
        # m_t = beta2 m_{t-1} + (1 - beta2) g_t
        lerp_(m, g, 1 - beta2)

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        lr, (beta1, beta2), weight_decay = group["lr"], group["betas"], group["weight_decay"]
        m = state["exp_avg"]
        if weight_decay != 0:
            torch._foreach_mul_(theta, 1 - lr * weight_decay)
        average = list(torch._foreach_lerp(m, g, 1 - beta1))
        u = list(torch._foreach_sub(average, average))  # 0, or NaN
        torch._foreach_sign_(average)
        torch._foreach_add_(u, average)
        subtract_foreach_(theta, lr, u)
        torch._foreach_lerp_(m, g, 1 - beta2)

    def kernel(self, group: Group, begins: bool) -> Kernel:
        beta1, beta2 = group["betas"]
        return Kernel("lion", (group["lr"], 1 - beta1, 1 - beta2), decoupled=True)
