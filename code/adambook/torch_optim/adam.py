"""Adam, as a torch.optim.Optimizer; AMSGrad and AdamW are this rule with one line changed each."""

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
    maximum_,
    nonzero,
    plus,
    plus_eps,
    subtract_ratio_,
    subtract_ratio_foreach_,
)
from adambook.torch_optim.fused import Columns, Kernel


class Adam(Optimizer):
    r"""Adam: an average of gradients over the root of an average of their squares (torch.optim.Adam).

    .. math:: g_t = \nabla f_t(\theta_{t-1}) + \lambda \theta_{t-1}

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2

    .. math:: \theta_t = \theta_{t-1} - \frac{\alpha \, m_t / (1 - \beta_1^t)}
              {\sqrt{v_t} / \sqrt{1 - \beta_2^t} + \epsilon}

    Here :math:`\alpha` is ``lr``, :math:`\lambda` ``weight_decay``. With ``amsgrad`` the largest v so far
    stands in the place of :math:`v_t` (see `AMSGrad`); ``decoupled_weight_decay`` takes the decay out of
    :math:`g_t` (see `AdamW`). Keeps ``step``, ``exp_avg`` (m), ``exp_avg_sq`` (v), with amsgrad
    ``max_exp_avg_sq``.

    Shapes and dtypes: any dense.
    Errors: ValueError, TypeError for a hyper-parameter; RuntimeError for an unfit gradient or state.
    Source: Kingma and Ba (2015), algorithm 1.
    """

    allowed: ClassVar[Mapping[str, Interval]] = {
        "lr": NOT_NEGATIVE,
        "betas": FROM_0_BELOW_1,
        "eps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
    }
    always_kept = ("exp_avg", "exp_avg_sq")
    sometimes_kept = ("max_exp_avg_sq",)

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    @classmethod
    def check_options(cls, group: Any) -> None:
        super().check_options(group)
        if group.get("foreach") and not group.get("capturable"):
            for name, value in (("lr", group["lr"]), ("betas", group["betas"][0])):
                if isinstance(value, Tensor):
                    raise ValueError(
                        f"{name} is a tensor with foreach = True and capturable = False; allowed: a number, "
                        "foreach = False, or capturable = True on a GPU"
                    )

    def added_later(self) -> dict[str, Any]:
        return {"amsgrad": False, "capturable": False, "fused": None, "decoupled_weight_decay": False}

    def kept(self, group: Group) -> tuple[str, ...]:
        return self.always_kept + self.sometimes_kept if group["amsgrad"] else self.always_kept

    def update(self, theta: Tensor, g: Tensor, t: Any, state: State, group: Group) -> None:
        lr, (beta1, beta2), weight_decay = group["lr"], group["betas"], group["weight_decay"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        if nonzero(weight_decay):
            if group["decoupled_weight_decay"]:
                # theta <- theta_{t-1} - alpha lambda theta_{t-1}       (AdamW)
                theta.mul_(1 - lr * weight_decay)
            else:
                # g_t = grad f_t(theta_{t-1}) + lambda theta_{t-1}
                g = plus(g, weight_decay, theta)
        # m_t = beta1 m_{t-1} + (1 - beta1) g_t
        # v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
        lerp_(m, g, 1 - beta1)
        average_squares_(v, beta2, g)
        if group["amsgrad"]:
            # v^max_t = max(v^max_{t-1}, v_t), in the place of v_t below       (AMSGrad)
            v = maximum_(state["max_exp_avg_sq"], v)
        # theta_t = theta - alpha m_t / (1 - beta1^t) / (sqrt(v_t) / sqrt(1 - beta2^t) + epsilon)
        denominator = plus_eps(v.sqrt() / (1 - beta2**t) ** 0.5, group["eps"])
        subtract_ratio_(theta, lr / (1 - beta1**t), m, denominator)

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        lr, (beta1, beta2) = group["lr"], group["betas"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        g = decayed_foreach(theta, g, group)
        torch._foreach_lerp_(m, g, 1 - beta1)
        average_squares_foreach_(v, beta2, g)
        del g  # frees it, where it is a copy, before the denominator needs as much
        if group["amsgrad"]:
            torch._foreach_maximum_(state["max_exp_avg_sq"], v)
            v = state["max_exp_avg_sq"]
        denominator = list(torch._foreach_sqrt(v))
        if isinstance(t[0], Tensor):
            correction1, correction2 = _corrections_on_device(beta1, t), _corrections_on_device(beta2, t)
            torch._foreach_sqrt_(correction2)
            torch._foreach_div_(denominator, correction2)
            step_sizes = list(torch._foreach_mul(torch._foreach_reciprocal(correction1), lr))
        else:
            torch._foreach_div_(denominator, [(1 - beta2**s) ** 0.5 for s in t])
            step_sizes = [lr / (1 - beta1**s) for s in t]
        torch._foreach_add_(denominator, group["eps"])
        subtract_ratio_foreach_(theta, step_sizes, m, denominator)

    def kernel(self, group: Group, begins: bool) -> Kernel:
        numbers = (group["lr"], *group["betas"], group["eps"])
        rule = "amsgrad" if group["amsgrad"] else "adam"
        return Kernel(rule, numbers, decoupled=group["decoupled_weight_decay"])

    def update_fused_on_cpu(self, columns: Columns, group: Group, grad_scale: Tensor | None) -> None:
        step_ = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
        beta1, beta2 = group["betas"]
        step_(
            columns.p,
            columns.g,
            columns.state["exp_avg"],
            columns.state["exp_avg_sq"],
            columns.state.get("max_exp_avg_sq", []),
            columns.step,
            beta1=beta1,
            beta2=beta2,
            **{name: group[name] for name in ("lr", "weight_decay", "eps", "amsgrad", "maximize")},
            grad_scale=grad_scale,
        )


def _corrections_on_device(beta: float, t: list[Tensor]) -> list[Tensor]:
    """Return 1 - beta^t for every t, in a few multi-tensor operations that a graph can capture."""
    correction = list(torch._foreach_pow(beta, t))
    torch._foreach_neg_(correction)
    torch._foreach_add_(correction, 1)
    return correction
