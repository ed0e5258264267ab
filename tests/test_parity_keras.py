"""The book's rules and conventions against Keras, in float64: the same problem, a hundred steps."""

from __future__ import annotations

import os
from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
import pytest
from adambook.numpy_optim import (
    SGD,
    Adadelta,
    Adam,
    Adamax,
    AdamW,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    Optimizer,
    conventions,
)
from test_parity_optax import LR, ROUNDING, STEPS, gradient, ours


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Keras on jax, in float64; it keeps its settings out of the home folder."""
    os.environ["KERAS_BACKEND"] = "jax"
    os.environ["KERAS_HOME"] = str(tmp_path_factory.mktemp("keras"))
    import keras

    keras.config.set_floatx("float64")
    return keras


SAME: dict[str, tuple[Optimizer, Callable[[Any], Any]]] = {
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
}
# The book's class with Keras's numbers: what remains is another rule.
DIFFERENT: dict[str, tuple[Optimizer, Callable[[Any], Any]]] = {
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


@pytest.mark.parametrize("name", SAME)
def test_same(keras, name):
    optimizer, make = SAME[name]
    theirs = kerass(keras, make(keras.optimizers))
    np.testing.assert_allclose(ours(optimizer), theirs, rtol=ROUNDING, atol=10 * ROUNDING)


@pytest.mark.parametrize("name", DIFFERENT)
def test_different(keras, name):
    """A hundred steps part by far more than rounding."""
    optimizer, make = DIFFERENT[name]
    assert np.abs(ours(optimizer) - kerass(keras, make(keras.optimizers))).max() > 1e-8


def test_defaults_that_differ(keras):
    """Said on the page of conventions."""

    def default(cls: Any, name: str) -> Any:
        return signature(cls).parameters[name].default

    o = keras.optimizers
    assert default(o.Adam, "epsilon") == default(o.RMSprop, "epsilon") == default(o.Adagrad, "epsilon") == 1e-7
    assert default(o.Adagrad, "initial_accumulator_value") == 0.1
    assert default(o.RMSprop, "rho") == 0.9
    assert default(o.AdamW, "weight_decay") == 0.004
    assert default(o.Adadelta, "learning_rate") == 0.001 and default(o.Adadelta, "rho") == 0.95
    assert default(o.Lion, "learning_rate") == 0.001
