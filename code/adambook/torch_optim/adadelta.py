"""AdaDelta, as a torch.optim.Optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from adambook.torch_optim.base import (
    NOT_NEGATIVE,
    Group,
    Interval,
    Lists,
    Optimizer,
    State,
    add_l2_foreach,
    average_squares_,
    average_squares_foreach_,
    nonzero,
    plus,
    plus_,
    subtract_foreach_,
)
from adambook.torch_optim.fused import Kernel


class Adadelta(Optimizer):
    r"""AdaDelta: the steps taken so far set the size of the next (torch.optim.Adadelta).

    .. math:: g_t = \nabla f_t(\theta_{t-1}) + \lambda \theta_{t-1}, \qquad
              v_t = \rho v_{t-1} + (1 - \rho) g_t^2

    .. math:: s_t = \frac{\sqrt{u_{t-1} + \epsilon}}{\sqrt{v_t + \epsilon}} g_t, \qquad
              u_t = \rho u_{t-1} + (1 - \rho) s_t^2, \qquad \theta_t = \theta_{t-1} - \alpha s_t

    Here :math:`\alpha` is ``lr``, which the paper does not have, :math:`\rho` ``rho``, :math:`\lambda`
    ``weight_decay``. Keeps ``step``, ``square_avg`` (v), ``acc_delta`` (u).

    ``fused=True`` (not in torch.optim) needs a GPU. Shapes and dtypes: any dense.
    Errors: ValueError, TypeError for a hyper-parameter; RuntimeError for an unfit gradient or state.
    Source: Zeiler (2012), algorithm 1.
    """

    allowed: ClassVar[Mapping[str, Interval]] = {
        "lr": NOT_NEGATIVE,
        "rho": {"low": 0.0, "high": 1.0},
        "eps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
    }
    always_kept = ("square_avg", "acc_delta")
    uses_t = False  # the count is kept, as in torch, and nothing depends on it

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults, fused)

    def added_later(self) -> dict[str, Any]:
        return {"capturable": False}

    def update(self, theta: Tensor, g: Tensor, t: Any, state: State, group: Group) -> None:
        lr, rho, eps, weight_decay = group["lr"], group["rho"], group["eps"], group["weight_decay"]
        v, u = state["square_avg"], state["acc_delta"]
        # g_t = grad f_t(theta_{t-1}) + lambda theta_{t-1}
        if nonzero(weight_decay):
            g = plus(g, weight_decay, theta)
        # v_t = rho v_{t-1} + (1 - rho) g_t^2
        average_squares_(v, rho, g)
        # s_t = sqrt(u_{t-1} + epsilon) / sqrt(v_t + epsilon) g_t
        s = (u + eps).sqrt() / (v + eps).sqrt() * g
        # u_t = rho u_{t-1} + (1 - rho) s_t^2
        average_squares_(u, rho, s)
        # theta_t = theta_{t-1} - alpha s_t
        plus_(theta, -lr, s)

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        rho, eps = group["rho"], group["eps"]
        v, u = state["square_avg"], state["acc_delta"]
        if group["weight_decay"] != 0:
            g = add_l2_foreach(g, theta, group)
        average_squares_foreach_(v, rho, g)
        roots = list(torch._foreach_add(v, eps))
        torch._foreach_sqrt_(roots)
        s = list(torch._foreach_add(u, eps))
        torch._foreach_sqrt_(s)
        torch._foreach_div_(s, roots)
        torch._foreach_mul_(s, g)
        del g, roots  # frees them before the step
        average_squares_foreach_(u, rho, s)
        subtract_foreach_(theta, group["lr"], s)

    def kernel(self, group: Group, begins: bool) -> Kernel:
        rho = group["rho"]
        return Kernel("adadelta", (group["lr"], rho, 1 - rho, group["eps"]))
