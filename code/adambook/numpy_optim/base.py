"""What stands around every rule once: checking hyper-parameters and starting the state."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from adambook._check import Array, Hyper, floats, hyper, whole

Range = tuple[float, float, bool]

# One name means one thing in every optimizer, so its range stands once: (low, high, high excluded).
RANGES: dict[str, Range] = {
    "lr": (0, np.inf, False),
    "momentum": (0, 1, False),
    "dampening": (0, 1, False),
    "alpha": (0, 1, True),
    "betas": (0, 1, True),
    "eps": (0, np.inf, False),
    "weight_decay": (0, np.inf, False),
    "lr_decay": (0, np.inf, False),
    "initial_accumulator_value": (0, np.inf, False),
    "rho": (0, 1, False),
    "momentum_decay": (0, np.inf, False),
    "final_lr": (0, np.inf, False),
    "gamma": (1e-12, 1, True),
    "beta2_decay": (-np.inf, 0, False),
    "d": (1, np.inf, False),
    "ns_steps": (1, 99, False),
}


class Step(NamedTuple):
    """What `update` returns: the step ``delta`` to add to the parameters, and the next state."""

    delta: Array
    state: Any


@dataclass(frozen=True)
class Optimizer:
    """A rule for descent: hyper-parameters as fields, and two pure methods, `init` and `update`.

    Subclasses write their whole rule in one `update` body. Nothing is changed in place, so every state can
    be kept and looked at. Where ``elementwise`` is True, no coordinate knows of another: ``theta`` may be
    ``(..., d)``, and any hyper-parameter may be an array that broadcasts against it. Where it is False, the
    last axis or the last two belong together, as the class says; the axes before them are a batch, and array
    hyper-parameters have length 1 along those that belong together. Raises ValueError or TypeError for
    hyper-parameters out of range.
    """

    State: ClassVar[Any]
    elementwise: ClassVar[bool] = True
    ranges: ClassVar[dict[str, Range]] = {}  # where a name's range is not that of RANGES

    def __post_init__(self) -> None:
        for field in fields(self):
            interval = self.ranges.get(field.name, RANGES[field.name])
            checked = _checked(field.name, getattr(self, field.name), field.default, interval)
            object.__setattr__(self, field.name, checked)

    def init(self, theta: npt.ArrayLike) -> Any:
        """Return the state at t = 0: every accumulator is zero, with the shape and dtype of ``theta``."""
        zero = np.zeros_like(floats("theta", theta))
        return self.State(0, *(zero for _ in self.State._fields[1:]))

    def update(self, grad: Array, state: Any, theta: Array) -> Step:
        """Return the step ``delta`` and the next state; ``theta + delta`` is the next point.

        ``grad`` and ``theta`` have the same shape; the dtype of ``theta`` is kept. Non-finite
        gradients propagate, as in torch.optim.
        """
        raise NotImplementedError

    def astype(self, dtype: npt.DTypeLike) -> Self:
        """Return the same optimizer with its array hyper-parameters cast to ``dtype``."""

        def cast(value: Any) -> Any:
            if isinstance(value, tuple):
                return tuple(map(cast, value))
            return value.astype(dtype) if isinstance(value, np.ndarray) else value

        return replace(self, **{field.name: cast(getattr(self, field.name)) for field in fields(self)})

    @property
    def hyper_shape(self) -> tuple[int, ...]:
        """The shape to which the array hyper-parameters broadcast, ``()`` if there are none."""
        values: list[Any] = []
        for field in fields(self):
            value = getattr(self, field.name)
            values.extend(value if isinstance(value, tuple) else [value])
        return np.broadcast_shapes(*map(np.shape, values))


def _checked(name: str, value: Any, default: Any, interval: Range) -> Any:
    """Return ``value`` after checking that it is of the kind of ``default`` and lies in the range."""
    low, high, open_high = interval
    if isinstance(default, tuple):
        one = {"betas": "beta"}.get(name, name)
        names = [f"{one}{i}" for i in range(1, len(default) + 1)]
        if not isinstance(value, (tuple, list)) or len(value) != len(default):
            kind = {2: "a pair", 3: "a triple"}[len(default)]
            rule = f", each {low:g} <= {one} < {high:g}" if open_high else ""
            raise TypeError(f"{name} = {value!r} is not {kind}; allowed: ({', '.join(names)}){rule}")
        return tuple(_checked(*given, interval) for given in zip(names, value, default, strict=True))
    if value is None and default is None:
        return None
    if isinstance(default, int):
        return whole(name, value, int(low), high)
    return hyper(name, value, low, high, open_high=open_high)


class Betas:
    """Names for the two decay rates of ``betas``."""

    betas: tuple[Hyper, ...]

    @property
    def beta1(self) -> Hyper:
        """Decay rate of the first moment."""
        return self.betas[0]

    @property
    def beta2(self) -> Hyper:
        """Decay rate of the second moment."""
        return self.betas[1]
