"""The rules in NumPy: the algebra each must obey, batches, dtypes, and hyper-parameters out of range."""

import dataclasses
import inspect

import numpy as np
import pytest
from adambook import numpy_optim
from adambook.numpy_optim import (
    SGD,
    Adafactor,
    Adagrad,
    Adam,
    AdamW,
    AMSGrad,
    Momentum,
    Muon,
    Nesterov,
    RMSprop,
    conventions,
)
from hypothesis import given
from hypothesis import strategies as st

BOOK = [SGD, Momentum, Nesterov, Adagrad, RMSprop, Adam, AMSGrad, AdamW]
OTHERS = [
    value
    for _, value in inspect.getmembers(conventions, inspect.isclass)
    if issubclass(value, numpy_optim.Optimizer) and value.__module__ == conventions.__name__
]
EXPORTED = [getattr(numpy_optim, name) for name in numpy_optim.__all__]
CLASSES = [value for value in EXPORTED if inspect.isclass(value) and value is not numpy_optim.Optimizer]
ALL = CLASSES + OTHERS
MATRICES = (Adafactor, Muon)


def drawn(cls, rng, *batch):
    """Return random numbers in the shape of a parameter of ``cls``, which may be a matrix, behind ``batch``."""
    return rng.normal(size=(*batch, *((3, 2) if cls in MATRICES else (3,))))


def vary(cls, values):
    """Return ``values`` as an array hyper-parameter of ``cls``, one value a run."""
    return np.reshape(values, (-1, 1, 1) if cls in MATRICES else (-1, 1))


def run(optimizer, grads, theta):
    """Return every step of ``optimizer`` along given gradients, and the last state."""
    state, steps = optimizer.init(theta), []
    for grad in grads:
        delta, state = optimizer.update(grad, state, theta)
        theta = theta + delta
        steps.append(delta)
    return np.array(steps), state


def test_every_class_was_found():
    assert len(OTHERS) == 10
    assert len(CLASSES) == 22 and set(BOOK) < set(CLASSES)
    assert {cls.__name__ for cls in ALL if not cls.elementwise} == {"Adafactor", "LAMB", "Muon"}


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batched_runs_are_single_runs_and_keep_the_dtype(cls, dtype):
    rng = np.random.default_rng(0)
    grads, theta = drawn(cls, rng, 6, 4).astype(dtype), drawn(cls, rng, 4).astype(dtype)
    steps, state = run(cls(lr=0.01), grads, theta)
    assert steps.dtype == dtype
    assert all(np.asarray(value).dtype == dtype for value in state[1:])
    # Elementwise rules give the same bits; sums over an axis may be taken in another order: Muon's five
    # iterations stretch the roundings of six steps a thousand times at most.
    tolerance = 0 if cls.elementwise else 6e3 * np.finfo(dtype).eps
    for i in range(4):
        alone, _ = run(cls(lr=0.01), grads[:, i], theta[i])
        np.testing.assert_allclose(steps[:, i], alone, rtol=tolerance, atol=0.01 * tolerance)


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_hyper_parameters_broadcast(cls):
    rng = np.random.default_rng(1)
    grads, theta = drawn(cls, rng, 5), drawn(cls, rng)
    lrs = np.array([0.001, 0.01, 0.1])
    steps, _ = run(cls(lr=vary(cls, lrs)), grads, np.broadcast_to(theta, (3, *theta.shape)))
    assert steps.shape == (5, 3, *theta.shape)
    tolerance = 0 if cls.elementwise else 5e3 * np.finfo(float).eps  # as above
    for i, lr in enumerate(lrs):
        alone, _ = run(cls(lr=lr), grads, theta)
        np.testing.assert_allclose(steps[:, i], alone, rtol=tolerance, atol=lr * tolerance)


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_update_is_pure(cls):
    theta, grad = np.array([[1.0, -2.0]]), np.array([[0.5, 0.25]])
    optimizer = cls(lr=0.1)
    state = optimizer.init(theta)
    kept = [np.array(value) for value in state]
    first = optimizer.update(grad, state, theta)
    second = optimizer.update(grad, state, theta)
    np.testing.assert_array_equal(first.delta, second.delta)
    np.testing.assert_array_equal(theta, [[1.0, -2.0]])
    np.testing.assert_array_equal(grad, [[0.5, 0.25]])
    for before, after in zip(kept, state, strict=True):
        np.testing.assert_array_equal(before, after)
    assert first.state.t == 1 and state.t == 0


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_rule_is_one_short_body(cls):
    assert "update" in vars(cls), "the rule must be readable without a jump to a parent class"
    body = inspect.getsource(cls.update).splitlines()[1:]
    assert len(body) <= 10


def test_adam_on_a_constant_gradient_moves_by_alpha():
    # The hats undo the bias exactly, so every step is alpha * g / (|g| + eps).
    steps, _ = run(Adam(lr=0.1, eps=0), np.full((50, 1), 3.0), np.zeros(1))
    np.testing.assert_allclose(steps, -0.1, rtol=1e-12)


def test_without_correction_the_first_steps_are_too_large():
    steps, _ = run(conventions.AdamUncorrected(lr=1.0, eps=0), np.ones((60, 1)), np.zeros(1))
    size = -steps[:, 0]
    np.testing.assert_allclose(size[0], 0.1 / np.sqrt(0.001), rtol=1e-12)
    assert size.argmax() + 1 == 12
    np.testing.assert_allclose(size.max(), 6.57, atol=0.005)


@given(scale=st.floats(1e-6, 1e6))
def test_adam_does_not_see_the_scale_of_the_loss(scale):
    grads, theta = np.random.default_rng(2).normal(size=(20, 3)), np.zeros(3)
    # A few roundings in each of 20 steps.
    np.testing.assert_allclose(
        run(Adam(eps=0), grads, theta)[0], run(Adam(eps=0), scale * grads, theta)[0], rtol=1e-13
    )


def test_amsgrad_never_lets_its_maximum_shrink_and_is_adam_while_v_grows():
    grads = np.concatenate([np.linspace(1, 2, 10), np.full(40, 0.01)])[:, None]
    adam, _ = run(Adam(), grads, np.zeros(1))
    ams, state = run(AMSGrad(), grads, np.zeros(1))
    np.testing.assert_array_equal(adam[:10], ams[:10])
    assert np.all(np.abs(ams[11:]) < np.abs(adam[11:]))
    assert state.v_max > state.v


def test_the_web_form_of_amsgrad_starts_31_times_too_fast():
    steps, _ = run(conventions.AMSGradHatOverMax(lr=1.0, eps=0), np.ones((1, 1)), np.zeros(1))
    np.testing.assert_allclose(-steps[0, 0], 1 / np.sqrt(0.001), rtol=1e-12)


def test_epsilon_hat_equals_epsilon_times_the_root_of_the_correction():
    grad, theta = np.array([1e-4]), np.zeros(1)
    t = 1
    book = Adam(eps=1e-3)
    hat = conventions.AdamEpsHat(eps=1e-3 * np.sqrt(1 - 0.999**t))
    np.testing.assert_allclose(run(book, [grad], theta)[0], run(hat, [grad], theta)[0], rtol=1e-13)


def test_weight_decay_alone():
    grads, theta = np.zeros((100, 1)), np.ones(1)
    shrink = lambda optimizer: 1 + run(optimizer, grads, theta)[0].sum()  # noqa: E731
    np.testing.assert_allclose(shrink(Adam(lr=0.01, weight_decay=0.1)), 0.224, atol=5e-4)
    np.testing.assert_allclose(shrink(AdamW(lr=0.01, weight_decay=0.1)), (1 - 0.001) ** 100, rtol=1e-12)
    np.testing.assert_allclose(shrink(conventions.AdamWPaper(lr=0.01, weight_decay=0.1)), 0.9**100, rtol=1e-9)


def test_nesterov_and_momentum_differ_by_the_look_ahead():
    steps, _ = run(Momentum(lr=1.0, momentum=0.5), np.array([[1.0], [1.0]]), np.zeros(1))
    np.testing.assert_allclose(steps[:, 0], [-1.0, -1.5])
    steps, _ = run(Nesterov(lr=1.0, momentum=0.5), np.array([[1.0], [1.0]]), np.zeros(1))
    np.testing.assert_allclose(steps[:, 0], [-1.5, -1.75])
    # With dampening, the first buffer is still the whole gradient, as in torch.
    steps, _ = run(Momentum(lr=1.0, momentum=0.5, dampening=0.5), np.array([[1.0], [1.0]]), np.zeros(1))
    np.testing.assert_allclose(steps[:, 0], [-1.0, -1.0])


def test_a_nan_stays_in_amsgrads_maximum():
    _, state = run(AMSGrad(), np.array([[np.nan], [1.0]]), np.zeros(1))
    assert np.isnan(state.v_max[0])


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_bad_hyper_parameters_are_named(cls):
    for field in dataclasses.fields(cls):
        if isinstance(field.default, tuple):
            pairs = [(i, value) for i in range(len(field.default)) for value in (-0.1, np.nan, np.inf)]
            cases = [(*field.default[:i], value, *field.default[i + 1 :]) for i, value in pairs]
            match = r"(beta|eps)\d = .*allowed"
        else:
            cases = [1.0 if field.name == "beta2_decay" else -1.0, np.nan, np.inf]
            match = rf"{field.name} = .*allowed"
        for value in cases:
            # A float is the wrong type where a whole number is wanted.
            with pytest.raises(TypeError if isinstance(field.default, int) else ValueError, match=match):
                cls(**{field.name: value})
        for value in ("0.1", None, True, 1j):
            with pytest.raises(TypeError, match=field.name):
                cls(**{field.name: value})


def test_bad_arrays_are_named():
    with pytest.raises(ValueError, match=r"lr = array with .*-0\.5.*0 <= lr"):
        Adam(lr=np.array([0.1, -0.5]))
    with pytest.raises(TypeError, match="theta must hold real numbers"):
        Adam().init(np.array([1j]))
    with pytest.raises(dataclasses.FrozenInstanceError):
        Adam().lr = 3


def test_integers_become_floats():
    assert Adam().init([1, 2]).m.dtype == np.float64
