"""NumPy against torch.optim in float64: the same path to 1e-12 after 100 steps, over ranges of hyper-parameters."""

import numpy as np
import pytest
import torch
from adambook import numpy_optim
from adambook.numpy_optim import conventions
from hypothesis import given, settings
from hypothesis import strategies as st

STEPS = 100
EIGENVALUES = np.array([0.3, 1.0, 2.0, 5.0])


@pytest.fixture(autouse=True)
def double():
    """torch.optim.NAdam keeps the product of its momenta in torch's default dtype: in float32 that is 6e-8 off."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def number(low, high):
    """Zero half of the time, as most options are off by default."""
    return st.one_of(st.just(0.0), st.floats(low, high))


LR = st.floats(1e-4, 0.05)
EPS = st.sampled_from([1e-10, 1e-8, 1e-3])
BETA1 = st.floats(0.0, 0.95)
# Not below 1/2: with a shorter memory the denominator can be as small as one gradient that happens to be near zero,
# and then the step magnifies whatever rounding the gradient brought along. That is the rule's nature, not an error.
BETA2 = st.floats(0.5, 0.999)
DECAY = number(1e-3, 0.1)
ADAM = {"lr": LR, "betas": st.tuples(BETA1, BETA2), "eps": EPS, "weight_decay": DECAY}
MOMENTUM = {"lr": LR, "momentum": st.floats(0.1, 0.95), "weight_decay": DECAY}
RMSPROP = {"lr": LR, "alpha": BETA2, "eps": EPS, "weight_decay": DECAY}

# ours, torch's class, what torch needs besides ours, and the options drawn for both
PAIRS = {
    "SGD": (numpy_optim.SGD, torch.optim.SGD, {}, {"lr": LR, "weight_decay": DECAY}),
    "Momentum": (
        numpy_optim.Momentum,
        torch.optim.SGD,
        {},
        {**MOMENTUM, "dampening": number(0.01, 1.0)},
    ),
    "Nesterov": (numpy_optim.Nesterov, torch.optim.SGD, {"nesterov": True}, MOMENTUM),
    "Adagrad": (
        numpy_optim.Adagrad,
        torch.optim.Adagrad,
        {},
        {
            "lr": LR,
            "lr_decay": number(1e-3, 0.1),
            "weight_decay": DECAY,
            "initial_accumulator_value": number(1e-3, 1.0),
            "eps": EPS,
        },
    ),
    "RMSprop": (numpy_optim.RMSprop, torch.optim.RMSprop, {}, RMSPROP),
    "MomentumRMSprop": (
        conventions.MomentumRMSprop,
        torch.optim.RMSprop,
        {},
        {**RMSPROP, "momentum": st.floats(0.1, 0.95)},
    ),
    "CenteredRMSprop": (conventions.CenteredRMSprop, torch.optim.RMSprop, {"centered": True}, RMSPROP),
    "Adam": (numpy_optim.Adam, torch.optim.Adam, {}, ADAM),
    "AMSGrad": (numpy_optim.AMSGrad, torch.optim.Adam, {"amsgrad": True}, ADAM),
    "AdamW": (numpy_optim.AdamW, torch.optim.AdamW, {}, ADAM),
    "Adadelta": (
        numpy_optim.Adadelta,
        torch.optim.Adadelta,
        {},
        {"lr": st.floats(0.01, 1.0), "rho": BETA2, "eps": EPS, "weight_decay": DECAY},
    ),
    "Adamax": (numpy_optim.Adamax, torch.optim.Adamax, {}, ADAM),
    "NAdam": (numpy_optim.NAdam, torch.optim.NAdam, {}, {**ADAM, "momentum_decay": number(1e-3, 0.1)}),
    "RAdam": (numpy_optim.RAdam, torch.optim.RAdam, {}, ADAM),
    "Adafactor": (
        numpy_optim.Adafactor,
        torch.optim.Adafactor,
        {},
        {
            "lr": st.floats(1e-3, 0.5),  # above 0.1 the root of t takes over within 100 steps
            "beta2_decay": st.floats(-1.0, -0.3),
            "eps": st.tuples(st.sampled_from([None, 1e-10, 1e-3]), st.sampled_from([1e-3, 0.1])),
            "d": st.floats(1.0, 2.0),
            "weight_decay": DECAY,
        },
    ),
}
# Compared with other libraries and with the papers' pseudo-code in tests/numpy_optim: torch has none of these, or
# (Muon) computes in bfloat16.
ELSEWHERE = {
    "AdaBound",
    "Adan",
    "LAMB",
    "Lion",
    "Muon",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "SophiaG",
    "SophiaH",
}


def gradient(theta, noise):
    """Of the quadratic with these eigenvalues, plus noise that keeps every coordinate moving; (4,) or (2, 2)."""
    return EIGENVALUES.reshape((2, 2) if theta.shape[-1] == 2 else 4) * theta + noise


def numpy_path(optimizer, theta, noises):
    """Return the points after each step."""
    state, path = optimizer.init(theta), []
    for noise in noises:
        delta, state = optimizer.update(gradient(theta, noise), state, theta)
        theta = theta + delta
        path.append(theta)
    return np.array(path)


def torch_path(make, theta, noises):
    p, path = torch.tensor(theta), []
    optimizer = make([p])
    for noise in noises:
        p.grad = torch.from_numpy(gradient(p.numpy(), noise))
        optimizer.step()
        path.append(p.numpy().copy())
    return np.array(path)


def relative_difference(path, reference, start):
    """Largest difference over the way travelled, per coordinate: the measure in which rounding adds up."""
    steps = np.diff(np.concatenate([start[None], reference]), axis=0)
    return np.max(np.abs(path - reference).max(0) / (np.abs(start) + np.abs(steps).sum(0)))


@pytest.mark.parametrize("name", PAIRS)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_numpy_walks_with_torch(name, data):
    ours, theirs, fixed, options = PAIRS[name]
    options = data.draw(st.fixed_dictionaries(options))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    start, noises = rng.normal(size=4), rng.normal(size=(STEPS, 4))
    path = numpy_path(ours(**options), start, noises)
    reference = torch_path(lambda params: theirs(params, **fixed, **options), start, noises)
    assert np.abs(reference - start).max() > 0
    # 100 steps, each with about ten roundings of 1e-16 on the way: 1e-13 if none is amplified.
    assert relative_difference(path, reference, start) <= 1e-12


def test_every_numpy_optimizer_is_compared():
    classes = (getattr(numpy_optim, name) for name in numpy_optim.__all__)
    ours = {cls.__name__ for cls in classes if isinstance(cls, type)} - {"Optimizer"}
    assert ours - ELSEWHERE == {row[0].__name__ for row in PAIRS.values()} & ours
    assert not {name for name in ELSEWHERE if hasattr(torch.optim, name)} - {"Muon"}


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_adafactor_walks_with_torch_on_matrices(data):
    options = data.draw(st.fixed_dictionaries(PAIRS["Adafactor"][3]))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    starts, noises = rng.normal(size=(3, 2, 2)), rng.normal(size=(STEPS, 3, 2, 2))
    paths = numpy_path(numpy_optim.Adafactor(**options), starts, noises)
    for i, start in enumerate(starts):
        make = lambda params: torch.optim.Adafactor(params, **options)  # noqa: E731
        reference = torch_path(make, start, noises[:, i])
        assert relative_difference(paths[:, i], reference, start) <= 1e-12


@pytest.mark.parametrize("name", PAIRS)
def test_defaults_are_torchs(name):
    """Step with the defaults on both sides; momentum is 0 in torch and 0.9 in the classes named after it."""
    ours, theirs, fixed, options = PAIRS[name]
    needed = {key: 0.9 for key in ("momentum",) if key in options}
    start, noises = np.array([1.0, -1.0, 0.5, 2.0]), np.random.default_rng(0).normal(size=(20, 4))
    path = numpy_path(ours(), start, noises)
    reference = torch_path(lambda params: theirs(params, **fixed, **needed), start, noises)
    assert relative_difference(path, reference, start) <= 1e-13


@pytest.mark.parametrize(
    "name", ["Adagrad", "RMSprop", "Adam", "AMSGrad", "AdamW", "Adadelta", "Adamax", "NAdam", "RAdam"]
)
def test_a_batch_of_learning_rates_is_one_torch_run_each(name):
    ours, theirs, fixed, _ = PAIRS[name]
    rates = np.array([[1e-3], [1e-2], [5e-2]])
    start, noises = np.array([1.0, -1.0, 0.5, 2.0]), np.random.default_rng(0).normal(size=(STEPS, 4))
    paths = numpy_path(ours(lr=rates), np.broadcast_to(start, (3, 4)), noises)
    for i, rate in enumerate(rates[:, 0]):
        reference = torch_path(lambda params, rate=rate: theirs(params, lr=rate, **fixed), start, noises)
        assert relative_difference(paths[:, i], reference, start) <= 1e-12
