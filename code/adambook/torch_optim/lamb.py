"""LAMB, as a torch.optim.Optimizer."""

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
    whole,
)


class LAMB(Optimizer):
    r"""LAMB: AdamW whose step is as long as the parameter, times the step size.

    .. math:: u_t = \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t} / \sqrt{1 - \beta_2^t} + \epsilon}
              + \lambda \theta_{t-1}, \qquad
              \theta_t = \theta_{t-1} - \alpha \frac{\lVert \theta_{t-1} \rVert}{\lVert u_t \rVert} u_t

    with :math:`m_t` and :math:`v_t` as in `AdamW`. A parameter has one ratio, 1 where either length is zero.
    Here :math:`\alpha` is ``lr``, :math:`\lambda` ``weight_decay``. Keeps ``step``, ``exp_avg`` (m),
    ``exp_avg_sq`` (v). A DTensor's lengths are those of the whole.

    Shapes and dtypes: any dense.
    Errors: ValueError, TypeError for a hyper-parameter; RuntimeError for an unfit gradient or state.
    Source: You et al. (2020), algorithm 2, with the identity for its function of the length.
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
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
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
        }
        super().__init__(params, defaults)

    def update(self, theta: Tensor, g: Tensor, t: Any, state: State, group: Group) -> None:
        lr, (beta1, beta2), weight_decay = group["lr"], group["betas"], group["weight_decay"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        # m_t = beta1 m_{t-1} + (1 - beta1) g_t
        # v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
        lerp_(m, g, 1 - beta1)
        average_squares_(v, beta2, g)
        # u_t = m_t / (1 - beta1^t) / (sqrt(v_t) / sqrt(1 - beta2^t) + epsilon) + lambda theta_{t-1}
        u = m / (1 - beta1**t) / plus_eps(v.sqrt() / (1 - beta2**t) ** 0.5, group["eps"])
        if nonzero(weight_decay):
            u = plus(u, weight_decay, theta)
        # theta_t = theta_{t-1} - alpha |theta_{t-1}| / |u_t| u_t
        before = theta.clone() if torch.is_grad_enabled() else theta
        theta.sub_(u * (lr * _ratio(torch.linalg.vector_norm(before), torch.linalg.vector_norm(u))))

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        lr, (beta1, beta2), weight_decay = group["lr"], group["betas"], group["weight_decay"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        torch._foreach_lerp_(m, g, 1 - beta1)
        average_squares_foreach_(v, beta2, g)
        denominator = list(torch._foreach_sqrt(v))
        torch._foreach_div_(denominator, [(1 - beta2**s) ** 0.5 for s in t])
        torch._foreach_add_(denominator, group["eps"])
        u = list(torch._foreach_div(m, [1 - beta1**s for s in t]))
        torch._foreach_div_(u, denominator)
        if weight_decay != 0:
            torch._foreach_add_(u, theta, alpha=weight_decay)
        ratios = map(_ratio, torch._foreach_norm(theta), torch._foreach_norm(u))
        torch._foreach_mul_(u, [lr * ratio for ratio in ratios])
        torch._foreach_sub_(theta, u)


def _ratio(p: Tensor, q: Tensor) -> Tensor:
    """Return one length over the other, 1 where either is zero; nothing is read from the device."""
    p, q = whole(p), whole(q)
    return torch.where((p > 0) & (q > 0), p / torch.where(q > 0, q, 1.0), 1.0)
