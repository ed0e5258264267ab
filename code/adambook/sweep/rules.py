"""One step of an optimizer for all members of a stack, each point of the grid with hyper-parameters of its own."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor, nn

from adambook import torch_optim
from adambook._check import choice
from adambook.sweep.stack import Stack
from adambook.torch_optim.base import SWITCHES, lerp_
from adambook.torch_optim.schedule_free import ScheduleFree

Options = dict[str, Any]
Make = Callable[[nn.Module], Any]  # of a model its optimizer, or several
Optimizer = str | type[torch.optim.Optimizer] | Callable[..., Any]

NAMES = tuple(
    name
    for name in torch_optim.__all__
    if isinstance(getattr(torch_optim, name), type) and name not in ("Optimizer", "SophiaG", "SophiaH")
)
# These look at whole tensors; all others at one number at a time, and so at a stack as at one parameter.
WHOLE = ("Adafactor", "LAMB", "Muon")
# Numbers that decide which way a rule goes: members of one stack have them in common.
SHARED = {"NAdam": ("betas", "momentum_decay"), "RAdam": ("betas",), "SGD": ("momentum", "dampening")}
NOT_SWEPT = (*(name for name in SWITCHES if name in ("foreach", "fused", "capturable", "differentiable")), "params")


class Numbers:
    """A hyper-parameter with a value for each point of the grid.

    It computes in float64 with numbers and its like, and beside a tensor (points, seeds, d) it is one of the
    tensor's dtype and of shape (points, 1, 1), as a number would be rounded there.
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values

    def to(self, like: Tensor) -> Tensor:
        return self.values.to(like)

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        like = next(x for x in args if isinstance(x, Tensor))
        return function(*(x.to(like) if isinstance(x, cls) else x for x in args), **(kwargs or {}))


def _operation(function: Callable[..., Any], reflected: bool) -> Callable[..., Any]:
    def method(self: Numbers, *others: Any) -> Any:
        pair = (self, *others)[:: -1 if reflected else 1]
        like = next((x for x in others if isinstance(x, Tensor)), None)
        if like is not None:
            return function(*(x.to(like) if isinstance(x, Numbers) else x for x in pair))
        return Numbers(function(*(x.values if isinstance(x, Numbers) else x for x in pair)))

    return method


for _name in ("add", "sub", "mul", "truediv", "pow", "neg"):
    setattr(Numbers, f"__{_name}__", _operation(getattr(operator, _name), reflected=False))
    setattr(Numbers, f"__r{_name}__", _operation(getattr(operator, _name), reflected=True))


class Resolved:
    """What the optimizer of a sweep is at one point of its grid: a class with options, or a function of a model."""

    def __init__(self, optimizer: Optimizer, point: Mapping[str, Any]) -> None:
        self.options: Options = dict(point)
        self.make: Make | None = None
        if not isinstance(optimizer, str | type):
            found = optimizer(**point)
            if callable(found) and not isinstance(found, type):
                self.make = found
                return
            if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Mapping)):
                raise TypeError(
                    f"optimizer returned {found!r}; allowed: (name or class, options), or a function of a model "
                    "that returns its optimizer"
                )
            optimizer, self.options = found[0], dict(found[1])
        self.kind: Any = of_name(optimizer) if isinstance(optimizer, str) else optimizer
        if not (isinstance(self.kind, type) and issubclass(self.kind, torch.optim.Optimizer)):
            raise TypeError(f"optimizer = {optimizer!r}; allowed: a subclass of torch.optim.Optimizer, or a name")
        check_names(self.kind, self.options)

    def __repr__(self) -> str:
        if self.make is None:
            return f"{self.kind.__name__} {self.options}"
        code = getattr(self.make, "__code__", None)
        digest = sha256(code.co_code + repr(code.co_names).encode()).hexdigest()[:12] if code else repr(self.make)
        return f"{self.options} {digest}"

    @property
    def elementwise(self) -> bool:
        name = "" if self.make else self.kind.__name__
        return name in NAMES and name not in WHOLE and self.kind is getattr(torch_optim, name)

    def of(self, model: nn.Module) -> tuple[torch.optim.Optimizer, ...]:
        """Return the optimizers of a model; they raise for bad values."""
        made = self.make(model) if self.make else self.kind(model.parameters(), **self.options)
        return tuple(made) if isinstance(made, tuple | list) else (made,)

    @property
    def together(self) -> tuple[Any, ...]:
        """What members of one stack have in common."""
        if not self.elementwise:
            return ()
        shared = SHARED.get(self.kind.__name__, ())
        kept = {name: x for name, x in self.options.items() if name in shared or not is_number(x)}
        return self.kind.__name__, repr(sorted(kept.items()))


def of_name(name: str) -> type[torch.optim.Optimizer]:
    if name in ("SophiaG", "SophiaH"):
        raise ValueError(
            f"optimizer = {name!r} needs the Hessian's diagonal now and then, which a sweep does not compute; "
            f"allowed: {', '.join(map(repr, NAMES))}, a class, or a function of the grid's axes"
        )
    found: type[torch.optim.Optimizer] = getattr(torch_optim, choice("optimizer", name, NAMES))
    return found


def check_names(kind: type, names: Iterable[str]) -> None:
    """Raise ValueError that lists the allowed names if one of ``names`` is no hyper-parameter of ``kind``."""
    allowed = tuple(name for name in inspect.signature(kind).parameters if name not in NOT_SWEPT)
    for name in names:
        if name not in allowed:
            raise ValueError(
                f"{name!r} is no hyper-parameter of {kind.__name__}; allowed: {', '.join(map(repr, allowed))}"
            )


def is_number(x: Any) -> bool:
    if isinstance(x, tuple | list):
        return all(map(is_number, x))
    return isinstance(x, float | int) and not isinstance(x, bool)


class Stacked:
    """An elementwise rule: one step of it for the whole stack."""

    def __init__(self, resolved: Sequence[Resolved], stack: Stack) -> None:
        one = nn.Linear(1, 1, bias=False).to(stack.start)
        optimizers: list[Any] = [each.of(one)[0] for each in resolved]
        groups = [optimizer.param_groups[0] for optimizer in optimizers]
        self.rule = optimizers[0]
        self.group = {
            name: _merge([group[name] for group in groups], stack.device) for name in groups[0] if name != "params"
        }
        self.state: dict[str, Tensor] = {}
        self.stack, self.lr = stack, self.group["lr"]
        for name in self.rule.kept(self.group):
            initial = self.rule.initial(name, stack.theta, self.group)
            if initial is not None:
                self.state[name] = initial

    def step(self, t: int, gradient: Tensor, multiplier: float) -> None:
        group = {**self.group, "lr": self.lr * multiplier}
        if group["maximize"]:
            gradient = -gradient
        self.rule.update(self.stack.theta, gradient, float(t), self.state, group)

    def result(self) -> Tensor:
        """Return what is to be evaluated: the parameters, or Schedule-Free's average."""
        theta = self.stack.theta
        if isinstance(self.rule, ScheduleFree) and self.state:
            return lerp_(theta.clone(), self.state["z"], 1 - 1 / self.rule._share(self.group))
        return theta


class OneByOne:
    """Any optimizer, member by member: each has its own, whose parameters are views into the stack."""

    def __init__(self, resolved: Sequence[Resolved], stack: Stack) -> None:
        self.stack = stack
        self.rows = [row for point in stack.theta for row in point]
        places = [(each, seed) for each in resolved for seed in range(len(stack.seeds))]
        self.models = [stack.member(row, seed) for row, (_, seed) in zip(self.rows, places, strict=True)]
        self.optimizers = [each.of(model) for model, (each, _) in zip(self.models, places, strict=True)]
        groups = [group for each in self.optimizers for one in each for group in one.param_groups]
        self.lrs = [(group, group["lr"]) for group in groups]

    def step(self, t: int, gradient: Tensor, multiplier: float) -> None:
        for group, lr in self.lrs:
            group["lr"] = lr * multiplier
        for model, row, optimizers in zip(self.models, gradient.flatten(0, 1), self.optimizers, strict=True):
            of = dict(self.stack.views(row))
            for name, p in model.named_parameters():
                p.grad = of.get(name)
            for optimizer in optimizers:
                optimizer.step()

    def result(self) -> Tensor:
        """Return what is to be evaluated: the parameters, or the average of those that keep one."""
        self._mode("eval")
        result = self.stack.theta.clone()
        self._mode("train")
        return result

    def _mode(self, name: str) -> None:
        for optimizers in self.optimizers:
            for optimizer in optimizers:
                getattr(optimizer, name, lambda: None)()


def rule_for(resolved: Sequence[Resolved], stack: Stack) -> Stacked | OneByOne:
    return (Stacked if resolved[0].elementwise else OneByOne)(resolved, stack)


def _merge(values: Sequence[Any], device: torch.device) -> Any:
    if all(value == values[0] for value in values):
        return values[0]
    if isinstance(values[0], tuple | list):
        return tuple(_merge(each, device) for each in zip(*values, strict=True))
    return Numbers(torch.tensor(values, dtype=torch.float64, device=device).view(-1, 1, 1))
