"""RAdam, as a torch.optim.Optimizer."""

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
    decayed_foreach,
    lerp_,
    nonzero,
    plus,
    plus_eps,
)
from adambook.torch_optim.fused import Kernel


class RAdam(Optimizer):
    r"""RAdam: Adam that is momentum at first, and then warms up by itself (torch.optim.RAdam).

    .. math:: g_t = \nabla f_t(\theta_{t-1}) + \lambda \theta_{t-1}, \qquad
              m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2

    .. math:: \theta_t = \theta_{t-1} - \alpha \frac{m_t}{1 - \beta_1^t} \cdot \begin{cases}
              r_t \sqrt{1 - \beta_2^t} / (\sqrt{v_t} + \epsilon) & \text{if } \rho_t > 5 \\
              1 & \text{else} \end{cases}

    .. math:: r_t = \sqrt{\frac{(\rho_t - 4)(\rho_t - 2)\rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2)\rho_t}},
              \qquad \rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t}, \qquad
              \rho_\infty = \frac{2}{1 - \beta_2} - 1

    Here :math:`\alpha` is ``lr``, :math:`\lambda` ``weight_decay``, which ``decoupled_weight_decay`` takes out
    of :math:`g_t` (see `AdamW`). The paper divides from :math:`\rho_t > 4` on and has no :math:`\epsilon`.
    Keeps ``step``, ``exp_avg`` (m), ``exp_avg_sq`` (v).

    ``fused=True`` (not in torch.optim) needs a GPU. Shapes and dtypes: any dense.
    Errors: ValueError, TypeError for a hyper-parameter; RuntimeError for an unfit gradient or state.
    Source: Liu et al. (2020), algorithm 2.
    """

    allowed: ClassVar[Mapping[str, Interval]] = {
        "lr": NOT_NEGATIVE,
        "betas": FROM_0_BELOW_1,
        "eps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
    }
    always_kept = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
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
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults, fused)

    def added_later(self) -> dict[str, Any]:
        return {"capturable": False, "decoupled_weight_decay": False}

    def update(self, theta: Tensor, g: Tensor, t: Any, state: State, group: Group) -> None:
        lr, (beta1, beta2), weight_decay = group["lr"], group["betas"], group["weight_decay"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        if nonzero(weight_decay):
            if group["decoupled_weight_decay"]:
                # theta <- theta_{t-1} - alpha lambda theta_{t-1}
                theta.mul_(1 - lr * weight_decay)
            else:
                # g_t = grad f_t(theta_{t-1}) + lambda theta_{t-1}
                g = plus(g, weight_decay, theta)
        # m_t = beta1 m_{t-1} + (1 - beta1) g_t
        # v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
        lerp_(m, g, 1 - beta1)
        average_squares_(v, beta2, g)
        # theta_t = theta - alpha m_t / (1 - beta1^t) r_t sqrt(1 - beta2^t) / (sqrt(v_t) + epsilon), r_t = 0: without v
        step, r = m / (1 - beta1**t) * lr, rectification(beta2, t)
        if isinstance(r, Tensor) or r > 0:
            adaptive = (1 - beta2**t) ** 0.5 / plus_eps(v.sqrt(), group["eps"])
            step = step * torch.where(r > 0, adaptive * r, 1.0) if isinstance(r, Tensor) else step * adaptive * r
        theta.sub_(step)

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        lr, (beta1, beta2) = group["lr"], group["betas"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        g = decayed_foreach(theta, g, group)
        torch._foreach_lerp_(m, g, 1 - beta1)
        average_squares_foreach_(v, beta2, g)
        del g  # frees it, where it is a copy
        steps = list(torch._foreach_div(m, [1 - beta1**s for s in t]))
        torch._foreach_mul_(steps, lr)
        r = [rectification(beta2, s) for s in t]
        of_r = [i for i, each in enumerate(r) if isinstance(each, Tensor) or each > 0]
        if of_r:
            adaptive = list(torch._foreach_sqrt([v[i] for i in of_r]))
            torch._foreach_add_(adaptive, group["eps"])
            torch._foreach_reciprocal_(adaptive)
            torch._foreach_mul_(adaptive, [(1 - beta2 ** t[i]) ** 0.5 for i in of_r])
            picked = [steps[i] for i in of_r]
            if isinstance(t[0], Tensor):
                factors = zip(r, adaptive, strict=True)
                torch._foreach_mul_(picked, [torch.where(each > 0, a * each, 1.0) for each, a in factors])
            else:
                torch._foreach_mul_(picked, adaptive)
                torch._foreach_mul_(picked, [r[i] for i in of_r])
        torch._foreach_sub_(theta, steps)

    def kernel(self, group: Group, begins: bool) -> Kernel:
        numbers = (group["lr"], *group["betas"], group["eps"])
        return Kernel("radam", numbers, decoupled=group["decoupled_weight_decay"])


def rectification(beta2: Any, t: Any) -> Any:
    """Return r_t of `RAdam`, and 0 where rho_t <= 5; a tensor where one is given."""
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
    if not isinstance(rho, Tensor):
        return ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5 if rho > 5 else 0.0
    low = rho.clamp(min=5)  # no root of a negative number where it is not wanted
    high = rho_inf.clamp(min=5) if isinstance(rho_inf, Tensor) else max(rho_inf, 5.0)
    r = ((low - 4) * (low - 2) * high / ((high - 4) * (high - 2) * low)) ** 0.5
    return torch.where(rho > 5, r, 0.0)
