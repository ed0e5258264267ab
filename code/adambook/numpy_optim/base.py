"""What stands around every rule once: checking hyper-parameters and starting the state."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from adambook._check import Array, Hyper, floats, hyper

# One name means one thing in every optimizer, so its range stands once: (low, high, high excluded).
RANGES: dict[str, tuple[float, float, bool]] = {
    "lr": (0, np.inf, False),
    "momentum": (0, 1, False),
    "dampening": (0, 1, False),
    "alpha": (0, 1, True),
    "betas": (0, 1, True),
    "eps": (0, np.inf, False),
    "weight_decay": (0, np.inf, False),
    "lr_decay": (0, np.inf, False),
    "initial_accumulator_value": (0, np.inf, False),
}


class Step(NamedTuple):
    """What `update` returns: the step ``delta`` to add to the parameters, and the next state."""

    delta: Array
    state: Any


@dataclass(frozen=True)
class Optimizer:
    """A rule for descent: hyper-parameters as fields, and two pure methods, `init` and `update`.

    Subclasses write their whole rule in one `update` body. Nothing is changed in place, so every state can
    be kept and looked at. All operations are elementwise: ``theta`` may be ``(..., d)``, and any
    hyper-parameter may be an array that broadcasts against it. Raises ValueError or TypeError for
    hyper-parameters out of range.
    """

    State: ClassVar[Any]

    def __post_init__(self) -> None:
        for field in fields(self):
            low, high, open_high = RANGES[field.name]
            value = getattr(self, field.name)
            if field.name == "betas":
                if not isinstance(value, (tuple, list)) or len(value) != 2:
                    raise TypeError(
                        f"betas = {value!r} is not a pair; allowed: (beta1, beta2), each 0 <= beta < 1"
                    )
                checked: Any = tuple(
                    hyper(f"beta{i}", beta, low, high, open_high=open_high) for i, beta in enumerate(value, 1)
                )
            else:
                checked = hyper(field.name, value, low, high, open_high=open_high)
            object.__setattr__(self, field.name, checked)

    def init(self, theta: npt.ArrayLike) -> Any:
        """Return the state at t = 0: every accumulator is zero, with the shape and dtype of ``theta``."""
        zero = np.zeros_like(floats("theta", theta))
        return self.State(0, *(zero for _ in self.State._fields[1:]))

    def update(self, grad: Array, state: Any, theta: Array) -> Step:
        """Return the step ``delta`` and the next state; ``theta + delta`` is the next point.

        ``grad`` and ``theta`` have the same shape ``(..., d)``; the dtype of ``theta`` is kept. Non-finite
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


class Betas:
    """Names for the two decay rates of ``betas``."""

    betas: tuple[Hyper, Hyper]

    @property
    def beta1(self) -> Hyper:
        """Decay rate of the first moment."""
        return self.betas[0]

    @property
    def beta2(self) -> Hyper:
        """Decay rate of the second moment."""
        return self.betas[1]
