"""Argument checks whose errors name the parameter, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Hyper = float | Array
"""A hyper-parameter: a number, or an array that broadcasts against the parameters."""

INF = float("inf")


def hyper(
    name: str, value: object, low: float = -INF, high: float = INF, *, open_high: bool = False
) -> Hyper:
    """Return ``value`` as a float or a float array after checking that it lies in the range.

    Raises TypeError if it is no real number (or array of them), ValueError if any entry lies outside.
    """
    allowed = _describe(name, low, high, open_high)
    if isinstance(value, (bool, np.bool_, str, bytes)) or value is None:
        raise TypeError(f"{name} = {value!r} is not a number; allowed: {allowed}")
    array = np.asarray(value)
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise TypeError(f"{name} = {value!r} is not a real number; allowed: {allowed}")
    inside = (array >= low) & ((array < high) if open_high else (array <= high)) & ~np.isinf(array)
    if not np.all(inside):
        shown = value if array.ndim == 0 else f"array with {array[~inside].flat[0]!r}"
        raise ValueError(f"{name} = {shown} is out of range; allowed: {allowed}")
    return float(array) if array.ndim == 0 else array


def real(name: str, value: object, low: float = -INF, high: float = INF, *, open_high: bool = False) -> float:
    """Return ``value`` as one float in the range; raises as `hyper` does, and TypeError for arrays."""
    checked = hyper(name, value, low, high, open_high=open_high)
    if not isinstance(checked, float):
        raise TypeError(f"{name} must be one number, not an array of shape {np.shape(checked)}")
    return checked


def whole(name: str, value: object, low: int = 0, high: float = INF) -> int:
    """Return ``value`` as an int in the range; raises TypeError for what is not whole, ValueError outside."""
    allowed = f"a whole number, at least {low}" + ("" if high == INF else f", at most {high:g}")
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} = {value!r} is not a whole number; allowed: {allowed}")
    if not low <= value <= high:
        raise ValueError(f"{name} = {value} is out of range; allowed: {allowed}")
    return int(value)


def choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of ``allowed``; raises ValueError that lists them otherwise."""
    if value not in allowed:
        raise ValueError(f"{name} = {value!r} is unknown; allowed: {', '.join(map(repr, allowed))}")
    return value


def floats(name: str, value: npt.ArrayLike) -> Array:
    """Return ``value`` as a floating array, its dtype kept if it has one; raises TypeError otherwise."""
    array = np.asarray(value)
    if np.issubdtype(array.dtype, np.integer):
        array = array.astype(np.float64)
    if not np.issubdtype(array.dtype, np.floating):
        raise TypeError(f"{name} must hold real numbers, not dtype {array.dtype}")
    return array


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return what differs between two settings, as a sentence has it; empty if nothing does."""
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    return "; ".join(f"{name} was {_short(then.get(name))}, is {_short(now.get(name))}" for name in names)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _describe(name: str, low: float, high: float, open_high: bool) -> str:
    left = "" if low == -INF else f"{low:g} <= "
    right = "" if high == INF else f" {'<' if open_high else '<='} {high:g}"
    return f"{left}{name}{right}" if left or right else "any finite number"
