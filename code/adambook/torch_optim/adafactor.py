"""Adafactor, as a torch.optim.Optimizer."""

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
    check_number,
    like,
    nonzero,
    whole,
)


class Adafactor(Optimizer):
    r"""Adafactor: a matrix of averages as a column times a row, and steps in units of theta (torch.optim.Adafactor).

    .. math:: r_t = \beta_t r_{t-1} + (1 - \beta_t) \operatorname{mean}_{rows}(g_t^2), \qquad
              c_t = \beta_t c_{t-1} + (1 - \beta_t) \operatorname{mean}_{columns}(g_t^2), \qquad
              \beta_t = 1 - t^{\tau}

    .. math:: v_t = \frac{r_t c_t}{\max(\operatorname{mean}(r_t), \epsilon_1)}, \qquad
              u_t = \frac{g_t}{\sqrt{\max(v_t, \epsilon_1^2)}}, \qquad
              \theta_t = (1 - \alpha \lambda) \theta_{t-1} - \frac{\max(\epsilon_2, \operatorname{rms}(\theta_{t-1}))
              \min(\alpha, t^{-1/2})}{\max(1, \operatorname{rms}(u_t) / d)} u_t

    Here :math:`\alpha` is ``lr``, :math:`\tau` ``beta2_decay``, :math:`\lambda` ``weight_decay``, and ``eps`` is
    :math:`(\epsilon_1, \epsilon_2)`, where None is the rounding of each parameter's own dtype (torch.optim
    takes the first one's for all). The last two axes are a matrix, of which r and c are kept, ``row_var`` and
    ``col_var``; of a vector ``variance``, the average of :math:`g_t^2` itself. Keeps ``step`` besides. A step
    reads two norms from the device, and waits for them.

    Of a DTensor r and c are kept whole by every process; ``variance`` is sharded as the parameter is.

    Shapes and dtypes: any dense, real.
    Errors: ValueError, TypeError for a hyper-parameter or a complex parameter; RuntimeError for an unfit
    gradient or state.
    Source: Shazeer and Stern (2018), algorithms 4 to 6, with epsilon_1 as in torch.optim.
    """

    allowed: ClassVar[Mapping[str, Interval]] = {
        "lr": NOT_NEGATIVE,
        "beta2_decay": {"high": 0.0},
        "d": {"low": 1.0},
        "weight_decay": NOT_NEGATIVE,
    }
    sometimes_kept = ("row_var", "col_var", "variance")
    linear = True  # not so, but epsilon_1 is float16's own there, and complex numbers are refused
    takes_complex = False

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    @classmethod
    def check_options(cls, group: Any) -> None:
        super().check_options(group)
        eps = group.get("eps")
        if not (isinstance(eps, tuple | list) and len(eps) == 2):
            raise TypeError(f"eps = {eps!r} is not a pair; allowed: (eps1, eps2), eps1 a number or None")
        for i, value in enumerate(eps):
            if i == 1 or value is not None:
                check_number(f"eps[{i}]", value, NOT_NEGATIVE)
        if group.get("differentiable"):
            raise ValueError("differentiable = True; allowed: False, as a step reads norms as numbers")

    def kept_of(self, p: Tensor, group: Group) -> tuple[str, ...]:
        return ("row_var", "col_var") if p.dim() > 1 else ("variance",)

    def state_shape(self, name: str, p: Tensor) -> tuple[int, ...]:
        if name == "row_var":
            return (*p.shape[:-1], 1)
        if name == "col_var":
            return (*p.shape[:-2], 1, p.shape[-1])
        return super().state_shape(name, p)

    def initial(self, name: str, p: Tensor, group: Group) -> Tensor | None:
        if name == "variance":
            return super().initial(name, p, group)
        return torch.zeros(self.state_shape(name, p), dtype=p.dtype, device=p.device)

    def update(self, theta: Tensor, g: Tensor, t: Any, state: State, group: Group) -> None:
        lr, t, weight_decay = float(group["lr"]), float(t), group["weight_decay"]
        eps1 = _eps1(theta, group)
        # alpha_t = max(epsilon_2, rms(theta_{t-1})) min(alpha, t^(-1/2))
        step_size = max(group["eps"][1], _rms(theta)) * min(lr, 1 / t**0.5)
        # theta <- theta_{t-1} - alpha lambda theta_{t-1}
        if nonzero(weight_decay):
            theta.mul_(1 - lr * weight_decay)
        rest = t ** group["beta2_decay"]
        if g.dim() > 1:
            # r_t = beta_t r_{t-1} + (1 - beta_t) mean of g_t^2 over rows, c_t over columns
            r = state["row_var"].lerp_(_mean_square(g, -1), rest)
            c = state["col_var"].lerp_(_mean_square(g, -2), rest)
            # v_t = r_t c_t / max(mean(r_t), epsilon_1)
            v = (r @ c).div_(r.mean(dim=-2, keepdim=True).clamp_(min=eps1))
        else:
            v = state["variance"].lerp_(g * g, rest).clone()
        # u_t = g_t / sqrt(max(v_t, epsilon_1^2))
        u = _spread(v.clamp_(min=eps1 * eps1).rsqrt_(), theta) * g
        # theta_t = theta - alpha_t u_t / max(1, rms(u_t) / d)
        theta.add_(u, alpha=-step_size / max(1.0, _rms(u, group["d"])))

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        lr, t, weight_decay = float(group["lr"]), list(map(float, t)), group["weight_decay"]
        eps1 = _eps1(theta[0], group)
        step_sizes = [
            max(group["eps"][1], size) * min(lr, 1 / s**0.5) for size, s in zip(_rms_foreach(theta), t, strict=True)
        ]
        if weight_decay != 0:
            torch._foreach_mul_(theta, 1 - lr * weight_decay)
        rest = [s ** group["beta2_decay"] for s in t]
        if g[0].dim() > 1:
            r, c = state["row_var"], state["col_var"]
            torch._foreach_lerp_(r, [_mean_square(x, -1) for x in g], rest)
            torch._foreach_lerp_(c, [_mean_square(x, -2) for x in g], rest)
            v = [row @ column for row, column in zip(r, c, strict=True)]
            means = [row.mean(dim=-2, keepdim=True) for row in r]
            torch._foreach_clamp_min_(means, eps1)
            torch._foreach_div_(v, means)
        else:
            torch._foreach_lerp_(state["variance"], torch._foreach_mul(g, g), rest)
            v = [x.clone() for x in state["variance"]]
        torch._foreach_clamp_min_(v, eps1 * eps1)
        torch._foreach_rsqrt_(v)
        u = list(torch._foreach_mul([_spread(x, p) for x, p in zip(v, theta, strict=True)], g))
        factors = [
            -size / max(1.0, rms) for size, rms in zip(step_sizes, _rms_foreach(u, group["d"]), strict=True)
        ]
        torch._foreach_mul_(u, factors)
        torch._foreach_add_(theta, u)


def _eps1(p: Tensor, group: Group) -> float:
    return float(torch.finfo(p.dtype).eps if group["eps"][0] is None else group["eps"][0])


def _rms(x: Tensor, d: float = 1.0) -> float:
    """Return the root mean square of all of ``x``, over ``d``."""
    return whole(x.norm(2)).item() / (max(x.numel(), 1) ** 0.5 * d)


def _rms_foreach(xs: list[Tensor], d: float = 1.0) -> list[float]:
    """Return the same for each of a list, waiting for the device once."""
    norms = [whole(norm) for norm in torch._foreach_norm(xs)]
    values = torch.stack(norms).tolist()
    return [norm / (max(x.numel(), 1) ** 0.5 * d) for norm, x in zip(values, xs, strict=True)]


def _mean_square(g: Tensor, dim: int) -> Tensor:
    """Return the mean of g^2 over ``dim``, without g^2."""
    return whole(torch.norm(g, dim=dim, keepdim=True)).square_().div_(g.size(dim))


def _spread(x: Tensor, p: Tensor) -> Tensor:
    return x if type(x) is type(p) else like(x, p)
