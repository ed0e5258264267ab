"""AdaGrad, as a torch.optim.Optimizer."""

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
    nonzero,
    plus,
    plus_eps,
    subtract_ratio_,
    subtract_ratio_foreach_,
)
from adambook.torch_optim.fused import Columns, Kernel


class Adagrad(Optimizer):
    r"""AdaGrad: divide by the root of the sum of all squared gradients (torch.optim.Adagrad).

    .. math:: g_t = \nabla f_t(\theta_{t-1}) + \lambda \theta_{t-1}, \qquad v_t = v_{t-1} + g_t^2

    .. math:: \theta_t = \theta_{t-1} - \frac{\alpha}{1 + (t - 1) \eta} \frac{g_t}{\sqrt{v_t} + \epsilon}

    Here :math:`\alpha` is ``lr``, :math:`\eta` ``lr_decay``, :math:`\lambda` ``weight_decay`` and :math:`v_0`
    ``initial_accumulator_value``, which a parameter group may set for itself (torch.optim takes the
    constructor's for all). Keeps ``step`` and ``sum`` (v), created at the first step.

    Shapes and dtypes: any; takes sparse gradients (real, without weight decay).
    Errors: ValueError, TypeError for a hyper-parameter; RuntimeError for an unfit gradient or state.
    Source: Duchi, Hazan and Singer (2011), figure 1 with diagonal matrices (delta there is epsilon here).
    """

    allowed: ClassVar[Mapping[str, Interval]] = {
        "lr": NOT_NEGATIVE,
        "lr_decay": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
        "initial_accumulator_value": NOT_NEGATIVE,
        "eps": NOT_NEGATIVE,
    }
    always_kept = ("sum",)
    takes_sparse = True
    right_on_cpu = (torch.float32, torch.float64, torch.bfloat16)  # in float16, torch's kernel divides 0 by 0

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def added_later(self) -> dict[str, Any]:
        return {"fused": None}

    def initial(self, name: str, p: Tensor, group: Group) -> Tensor:
        start = group["initial_accumulator_value"]
        if p.is_complex():
            start = complex(start, start)
        return torch.zeros_like(p, memory_format=torch.preserve_format) + start

    def share_memory(self) -> None:
        """Create the state of all parameters in shared memory, for several processes that train together."""
        for group in self.param_groups:
            self._plan([(p, p, self.state[p]) for p in group["params"]], group)
            for p in group["params"]:
                self.state[p]["sum"].share_memory_()

    def check_sparse_gradient(self, p: Tensor, group: Group) -> None:
        if group["weight_decay"] != 0:
            raise RuntimeError(
                f"Adagrad: weight_decay = {group['weight_decay']} with a sparse gradient; allowed: 0"
            )
        if p.is_complex():
            raise RuntimeError("Adagrad: a complex parameter with a sparse gradient; allowed: real ones")

    def update(self, theta: Tensor, g: Tensor, t: Any, state: State, group: Group) -> None:
        v, eps, weight_decay = state["sum"], group["eps"], group["weight_decay"]
        # alpha_t = alpha / (1 + (t - 1) eta)
        step_size = group["lr"] / (1 + (t - 1) * group["lr_decay"])
        if g.is_sparse:
            self._update_sparse(theta, g.coalesce(), step_size, v, eps)
            return
        # g_t = grad f_t(theta_{t-1}) + lambda theta_{t-1}
        if nonzero(weight_decay):
            g = plus(g, weight_decay, theta)
        # v_t = v_{t-1} + g_t^2
        v.addcmul_(g, g)
        # theta_t = theta_{t-1} - alpha_t g_t / (sqrt(v_t) + epsilon)
        subtract_ratio_(theta, step_size, g, plus_eps(v.sqrt(), eps))

    @staticmethod
    def _update_sparse(theta: Tensor, g: Tensor, step_size: Any, v: Tensor, eps: float) -> None:
        """The same, only where the gradient has entries."""
        v.add_(g.square())
        ratio = g.values() / plus_eps(v.sparse_mask(g).values().sqrt(), eps)
        theta.add_(
            torch.sparse_coo_tensor(g.indices(), ratio, g.shape, check_invariants=False), alpha=-step_size
        )

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        if group["weight_decay"] != 0:
            g = add_l2_foreach(g, theta, group)
        torch._foreach_addcmul_(state["sum"], g, g)
        denominator = list(torch._foreach_sqrt(state["sum"]))
        torch._foreach_add_(denominator, group["eps"])
        step_sizes = [group["lr"] / (1 + (s - 1) * group["lr_decay"]) for s in t]
        subtract_ratio_foreach_(theta, step_sizes, g, denominator)

    def kernel(self, group: Group, begins: bool) -> Kernel:
        return Kernel("adagrad", (group["lr"], group["lr_decay"], group["eps"]))

    def update_fused_on_cpu(self, columns: Columns, group: Group, grad_scale: Tensor | None) -> None:
        names = ("lr", "lr_decay", "weight_decay", "eps", "maximize")
        torch._fused_adagrad_(
            columns.p,
            columns.g,
            columns.state["sum"],
            columns.step,
            **{name: group[name] for name in names},
            grad_scale=grad_scale,
        )
