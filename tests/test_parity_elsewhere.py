"""The book's rules and conventions against optax and Keras, in float64: the same problem, a hundred steps."""

from __future__ import annotations

import os
from collections.abc import Callable
from inspect import signature
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest
from adambook.numpy_optim import (
    SGD,
    Adadelta,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    Optimizer,
    RMSprop,
    ScheduleFreeAdamW,
    conventions,
)

LR, STEPS = 0.05, 100
# Each step rounds some twenty operations to 2^-53, and the problem is contracting.
ROUNDING = STEPS * 20 * 2.0**-53

SAME_IN_OPTAX: dict[str, tuple[Optimizer, Callable[[], Any]]] = {
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
DIFFERENT_IN_OPTAX: dict[str, tuple[Optimizer, Callable[[], Any]]] = {
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


@pytest.mark.parametrize("name", SAME_IN_OPTAX)
def test_same_in_optax(name):
    optimizer, make = SAME_IN_OPTAX[name]
    np.testing.assert_allclose(ours(optimizer), optaxs(make()), rtol=ROUNDING, atol=10 * ROUNDING)


@pytest.mark.parametrize("name", DIFFERENT_IN_OPTAX)
def test_different_in_optax(name):
    """A hundred steps part by far more than rounding."""
    optimizer, make = DIFFERENT_IN_OPTAX[name]
    gap = np.abs(ours(optimizer) - optaxs(make())).max()
    assert gap > 1e-6


def test_defaults_of_optax():
    """Said on the page of conventions."""

    def default(function: Any, name: str) -> Any:
        return signature(function).parameters[name].default

    assert default(optax.adagrad, "initial_accumulator_value") == 0.1
    assert default(optax.adagrad, "eps") == 1e-7
    assert default(optax.rmsprop, "decay") == 0.9
    assert default(optax.rmsprop, "eps_in_sqrt") is True
    assert default(optax.adamw, "weight_decay") == 1e-4
    assert default(optax.lion, "weight_decay") == 1e-3
    assert (default(optax.adadelta, "rho"), default(optax.adadelta, "eps")) == (0.9, 1e-6)
    assert default(optax.radam, "threshold") == 5
    assert (default(optax.lamb, "eps"), default(optax.lamb, "weight_decay")) == (1e-6, 0)
    assert default(optax.contrib.sophia, "gamma") == 0.01
    assert default(optax.contrib.muon, "weight_decay") == 0 and default(optax.contrib.muon, "consistent_rms") is None


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Keras on jax, in float64; it keeps its settings out of the home folder."""
    os.environ["KERAS_BACKEND"] = "jax"
    os.environ["KERAS_HOME"] = str(tmp_path_factory.mktemp("keras"))
    import keras

    keras.config.set_floatx("float64")
    return keras


SAME_IN_KERAS: dict[str, tuple[Optimizer, Callable[[Any], Any]]] = {
    "SGD": (SGD(LR), lambda o: o.SGD(LR)),
    "Momentum": (Momentum(LR, momentum=0.9), lambda o: o.SGD(LR, momentum=0.9)),
    "Nesterov": (Nesterov(LR, momentum=0.9), lambda o: o.SGD(LR, momentum=0.9, nesterov=True)),
    "Adagrad, epsilon inside, a start of 0.1": (
        conventions.AdagradEpsInside(LR, eps=1e-7, initial_accumulator_value=0.1),
        lambda o: o.Adagrad(LR),
    ),
    "RMSprop, epsilon inside": (
        conventions.RMSpropEpsInside(LR, alpha=0.9, eps=1e-7),
        lambda o: o.RMSprop(LR),
    ),
    "Adam, epsilon-hat": (conventions.AdamEpsHat(LR, eps=1e-7), lambda o: o.Adam(LR)),
    "Adadelta": (Adadelta(LR, rho=0.95, eps=1e-7), lambda o: o.Adadelta(LR)),
    "Lion": (Lion(LR), lambda o: o.Lion(LR)),
    "Schedule-Free AdamW": (ScheduleFreeAdamW(LR), lambda o: o.ScheduleFreeAdamW(LR)),
    # The momentum warms up over tens of steps, where torch's takes thousands.
    "NAdam, a fast schedule": (NAdam(LR, eps=1e-7, momentum_decay=1.0), lambda o: o.Nadam(LR)),
    # What differs in these is epsilon's place alone.
    "AdamW": (AdamW(LR, eps=0, weight_decay=0.004), lambda o: o.AdamW(LR, epsilon=0)),
    "AMSGrad": (AMSGrad(LR, eps=0), lambda o: o.Adam(LR, amsgrad=True, epsilon=0)),
    "Adamax": (Adamax(LR, eps=0), lambda o: o.Adamax(LR, epsilon=0)),
}
# The book's class with Keras's numbers: what remains is another rule.
DIFFERENT_IN_KERAS: dict[str, tuple[Optimizer, Callable[[Any], Any]]] = {
    "Adam": (Adam(LR, eps=1e-7), lambda o: o.Adam(LR)),
    "AdamW": (AdamW(LR, eps=1e-7, weight_decay=0.004), lambda o: o.AdamW(LR)),
    "Adamax": (Adamax(LR, eps=1e-7), lambda o: o.Adamax(LR)),
    "NAdam": (NAdam(LR, eps=1e-7), lambda o: o.Nadam(LR)),
}


def kerass(library: Any, optimizer: Any) -> np.ndarray:
    theta, path = library.Variable(np.zeros(3)), []
    optimizer.build([theta])
    for t in range(1, STEPS + 1):
        optimizer.apply([gradient(np.asarray(theta.value), t)], [theta])
        path.append(np.asarray(theta.value))
    return np.array(path)


@pytest.mark.parametrize("name", SAME_IN_KERAS)
def test_same_in_keras(keras, name):
    optimizer, make = SAME_IN_KERAS[name]
    theirs = kerass(keras, make(keras.optimizers))
    np.testing.assert_allclose(ours(optimizer), theirs, rtol=ROUNDING, atol=10 * ROUNDING)


@pytest.mark.parametrize("name", DIFFERENT_IN_KERAS)
def test_different_in_keras(keras, name):
    """A hundred steps part by far more than rounding."""
    optimizer, make = DIFFERENT_IN_KERAS[name]
    assert np.abs(ours(optimizer) - kerass(keras, make(keras.optimizers))).max() > 1e-8


def test_defaults_of_keras(keras):
    """Said on the page of conventions."""

    def default(cls: Any, name: str) -> Any:
        return signature(cls).parameters[name].default

    o = keras.optimizers
    assert (
        default(o.Adam, "epsilon") == default(o.RMSprop, "epsilon") == default(o.Adagrad, "epsilon") == 1e-7
    )
    assert default(o.Adagrad, "initial_accumulator_value") == 0.1
    assert default(o.RMSprop, "rho") == 0.9
    assert default(o.AdamW, "weight_decay") == 0.004
    assert default(o.Adadelta, "learning_rate") == 0.001 and default(o.Adadelta, "rho") == 0.95
    assert default(o.Lion, "learning_rate") == 0.001
    assert default(o.Lamb, "epsilon") == 1e-7
    assert (default(o.Muon, "weight_decay"), default(o.Muon, "rms_rate")) == (0.004, 0.2)
    for missing in ("RAdam", "Adan", "Sophia"):
        assert not hasattr(o, missing)
