"""AdaMax, as a torch.optim.Optimizer."""

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
    add_l2_foreach,
    lerp_,
    maximum_,
    nonzero,
    plus,
    subtract_ratio_,
    subtract_ratio_foreach_,
)
from adambook.torch_optim.fused import Kernel


class Adamax(Optimizer):
    r"""AdaMax: Adam with a decaying maximum in the place of the root mean square (torch.optim.Adamax).

    .. math:: g_t = \nabla f_t(\theta_{t-1}) + \lambda \theta_{t-1}

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad u_t = \max(\beta_2 u_{t-1}, |g_t| + \epsilon)

    .. math:: \theta_t = \theta_{t-1} - \frac{\alpha}{1 - \beta_1^t} \frac{m_t}{u_t}

    Here :math:`\alpha` is ``lr``, :math:`\lambda` ``weight_decay``. The paper has no :math:`\epsilon`. Keeps
    ``step``, ``exp_avg`` (m), ``exp_inf`` (u).

    ``fused=True`` (not in torch.optim) needs a GPU. Shapes and dtypes: any dense.
    Errors: ValueError, TypeError for a hyper-parameter; RuntimeError for an unfit gradient or state.
    Source: Kingma and Ba (2015), algorithm 2.
    """

    allowed: ClassVar[Mapping[str, Interval]] = {
        "lr": NOT_NEGATIVE,
        "betas": FROM_0_BELOW_1,
        "eps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
    }
    always_kept = ("exp_avg", "exp_inf")

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults, fused)

    def added_later(self) -> dict[str, Any]:
        return {"capturable": False}

    def update(self, theta: Tensor, g: Tensor, t: Any, state: State, group: Group) -> None:
        (beta1, beta2), weight_decay = group["betas"], group["weight_decay"]
        m, u = state["exp_avg"], state["exp_inf"]
        # g_t = grad f_t(theta_{t-1}) + lambda theta_{t-1}
        if nonzero(weight_decay):
            g = plus(g, weight_decay, theta)
        # m_t = beta1 m_{t-1} + (1 - beta1) g_t
        lerp_(m, g, 1 - beta1)
        # u_t = max(beta2 u_{t-1}, abs(g_t) + epsilon)
        u = maximum_(u.mul_(beta2), g.abs() + group["eps"])
        # theta_t = theta_{t-1} - alpha / (1 - beta1^t) m_t / u_t
        subtract_ratio_(theta, group["lr"] / (1 - beta1**t), m, u)

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        (beta1, beta2) = group["betas"]
        m, u = state["exp_avg"], state["exp_inf"]
        if group["weight_decay"] != 0:
            g = add_l2_foreach(g, theta, group)
        torch._foreach_lerp_(m, g, 1 - beta1)
        torch._foreach_mul_(u, beta2)
        sizes = list(torch._foreach_abs(g))
        del g  # frees it, where it is a copy
        torch._foreach_add_(sizes, group["eps"])
        torch._foreach_maximum_(u, sizes)
        step_sizes = [group["lr"] / (1 - beta1**s) for s in t]
        if isinstance(step_sizes[0], Tensor):
            u = list(torch._foreach_add(u, 0))  # as what follows overwrites it
        subtract_ratio_foreach_(theta, step_sizes, m, u)

    def kernel(self, group: Group, begins: bool) -> Kernel:
        return Kernel("adamax", (group["lr"], *group["betas"], group["eps"]))
