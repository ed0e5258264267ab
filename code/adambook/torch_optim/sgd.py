"""SGD with momentum and Nesterov's acceleration, as a torch.optim.Optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from adambook.torch_optim.base import (
    ANY,
    NOT_NEGATIVE,
    Group,
    Interval,
    Lists,
    Optimizer,
    State,
    add_l2_foreach,
    nonzero,
    plus,
    plus_,
    subtract_foreach_,
)
from adambook.torch_optim.fused import Columns, Kernel


class SGD(Optimizer):
    r"""Stochastic gradient descent with momentum (torch.optim.SGD).

    .. math:: g_t = \nabla f_t(\theta_{t-1}) + \lambda \theta_{t-1}

    .. math:: b_1 = g_1, \qquad b_t = \mu b_{t-1} + (1 - \tau) g_t, \qquad
              \theta_t = \theta_{t-1} - \alpha b_t

    With ``nesterov``, :math:`g_t + \mu b_t` stands in the place of :math:`b_t`. Here :math:`\alpha` is
    ``lr``, :math:`\mu` ``momentum``, :math:`\tau` ``dampening``, :math:`\lambda` ``weight_decay``. Keeps
    ``momentum_buffer`` (b) if :math:`\mu > 0`.

    Shapes and dtypes: any; takes sparse gradients (without weight decay).
    Errors: ValueError, TypeError for a hyper-parameter; RuntimeError for an unfit gradient or state.
    Source: Polyak (1964), equation 9; Sutskever et al. (2013), equations 3 and 4, with alpha outside b.
    """

    allowed: ClassVar[Mapping[str, Interval]] = {
        "lr": NOT_NEGATIVE,
        "momentum": NOT_NEGATIVE,
        "dampening": ANY,
        "weight_decay": NOT_NEGATIVE,
    }
    sometimes_kept = ("momentum_buffer",)
    counts_steps = False
    takes_sparse = True
    linear = True
    right_on_cpu = (torch.float32, torch.float64)  # torch's kernel skips parts of tensors in half precision

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    @classmethod
    def check_options(cls, group: Any) -> None:
        super().check_options(group)
        if group.get("nesterov") and (not nonzero(group["momentum"]) or nonzero(group["dampening"])):
            raise ValueError(
                f"nesterov = True with momentum = {group['momentum']}, dampening = {group['dampening']}; "
                "allowed: 0 < momentum, dampening = 0"
            )

    def added_later(self) -> dict[str, Any]:
        return {"nesterov": False, "fused": None}

    def kept(self, group: Group) -> tuple[str, ...]:
        return ("momentum_buffer",) if nonzero(group["momentum"]) else ()

    def initial(self, name: str, p: Tensor, group: Group) -> None:
        return None  # the first buffer is the first gradient

    def check_sparse_gradient(self, p: Tensor, group: Group) -> None:
        if group["weight_decay"] != 0:
            raise RuntimeError(
                f"SGD: weight_decay = {group['weight_decay']} with a sparse gradient; allowed: 0"
            )

    def update(self, theta: Tensor, g: Tensor, t: None, state: State, group: Group) -> None:
        lr, mu, tau, weight_decay = group["lr"], group["momentum"], group["dampening"], group["weight_decay"]
        # g_t = grad f_t(theta_{t-1}) + lambda theta_{t-1}
        if nonzero(weight_decay):
            g = plus(g, weight_decay, theta)
        # b_1 = g_1,  b_t = mu b_{t-1} + (1 - tau) g_t
        if nonzero(mu):
            b = state.get("momentum_buffer")
            if b is None:
                b = state["momentum_buffer"] = g.clone()
            else:
                plus_(b.mul_(mu), 1 - tau, g)
            g = plus(g, mu, b) if group["nesterov"] else b
        # theta_t = theta_{t-1} - alpha b_t
        plus_(theta, -lr, g)

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        lr, mu, tau, weight_decay = group["lr"], group["momentum"], group["dampening"], group["weight_decay"]
        if weight_decay != 0:
            g = add_l2_foreach(g, theta, group)
        if mu != 0:
            b = state["momentum_buffer"]
            torch._foreach_mul_(b, mu)
            torch._foreach_add_(b, g, alpha=1 - tau)
            if not group["nesterov"]:
                g = b
            elif weight_decay != 0 or group["maximize"]:  # then g is our copy
                torch._foreach_add_(g, b, alpha=mu)
            else:
                g = list(torch._foreach_add(g, b, alpha=mu))
        subtract_foreach_(theta, lr, g)

    def kernel(self, group: Group, begins: bool) -> Kernel:
        lr, mu = group["lr"], group["momentum"]
        if mu == 0:
            return Kernel("sgd", (lr,))
        return Kernel("momentum", (lr, mu, 1 - group["dampening"]), (group["nesterov"], begins))

    def update_fused_on_cpu(self, columns: Columns, group: Group, grad_scale: Tensor | None) -> None:
        names = ("weight_decay", "momentum", "lr", "dampening", "nesterov", "maximize")
        torch._fused_sgd_(
            columns.p,
            columns.g,
            columns.state.get("momentum_buffer", []),
            **{name: group[name] for name in names},
            is_first_step=columns.begins,
            grad_scale=grad_scale,
        )
