"""NAdam, as a torch.optim.Optimizer."""

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
    subtract_ratio_,
    subtract_ratios_foreach_,
)
from adambook.torch_optim.fused import Kernel


class NAdam(Optimizer):
    r"""NAdam: Adam whose average looks one step ahead, with a momentum that warms up (torch.optim.NAdam).

    .. math:: g_t = \nabla f_t(\theta_{t-1}) + \lambda \theta_{t-1}, \qquad
              \mu_t = \beta_1 (1 - \tfrac{1}{2} 0.96^{t \psi}), \qquad p_t = p_{t-1} \mu_t

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2

    .. math:: \theta_t = \theta_{t-1} - \frac{\alpha}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}
              \left( \frac{(1 - \mu_t) g_t}{1 - p_t} + \frac{\mu_{t+1} m_t}{1 - p_t \mu_{t+1}} \right)

    with :math:`p_0 = 1`. Here :math:`\alpha` is ``lr``, :math:`\psi` ``momentum_decay``, :math:`\lambda`
    ``weight_decay``, which ``decoupled_weight_decay`` takes out of :math:`g_t` (see `AdamW`). Keeps ``step``,
    ``exp_avg`` (m), ``exp_avg_sq`` (v), and ``mu_product`` (p), a 0-d tensor whose dtype a checkpoint keeps
    (torch.optim rounds it to the parameter's). ``betas`` are numbers.

    ``fused=True`` (not in torch.optim) needs a GPU. Shapes and dtypes: any dense.
    Errors: ValueError, TypeError for a hyper-parameter; RuntimeError for an unfit gradient or state.
    Source: Dozat (2016), section 2, with the schedule of its algorithm 8 in the longer report.
    """

    allowed: ClassVar[Mapping[str, Interval]] = {
        "lr": NOT_NEGATIVE,
        "betas": FROM_0_BELOW_1,
        "eps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
        "momentum_decay": NOT_NEGATIVE,
    }
    always_kept = ("mu_product", "exp_avg", "exp_avg_sq")
    scalars = ("step", "mu_product")

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults, fused)

    def added_later(self) -> dict[str, Any]:
        return {"capturable": False, "decoupled_weight_decay": False}

    def initial(self, name: str, p: Tensor, group: Group) -> Tensor | None:
        if name != "mu_product":
            return super().initial(name, p, group)
        exact = torch.get_default_dtype() is torch.float64  # then torch.optim keeps it in float64, too
        one = self._new_step(p, group).to(torch.float64 if exact else torch.float32)
        return one + (1 + 0 * group["betas"][0] * group["momentum_decay"])  # one of many under vmap

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
        # mu_t = beta1 (1 - 0.96^(t psi) / 2),  p_t = p_{t-1} mu_t
        mu, mu_next = _momenta(t, group)
        p: Any = state["mu_product"].mul_(mu)
        p = p if isinstance(t, Tensor) else p.item()
        # m_t = beta1 m_{t-1} + (1 - beta1) g_t
        # v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
        lerp_(m, g, 1 - beta1)
        average_squares_(v, beta2, g)
        # theta_t = theta - alpha (1 - mu_t) / (1 - p_t) g_t / (sqrt(v_t / (1 - beta2^t)) + epsilon)
        #                 - alpha mu_{t+1} / (1 - p_t mu_{t+1}) m_t / (the same)
        denominator = plus_eps((v / (1 - beta2**t)).sqrt(), group["eps"])
        subtract_ratio_(theta, lr * (1 - mu) / (1 - p), g, denominator)
        subtract_ratio_(theta, lr * mu_next / (1 - p * mu_next), m, denominator)

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        lr, (beta1, beta2) = group["lr"], group["betas"]
        m, v, p = state["exp_avg"], state["exp_avg_sq"], state["mu_product"]
        g = decayed_foreach(theta, g, group)
        momenta = [_momenta(s, group) for s in t]
        products: list[Any] = [product.mul_(mu) for product, (mu, _) in zip(p, momenta, strict=True)]
        if not isinstance(t[0], Tensor):
            products = [product.item() for product in products]
        torch._foreach_lerp_(m, g, 1 - beta1)
        average_squares_foreach_(v, beta2, g)
        denominator = list(torch._foreach_div(v, [1 - beta2**s for s in t]))
        torch._foreach_sqrt_(denominator)
        torch._foreach_add_(denominator, group["eps"])
        pairs = list(zip(momenta, products, strict=True))
        of_g = [lr * (1 - mu) / (1 - product) for (mu, _), product in pairs]
        of_m = [lr * mu_next / (1 - product * mu_next) for (_, mu_next), product in pairs]
        subtract_ratios_foreach_(theta, (of_g, g), (of_m, m), denominator)

    def kernel(self, group: Group, begins: bool) -> Kernel:
        numbers = (group["lr"], *group["betas"], group["eps"], group["momentum_decay"])
        return Kernel("nadam", numbers, decoupled=group["decoupled_weight_decay"])


def _momenta(t: Any, group: Group) -> tuple[Any, Any]:
    beta1, psi = group["betas"][0], group["momentum_decay"]
    return beta1 * (1 - 0.5 * 0.96 ** (t * psi)), beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * psi))
