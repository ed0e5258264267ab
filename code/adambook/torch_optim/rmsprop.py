"""RMSProp, plain, centred and with momentum, as a torch.optim.Optimizer."""

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
    average_squares_,
    average_squares_foreach_,
    lerp_,
    nonzero,
    plus,
    plus_,
    plus_eps,
    subtract_foreach_,
    subtract_ratio_,
    subtract_ratio_foreach_,
)
from adambook.torch_optim.fused import Kernel


class RMSprop(Optimizer):
    r"""RMSProp: divide by the root of an average of recent squared gradients (torch.optim.RMSprop).

    .. math:: g_t = \nabla f_t(\theta_{t-1}) + \lambda \theta_{t-1}, \qquad
              v_t = \beta v_{t-1} + (1 - \beta) g_t^2

    .. math:: b_t = \mu b_{t-1} + \frac{g_t}{\sqrt{v_t} + \epsilon}, \qquad
              \theta_t = \theta_{t-1} - \alpha b_t

    With ``centered``, :math:`v_t - n_t^2` stands in the place of :math:`v_t` under the root, where
    :math:`n_t = \beta n_{t-1} + (1 - \beta) g_t`. Here :math:`\alpha` is ``lr``, :math:`\beta` is torch's
    ``alpha``, :math:`\mu` ``momentum``, :math:`\lambda` ``weight_decay``. Keeps ``step``, ``square_avg`` (v),
    ``grad_avg`` (n) if centered, ``momentum_buffer`` (b) if :math:`\mu > 0`.

    ``fused=True`` (not in torch.optim) needs a GPU: torch has no kernel for the CPU to hand over to.

    Shapes and dtypes: any dense.
    Errors: ValueError, TypeError for a hyper-parameter; RuntimeError for an unfit gradient or state.
    Source: Tieleman and Hinton (2012), lecture 6e, slide 29; centred: Graves (2013), equations 38 to 41.
    """

    allowed: ClassVar[Mapping[str, Interval]] = {
        "lr": NOT_NEGATIVE,
        "alpha": FROM_0_BELOW_1,
        "eps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
        "momentum": NOT_NEGATIVE,
    }
    always_kept = ("square_avg",)
    sometimes_kept = ("momentum_buffer", "grad_avg")
    uses_t = False  # the count is kept, as in torch, and nothing depends on it

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        *,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults, fused)

    def added_later(self) -> dict[str, Any]:
        return {"momentum": 0, "centered": False, "capturable": False}

    def kept(self, group: Group) -> tuple[str, ...]:
        momentum = ("momentum_buffer",) if nonzero(group["momentum"]) else ()
        return ("square_avg", *momentum, *(("grad_avg",) if group["centered"] else ()))

    def update(self, theta: Tensor, g: Tensor, t: Any, state: State, group: Group) -> None:
        lr, beta, mu, weight_decay = group["lr"], group["alpha"], group["momentum"], group["weight_decay"]
        v = state["square_avg"]
        # g_t = grad f_t(theta_{t-1}) + lambda theta_{t-1}
        if nonzero(weight_decay):
            g = plus(g, weight_decay, theta)
        # v_t = beta v_{t-1} + (1 - beta) g_t^2
        average_squares_(v, beta, g)
        if group["centered"]:
            # n_t = beta n_{t-1} + (1 - beta) g_t,  s_t = v_t - n_t^2
            n = lerp_(state["grad_avg"], g, 1 - beta)
            root = v.addcmul(n, n, value=-1).sqrt_()
        else:
            root = v.sqrt()
        denominator = plus_eps(root, group["eps"])
        if nonzero(mu):
            # b_t = mu b_{t-1} + g_t / (sqrt(s_t) + epsilon),  theta_t = theta_{t-1} - alpha b_t
            b = state["momentum_buffer"].mul_(mu).addcdiv_(g, denominator)
            plus_(theta, -lr, b)
        else:
            # theta_t = theta_{t-1} - alpha g_t / (sqrt(s_t) + epsilon)
            subtract_ratio_(theta, lr, g, denominator)

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        lr, beta, mu = group["lr"], group["alpha"], group["momentum"]
        v = state["square_avg"]
        if group["weight_decay"] != 0:
            g = add_l2_foreach(g, theta, group)
        average_squares_foreach_(v, beta, g)
        if group["centered"]:
            n = state["grad_avg"]
            torch._foreach_lerp_(n, g, 1 - beta)
            denominator = list(torch._foreach_addcmul(v, n, n, value=-1))
            torch._foreach_sqrt_(denominator)
        else:
            denominator = list(torch._foreach_sqrt(v))
        torch._foreach_add_(denominator, group["eps"])
        if mu > 0:
            b = state["momentum_buffer"]
            torch._foreach_mul_(b, mu)
            torch._foreach_addcdiv_(b, g, denominator)
            subtract_foreach_(theta, lr, b)
        else:
            subtract_ratio_foreach_(theta, lr, g, denominator)

    def kernel(self, group: Group, begins: bool) -> Kernel:
        lr, beta, mu, eps = group["lr"], group["alpha"], group["momentum"], group["eps"]
        return Kernel("rmsprop", (lr, beta, 1 - beta, mu, eps), (group["centered"], bool(mu > 0)))
