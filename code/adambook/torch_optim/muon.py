"""Muon, as a torch.optim.Optimizer, and a model's parameters divided between it and AdamW."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from adambook import _check
from adambook.torch_optim.adamw import AdamW
from adambook.torch_optim.base import (
    NOT_NEGATIVE,
    Group,
    Interval,
    Lists,
    Optimizer,
    State,
    lerp_,
    like,
    nonzero,
    plus_,
    whole,
)

QUINTIC = (3.4445, -4.7750, 2.0315)
ITERATES = torch.bfloat16  # in which Newton and Schulz iterate: no singular value is wanted exactly
RATES = (None, "original", "match_rms_adamw")


def newton_schulz(
    matrix: Tensor, steps: int = 5, coefficients: tuple[float, float, float] = QUINTIC, eps: float = 1e-7
) -> Tensor:
    r"""Return ``matrix`` with its singular values brought near one: between about 0.7 and 1.2.

    .. math:: X_0 = \frac{G}{\max(\lVert G \rVert_F, \epsilon)}, \qquad
              X_k = a X_{k-1} + (b A + c A^2) X_{k-1}, \qquad A = X_{k-1} X_{k-1}^\top

    with (a, b, c) = ``coefficients``, which are chosen for a steep start and never settle. Shapes and dtypes:
    (A, B), real; the result is in bfloat16.
    Source: Jordan et al. (2024).
    """
    a, b, c = coefficients
    tall = matrix.size(0) > matrix.size(1)
    x = matrix.to(ITERATES, copy=True)
    x = x.T if tall else x  # the smaller of X X^T and X^T X
    x.div_(x.norm().clamp(min=eps))
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


class Muon(Optimizer):
    r"""Muon: Nesterov's momentum of a matrix, its singular values brought near one (torch.optim.Muon).

    .. math:: b_t = \mu b_{t-1} + (1 - \mu) g_t, \qquad
              u_t = \operatorname{NS}((1 - \mu) g_t + \mu b_t)

    .. math:: \theta_t = (1 - \alpha \lambda) \theta_{t-1} - \alpha \sqrt{\max(1, A / B)} \, u_t

    where NS is `newton_schulz` with ``ns_steps``, ``ns_coefficients`` and ``eps``, and the parameter is an
    (A, B) matrix. Without ``nesterov``, NS takes :math:`b_t`. Here :math:`\alpha` is ``lr``, :math:`\lambda`
    ``weight_decay``, :math:`\mu` ``momentum``. ``adjust_lr_fn="match_rms_adamw"`` has the factor
    :math:`0.2 \sqrt{\max(A, B)}`, with which a step is about as long as AdamW's. Keeps ``momentum_buffer`` (b).

    A DTensor's whole matrix is gathered, in bfloat16, and iterated by every process.

    Shapes and dtypes: real matrices; `muon_and_adamw` divides a model between Muon and AdamW.
    Errors: ValueError, TypeError for a hyper-parameter or another parameter; RuntimeError for an unfit
    gradient or state.
    Source: Jordan et al. (2024); Liu et al. (2025), section 2.2.
    """

    allowed: ClassVar[Mapping[str, Interval]] = {
        "lr": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
        "momentum": {"low": 0.0, "high": 1.0},
        "eps": NOT_NEGATIVE,
    }
    always_kept = ("momentum_buffer",)
    counts_steps = False
    linear = True  # what Newton and Schulz take does not depend on the dtype
    takes_complex = False

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = QUINTIC,
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    @classmethod
    def check_options(cls, group: Any) -> None:
        super().check_options(group)
        _check.whole("ns_steps", group["ns_steps"], 1, 99)
        coefficients = group["ns_coefficients"]
        if not (isinstance(coefficients, tuple | list) and len(coefficients) == 3):
            raise TypeError(f"ns_coefficients = {coefficients!r} is not a triple of numbers; allowed: (a, b, c)")
        for i, value in enumerate(coefficients):
            _check.real(f"ns_coefficients[{i}]", value)
        if group["adjust_lr_fn"] not in RATES:
            raise ValueError(
                f"adjust_lr_fn = {group['adjust_lr_fn']!r} is unknown; allowed: {', '.join(map(repr, RATES))}"
            )
        if group.get("differentiable"):
            raise ValueError("differentiable = True; allowed: False, as Newton and Schulz iterate in bfloat16")

    def check_parameter(self, p: Tensor) -> None:
        super().check_parameter(p)
        if p.ndim != 2:
            raise ValueError(
                f"Muon: a parameter of shape {tuple(p.shape)}; allowed: matrices, (A, B). "
                "Give the others to AdamW, as muon_and_adamw does"
            )

    def update(self, theta: Tensor, g: Tensor, t: None, state: State, group: Group) -> None:
        lr, mu, weight_decay = group["lr"], group["momentum"], group["weight_decay"]
        # b_t = mu b_{t-1} + (1 - mu) g_t
        b = lerp_(state["momentum_buffer"], g, 1 - mu)
        # u_t = NS((1 - mu) g_t + mu b_t)
        u = _orthogonal(lerp_(g.clone(), b, mu) if group["nesterov"] else b, group)
        # theta_t = (1 - alpha lambda) theta_{t-1} - alpha sqrt(max(1, A / B)) u_t
        if nonzero(weight_decay):
            theta.mul_(1 - lr * weight_decay)
        plus_(theta, -lr * _factor(theta, group), u)

    def update_foreach(
        self, theta: list[Tensor], g: list[Tensor], t: list[Any], state: Lists, group: Group
    ) -> None:
        lr, mu, weight_decay = group["lr"], group["momentum"], group["weight_decay"]
        b = state["momentum_buffer"]
        torch._foreach_lerp_(b, g, 1 - mu)
        if weight_decay != 0:
            torch._foreach_mul_(theta, 1 - lr * weight_decay)
        ahead = list(torch._foreach_lerp(g, b, mu)) if group["nesterov"] else b
        del g  # frees it, where it is a copy
        for p, x in zip(theta, ahead, strict=True):  # matrices of different shapes have no list
            plus_(p, -lr * _factor(p, group), _orthogonal(x, group))


def _factor(p: Tensor, group: Group) -> float:
    """Return by how much the step size of a matrix differs from ``lr``."""
    rows, columns = p.shape
    if group["adjust_lr_fn"] == "match_rms_adamw":
        return float(0.2 * max(rows, columns) ** 0.5)
    return float(max(1, rows / columns) ** 0.5)


def _orthogonal(x: Tensor, group: Group) -> Tensor:
    matrix = whole(x.to(ITERATES))
    return like(newton_schulz(matrix, group["ns_steps"], group["ns_coefficients"], group["eps"]), x)


def muon_and_adamw(
    model: nn.Module,
    others: Iterable[nn.Module | Tensor] = (),
    muon: Mapping[str, Any] | None = None,
    adamw: Mapping[str, Any] | None = None,
) -> tuple[Muon, AdamW]:
    """Return Muon for the matrices inside ``model``, and AdamW for all its other parameters.

    Embeddings count as others, also where the output layer shares them. Name an output layer of its own in
    ``others``, with whatever else AdamW is to take: modules, with all their parameters, or parameters. ``muon``
    and ``adamw`` are the options of the two. Step both, and give each its scheduler.

    Errors: TypeError for what is neither module nor parameter; ValueError where one of the two is left with
    nothing.
    Source: Jordan et al. (2024).
    """
    taken: set[Tensor] = set()
    for thing in (*others, *(m for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag))):
        if isinstance(thing, nn.Module):
            taken.update(thing.parameters())
        elif isinstance(thing, Tensor):
            taken.add(thing)
        else:
            raise TypeError(f"others holds {thing!r}; allowed: modules and parameters of the model")
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.ndim == 2 and not p.is_complex() and p not in taken]
    inside = set(matrices)
    rest = [p for p in trained if p not in inside]
    for name, params in (("Muon", matrices), ("AdamW", rest)):
        if not params:
            raise ValueError(
                f"no parameter of the {type(model).__name__} is left for {name}; allowed: a model with matrices "
                f"inside and others. Use {'AdamW' if name == 'Muon' else 'Muon'} alone"
            )
    return Muon(matrices, **(muon or {})), AdamW(rest, **(adamw or {}))
