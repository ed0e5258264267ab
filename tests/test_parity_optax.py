"""The book's rules and conventions against optax, in float64: the same problem, a hundred steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from adambook.numpy_optim import SGD, Adam, AdamW, Momentum, Nesterov, Optimizer, RMSprop, conventions

jax.config.update("jax_enable_x64", True)

LR, STEPS = 0.05, 100
# Each step rounds some twenty operations to 2^-53, and the problem is contracting.
ROUNDING = STEPS * 20 * 2.0**-53

SAME: dict[str, tuple[Optimizer, Callable[[], Any]]] = {
    "sgd": (SGD(LR), lambda: optax.sgd(LR)),
    "momentum": (Momentum(LR, momentum=0.9), lambda: optax.sgd(LR, momentum=0.9)),
    "nesterov": (Nesterov(LR, momentum=0.9), lambda: optax.sgd(LR, momentum=0.9, nesterov=True)),
    "adagrad, epsilon inside, a start of 0.1": (
        conventions.AdagradEpsInside(LR, eps=1e-7, initial_accumulator_value=0.1),
        lambda: optax.adagrad(LR),
    ),
    "rmsprop, epsilon inside, decay 0.9": (
        conventions.RMSpropEpsInside(LR, alpha=0.9),
        lambda: optax.rmsprop(LR),
    ),
    "rmsprop, epsilon outside": (
        RMSprop(LR, alpha=0.9),
        lambda: optax.rmsprop(LR, eps_in_sqrt=False),
    ),
    "adam": (Adam(LR), lambda: optax.adam(LR)),
    "amsgrad, maximum of v-hat": (conventions.AMSGradCorrectedMax(LR), lambda: optax.amsgrad(LR)),
    "adamw": (AdamW(LR, weight_decay=0.1), lambda: optax.adamw(LR, weight_decay=0.1)),
}
# What looks alike and is not: the book's class and optax's of the same name.
DIFFERENT: dict[str, tuple[Optimizer, Callable[[], Any]]] = {
    "rmsprop": (RMSprop(LR, alpha=0.9), lambda: optax.rmsprop(LR)),
    "amsgrad": (conventions.AMSGradPaper(LR), lambda: optax.amsgrad(LR)),
    "adamw's default decay": (AdamW(LR), lambda: optax.adamw(LR)),
}

TARGET = np.array([1.0, -2.0, 0.5])
SCALES = np.array([1.0, 10.0, 1e-3])


def gradient(theta: Any, t: int) -> Any:
    """A bowl's gradient with a disturbance that falls and changes its sign."""
    return SCALES * (theta - TARGET + 3 * (-1) ** t / t)


def ours(optimizer: Optimizer) -> np.ndarray:
    theta, path = np.zeros(3), []
    state = optimizer.init(theta)
    for t in range(1, STEPS + 1):
        delta, state = optimizer.update(gradient(theta, t), state, theta)
        theta = theta + delta
        path.append(theta)
    return np.array(path)


def optaxs(rule: Any) -> np.ndarray:
    theta, path = jnp.zeros(3), []
    state = rule.init(theta)
    for t in range(1, STEPS + 1):
        delta, state = rule.update(gradient(theta, t), state, theta)
        theta = optax.apply_updates(theta, delta)
        path.append(np.asarray(theta))
    return np.array(path)


@pytest.mark.parametrize("name", SAME)
def test_same(name):
    optimizer, make = SAME[name]
    np.testing.assert_allclose(ours(optimizer), optaxs(make()), rtol=ROUNDING, atol=10 * ROUNDING)


@pytest.mark.parametrize("name", DIFFERENT)
def test_different(name):
    """A hundred steps part by far more than rounding."""
    optimizer, make = DIFFERENT[name]
    gap = np.abs(ours(optimizer) - optaxs(make())).max()
    assert gap > 1e-6


def test_defaults_that_differ():
    """Said on the page of conventions."""
    from inspect import signature

    def default(function: Any, name: str) -> Any:
        return signature(function).parameters[name].default

    assert default(optax.adagrad, "initial_accumulator_value") == 0.1
    assert default(optax.adagrad, "eps") == 1e-7
    assert default(optax.rmsprop, "decay") == 0.9
    assert default(optax.rmsprop, "eps_in_sqrt") is True
    assert default(optax.adamw, "weight_decay") == 1e-4
