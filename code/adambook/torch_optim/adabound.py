"""AdaBound, as a torch.optim.Optimizer."""

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
    plus_eps,
)
from adambook.torch_optim.fused import Kernel


class AdaBound(Optimizer):
    r"""AdaBound: Adam at first, gradient descent in the end.

    .. math:: g_t = \nabla f_t(\theta_{t-1}) + \lambda \theta_{t-1}, \qquad
              m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2

    .. math:: l_t = \alpha^* (1 - \frac{1}{\gamma t + 1}), \qquad h_t = \alpha^* (1 + \frac{1}{\gamma t}), \qquad
              \alpha_t = \alpha \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}

    .. math:: \theta_t = \theta_{t-1} - \operatorname{clip}(\frac{\alpha_t}{\sqrt{v_t} + \epsilon}, l_t, h_t) m_t

    Here :math:`\alpha` is ``lr``, :math:`\lambda` ``weight_decay``, and :math:`\alpha^*` is ``final_lr``, which
    goes down with a schedule: it is multiplied by ``lr`` over the ``lr`` that the group began with, its
    ``base_lr``. The paper divides ``lr`` by the root of t and has no bias correction. Keeps ``step``,
    ``exp_avg`` (m), ``exp_avg_sq`` (v).

    ``fused=True`` needs a GPU. Shapes and dtypes: any dense.
    Errors: ValueError, TypeError for a hyper-parameter, among them an ``lr`` of 0 to begin with; RuntimeError
    for an unfit gradient or state.
    Source: Luo et al. (2019), algorithm 2; the authors' AdaBound.
    """

    allowed: ClassVar[Mapping[str, Interval]] = {
        "lr": NOT_NEGATIVE,
        "base_lr": NOT_NEGATIVE,
        "betas": FROM_0_BELOW_1,
        "final_lr": NOT_NEGATIVE,
        "gamma": FROM_0_BELOW_1,
        "eps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
    }
    always_kept = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        final_lr: float = 0.1,
        gamma: float = 1e-3,
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
            "final_lr": final_lr,
            "gamma": gamma,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    @classmethod
    def check_options(cls, group: Any) -> None:
        if "lr" in group:
            group = {"base_lr": group["lr"], **group}
        super().check_options(group)
        if not nonzero(group["gamma"]):
            raise ValueError("gamma = 0; allowed: 0 < gamma < 1. Bounds that never close in are Adam's")
        if not nonzero(group["base_lr"]):
            raise ValueError(
                "lr = 0 to begin with; allowed: 0 < lr, as final_lr is in proportion to it. "
                "Begin with the largest lr, and warm up with a scheduler"
            )

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        if isinstance(param_group, dict):
            lr = param_group.get("lr", self.defaults["lr"])
            param_group = {"base_lr": lr.clone() if isinstance(lr, Tensor) else lr, **param_group}
        super().add_param_group(param_group)

    def _bounds(self, t: Any, group: Group) -> tuple[Any, Any, Any]:
        """Return alpha_t, l_t and h_t."""
        lr, (beta1, beta2), gamma = group["lr"], group["betas"], group["gamma"]
        final = group["final_lr"] * lr / group["base_lr"]
        low, high = final * (1 - 1 / (gamma * t + 1)), final * (1 + 1 / (gamma * t))
        return lr * (1 - beta2**t) ** 0.5 / (1 - beta1**t), low, high

    def update(self, theta: Tensor, g: Tensor, t: Any, state: State, group: Group) -> None:
        (beta1, beta2), weight_decay = group["betas"], group["weight_decay"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        # g_t = grad f_t(theta_{t-1}) + lambda theta_{t-1}
        if nonzero(weight_decay):
            g = plus(g, weight_decay, theta)
        # m_t = beta1 m_{t-1} + (1 - beta1) g_t
        # v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
        lerp_(m, g, 1 - beta1)
        average_squares_(v, beta2, g)
        # theta_t = theta_{t-1} - clip(alpha_t / (sqrt(v_t) + epsilon), l_t, h_t) m_t
        step_size, low, high = self._bounds(t, group)
        theta.sub_((step_size / plus_eps(v.sqrt(), group["eps"])).clamp(low, high) * m)

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        beta1, beta2 = group["betas"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        if group["weight_decay"] != 0:
            g = add_l2_foreach(g, theta, group)
        torch._foreach_lerp_(m, g, 1 - beta1)
        average_squares_foreach_(v, beta2, g)
        del g  # frees it, where it is a copy
        step_sizes, low, high = map(list, zip(*(self._bounds(s, group) for s in t), strict=True))
        clipped = list(torch._foreach_sqrt(v))
        torch._foreach_add_(clipped, group["eps"])
        torch._foreach_reciprocal_(clipped)
        torch._foreach_mul_(clipped, step_sizes)
        torch._foreach_clamp_min_(clipped, low)
        torch._foreach_clamp_max_(clipped, high)
        torch._foreach_mul_(clipped, m)
        torch._foreach_sub_(theta, clipped)

    def kernel(self, group: Group, begins: bool) -> Kernel:
        final = group["final_lr"] * group["lr"] / group["base_lr"]
        return Kernel("adabound", (group["lr"], *group["betas"], final, group["gamma"], group["eps"]))
