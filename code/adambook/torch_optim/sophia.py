"""Sophia with its two estimates of the Hessian's diagonal, as torch.optim.Optimizers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from adambook import _check
from adambook.torch_optim.base import (
    FROM_0_BELOW_1,
    NOT_NEGATIVE,
    Group,
    Interval,
    Lists,
    Optimizer,
    State,
    lerp_,
    nonzero,
    plus_,
    subtract_foreach_,
)
from adambook.torch_optim.fused import Kernel

SMALLEST = 1e-15  # keeps 0 / 0 out of the ratio, as in the authors' code


class Sophia(Optimizer):
    """What both have in common: all but the estimate."""

    allowed: ClassVar[Mapping[str, Interval]] = {
        "lr": NOT_NEGATIVE,
        "betas": FROM_0_BELOW_1,
        "rho": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
    }
    always_kept = ("exp_avg", "hessian")
    uses_t = False
    signed: ClassVar[bool] = False  # whether an estimate can be negative

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-4,
        betas: tuple[float | Tensor, float | Tensor] = (0.965, 0.99),
        rho: float = 0.04,
        weight_decay: float = 0.1,
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
            "rho": rho,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def _average(self, p: Tensor, estimate: Tensor, group: Group) -> None:
        """h_t = beta2 h_{t-1} + (1 - beta2) estimate."""
        # Creates the state where no step has been taken yet.
        self._plan([(p, p, self.state[p])], {**group, "foreach": False})
        h = self.state[p]["hessian"]
        h.copy_(h.to(estimate.dtype).lerp_(estimate, 1 - float(group["betas"][1])))

    def update(self, theta: Tensor, g: Tensor, t: Any, state: State, group: Group) -> None:
        lr, beta1, rho, weight_decay = group["lr"], group["betas"][0], group["rho"], group["weight_decay"]
        h = state["hessian"]
        # theta <- theta_{t-1} - alpha lambda theta_{t-1}
        if nonzero(weight_decay):
            theta.mul_(1 - lr * weight_decay)
        # m_t = beta1 m_{t-1} + (1 - beta1) g_t
        m = lerp_(state["exp_avg"], g, 1 - beta1)
        # theta_t = theta - alpha sign(m_t) min(abs(m_t) / (rho max(h_t, 0) + 1e-15), 1)
        h = h.clamp(min=0) if self.signed else h
        plus_(theta, -lr, m.sign() * (m.abs() / (h * rho + SMALLEST)).clamp(max=1))

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        lr, beta1, rho, weight_decay = group["lr"], group["betas"][0], group["rho"], group["weight_decay"]
        m, h = state["exp_avg"], state["hessian"]
        if weight_decay != 0:
            torch._foreach_mul_(theta, 1 - lr * weight_decay)
        torch._foreach_lerp_(m, g, 1 - beta1)
        if self.signed:
            h = list(torch._foreach_clamp_min(h, 0))
        denominator = list(torch._foreach_mul(h, rho))
        torch._foreach_add_(denominator, SMALLEST)
        ratio = list(torch._foreach_abs(m))
        torch._foreach_div_(ratio, denominator)
        del denominator, g, h
        torch._foreach_clamp_max_(ratio, 1)
        torch._foreach_mul_(ratio, torch._foreach_sign(m))
        subtract_foreach_(theta, lr, ratio)

    def kernel(self, group: Group, begins: bool) -> Kernel:
        numbers = (group["lr"], 1 - group["betas"][0], group["rho"], SMALLEST)
        return Kernel("sophia", numbers, (self.signed,), decoupled=True)


class SophiaG(Sophia):
    r"""Sophia with the Gauss-Newton-Bartlett estimate: a clipped Newton step for every number.

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
              h_t = \beta_2 h_{t-1} + (1 - \beta_2) B \, \hat g_t^2

    .. math:: \theta_t = (1 - \alpha \lambda) \theta_{t-1} - \alpha \operatorname{sign}(m_t)
              \min\left(\frac{|m_t|}{\rho h_t + 10^{-15}}, 1\right)

    h only changes where `update_hessian` is called, every ten steps in the paper. Here :math:`\alpha` is ``lr``,
    :math:`\lambda` ``weight_decay``, :math:`\rho` ``rho``. Keeps ``step``, ``exp_avg`` (m), ``hessian`` (h); the
    authors' code keeps h without the batch size B, and multiplies by it in the step.

    ``fused=True`` needs a GPU. Shapes and dtypes: any dense.
    Errors: ValueError, TypeError for a hyper-parameter; RuntimeError for an unfit gradient or state.
    Source: Liu et al. (2024), algorithms 2 and 3; the authors' SophiaG.
    """

    @torch.no_grad()
    def update_hessian(self, batch_size: int) -> None:
        r"""Average :math:`B \, \hat g^2`, where :math:`\hat g` is each parameter's ``.grad``.

        That gradient is of the mean loss over ``batch_size`` examples whose labels are drawn from the model's own
        prediction, not taken from the data. Zero the gradients afterwards.
        """
        _check.whole("batch_size", batch_size, 1)
        for group in self.param_groups:
            for p, g, _ in self._fitting(group):
                if p.is_complex():
                    pairs = torch.view_as_real(g.resolve_conj())
                    self._average(p, torch.view_as_complex(batch_size * pairs.square()), group)
                else:
                    wide = g.float() if g.dtype in (torch.float16, torch.bfloat16) else g
                    self._average(p, batch_size * wide.square(), group)


class SophiaH(Sophia):
    r"""Sophia with Hutchinson's estimate, which can be negative: there the step is its sign.

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
              h_t = \beta_2 h_{t-1} + (1 - \beta_2) \, s \odot H s, \qquad s_i = \pm 1

    .. math:: \theta_t = (1 - \alpha \lambda) \theta_{t-1} - \alpha \operatorname{sign}(m_t)
              \min\left(\frac{|m_t|}{\rho \max(h_t, 0) + 10^{-15}}, 1\right)

    All else as in `SophiaG`. The paper draws s from a normal distribution, whose estimate varies more.

    Source: Liu et al. (2024), algorithms 1 and 3; Hutchinson (1989).
    """

    signed = True
    takes_complex = False

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-4,
        betas: tuple[float | Tensor, float | Tensor] = (0.965, 0.99),
        rho: float = 0.01,
        weight_decay: float = 0.1,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            rho,
            weight_decay,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
        )

    def update_hessian(self, loss: Tensor, generator: torch.Generator | None = None) -> None:
        """Average Hutchinson's estimate for ``loss``, a number that autograd can differentiate twice.

        The graph of ``loss`` is kept, for its own backward. The signs come from ``generator``.
        """
        if loss.numel() != 1 or not loss.requires_grad:
            raise ValueError(
                f"loss has shape {tuple(loss.shape)}, requires_grad = {loss.requires_grad}; "
                "allowed: one number, computed from the parameters"
            )
        rows = [(p, group) for group in self.param_groups for p in group["params"] if p.requires_grad]
        params = [p for p, _ in rows]
        grads = torch.autograd.grad(loss.reshape(()), params, create_graph=True, materialize_grads=True)
        signs = [
            torch.randint(0, 2, p.shape, generator=generator, device=p.device).to(p.dtype) * 2 - 1 for p in params
        ]
        along = torch.stack([(g * s).sum() for g, s in zip(grads, signs, strict=True)]).sum()
        if along.requires_grad:
            products = torch.autograd.grad(along, params, retain_graph=True, materialize_grads=True)
        else:  # a loss that is linear
            products = tuple(torch.zeros_like(p) for p in params)
        with torch.no_grad():
            for (p, group), s, product in zip(rows, signs, products, strict=True):
                self._average(p, -s * product if group["maximize"] else s * product, group)
