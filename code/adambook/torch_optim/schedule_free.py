"""Schedule-Free SGD and AdamW, as torch.optim.Optimizers."""

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
    Row,
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


class ScheduleFree(Optimizer):
    """What both have in common: parameters are y to train, and x to evaluate."""

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        super().__init__(params, {**defaults, "train_mode": True})

    @classmethod
    def _share(cls, group: Any) -> Any:
        """Return the share of x in y."""
        raise NotImplementedError

    @classmethod
    def check_options(cls, group: Any) -> None:
        super().check_options(group)
        if not nonzero(cls._share(group)):
            name = "betas[0]" if "betas" in group else "momentum"
            raise ValueError(f"{name} = 0; allowed: 0 < {name}, else x is in no parameter. Use SGD or RMSprop")
        if not isinstance(group.get("train_mode", True), bool):
            raise TypeError(f"train_mode = {group['train_mode']!r} is not a bool; allowed: True, False")

    def initial(self, name: str, p: Tensor, group: Group) -> Tensor | None:
        if name == "z":
            return p.detach().clone(memory_format=torch.preserve_format)
        return super().initial(name, p, group)

    def train(self) -> None:
        """Put y into the parameters, where gradients are taken. A new optimizer is in this mode."""
        self._move(True, lambda share: 1 - share)

    def eval(self) -> None:
        """Put x into the parameters: the average, which is to be evaluated and saved."""
        self._move(False, lambda share: 1 - 1 / share)

    @torch.no_grad()
    def _move(self, train_mode: bool, weight: Any) -> None:
        for group in self.param_groups:
            if group["train_mode"] != train_mode:
                share = self._share(self._plain(group))
                for p in group["params"]:
                    if (z := self.state.get(p, {}).get("z")) is not None:
                        p.lerp_(z, weight(float(share)))
                group["train_mode"] = train_mode

    def _fitting(self, group: Group) -> list[Row]:
        if not group["train_mode"]:
            raise RuntimeError(
                f"{type(self).__name__}: the parameters are x, for evaluation, where no step is taken; "
                "call the optimizer's train() before the gradient is computed"
            )
        return super()._fitting(group)


class ScheduleFreeSGD(ScheduleFree):
    r"""Schedule-Free SGD: gradients are taken between the newest point and the average of all.

    .. math:: g_t = \nabla f_t(y_{t-1}) + \lambda y_{t-1}, \qquad z_t = z_{t-1} - \alpha g_t

    .. math:: x_t = (1 - \tfrac{1}{t}) x_{t-1} + \tfrac{1}{t} z_t, \qquad y_t = (1 - \mu) z_t + \mu x_t

    The parameters are y; `eval` puts x in their place, `train` puts y back. Here :math:`\alpha` is ``lr``, which
    no schedule should change, :math:`\mu` ``momentum``, which must stay as it is, :math:`\lambda`
    ``weight_decay``. Keeps ``step`` and ``z``; x follows from y and z. A checkpoint holds the mode, as the
    group's ``train_mode``: save model and optimizer in the same one.

    ``fused=True`` needs a GPU. Shapes and dtypes: any dense.
    Errors: ValueError, TypeError for a hyper-parameter; RuntimeError for a step in the mode of evaluation, or
    an unfit gradient or state.
    Source: Defazio et al. (2024), section 1; the authors' SGDScheduleFree without warm-up.
    """

    allowed: ClassVar[Mapping[str, Interval]] = {
        "lr": NOT_NEGATIVE,
        "momentum": {"low": 0.0, "high": 1.0},
        "weight_decay": NOT_NEGATIVE,
    }
    always_kept = ("z",)

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1.0,
        momentum: float = 0.9,
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
            "momentum": momentum,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    @classmethod
    def _share(cls, group: Any) -> Any:
        return group["momentum"]

    def update(self, theta: Tensor, g: Tensor, t: Any, state: State, group: Group) -> None:
        # g_t = grad f_t(y_{t-1}) + lambda y_{t-1}
        if nonzero(group["weight_decay"]):
            g = plus(g, group["weight_decay"], theta)
        _average(theta, g, t, state["z"], group["lr"], group["momentum"])

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        if group["weight_decay"] != 0:
            g = add_l2_foreach(g, theta, group)
        _average_foreach(theta, g, t, state["z"], group["lr"], group["momentum"])

    def kernel(self, group: Group, begins: bool) -> Kernel:
        return Kernel("schedule_free_sgd", (group["lr"], group["momentum"]))


class ScheduleFreeAdamW(ScheduleFree):
    r"""Schedule-Free AdamW: the average of all points in the place of the average of gradients.

    .. math:: v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \qquad
              z_t = z_{t-1} - \alpha \left( \frac{g_t}{\sqrt{v_t} / \sqrt{1 - \beta_2^t} + \epsilon}
              + \lambda y_{t-1} \right)

    .. math:: x_t = (1 - \tfrac{1}{t}) x_{t-1} + \tfrac{1}{t} z_t, \qquad
              y_t = (1 - \beta_1) z_t + \beta_1 x_t

    All else as in `ScheduleFreeSGD`; ``exp_avg_sq`` (v) is kept besides.

    Source: Defazio et al. (2024), algorithm 1; the authors' AdamWScheduleFree without warm-up.
    """

    allowed: ClassVar[Mapping[str, Interval]] = {
        "lr": NOT_NEGATIVE,
        "betas": FROM_0_BELOW_1,
        "eps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
    }
    always_kept = ("z", "exp_avg_sq")

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 2.5e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
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
    def _share(cls, group: Any) -> Any:
        return group["betas"][0]

    def update(self, theta: Tensor, g: Tensor, t: Any, state: State, group: Group) -> None:
        (beta1, beta2), weight_decay = group["betas"], group["weight_decay"]
        # v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
        v = average_squares_(state["exp_avg_sq"], beta2, g)
        # u_t = g_t / (sqrt(v_t) / sqrt(1 - beta2^t) + epsilon) + lambda y_{t-1}
        u = g / plus_eps(v.sqrt() / (1 - beta2**t) ** 0.5, group["eps"])
        if nonzero(weight_decay):
            u = plus(u, weight_decay, theta)
        _average(theta, u, t, state["z"], group["lr"], beta1)

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        (beta1, beta2), v = group["betas"], state["exp_avg_sq"]
        average_squares_foreach_(v, beta2, g)
        denominator = list(torch._foreach_sqrt(v))
        torch._foreach_div_(denominator, [(1 - beta2**s) ** 0.5 for s in t])
        torch._foreach_add_(denominator, group["eps"])
        u = list(torch._foreach_div(g, denominator))
        del denominator, g  # frees them, where g is a copy
        if group["weight_decay"] != 0:
            torch._foreach_add_(u, theta, alpha=group["weight_decay"])
        _average_foreach(theta, u, t, state["z"], group["lr"], beta1)

    def kernel(self, group: Group, begins: bool) -> Kernel:
        numbers = (group["lr"], *group["betas"], group["eps"], group["weight_decay"])
        return Kernel("schedule_free_adamw", numbers, decays=True)


def _average(y: Tensor, u: Tensor, t: Any, z: Tensor, lr: Any, share: Any) -> None:
    """Take the step u, and average, without x: it is (y - (1 - mu) z) / mu."""
    # y_t = (1 - 1/t) y_{t-1} + z_{t-1} / t - alpha (1 - mu (1 - 1/t)) u_t
    lerp_(y, z.clone() if torch.is_grad_enabled() else z, 1 / t)
    y.sub_(u * (lr * (1 - share * (1 - 1 / t))))
    # z_t = z_{t-1} - alpha u_t
    z.sub_(u * lr)


def _average_foreach(y: list[Tensor], u: list[Tensor], t: list[Any], z: list[Tensor], lr: Any, share: Any) -> None:
    weights = [1 / s for s in t]
    recorded = isinstance(weights[0], Tensor)
    torch._foreach_lerp_(y, z, [w.to(y[0].dtype) for w in weights] if recorded else weights)
    torch._foreach_sub_(y, torch._foreach_mul(u, [lr * (1 - share * (1 - w)) for w in weights]))
    torch._foreach_sub_(z, torch._foreach_mul(u, lr))
