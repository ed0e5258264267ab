"""NumPy against optax in float64, where both mean the same; where not, the test says whose convention is ours."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from adambook.numpy_optim import (
    LAMB,
    Adadelta,
    Adamax,
    Adan,
    Lion,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
    SophiaG,
    SophiaH,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from optax import contrib

STEPS = 100
# 100 steps, each with about ten roundings of 1e-16 on the way: 1e-13 if none is amplified.
TOLERANCE = 1e-12
EIGENVALUES = np.array([0.3, 1.0, 2.0, 5.0])
LR = st.floats(1e-4, 0.05)
EPS = st.sampled_from([1e-10, 1e-8, 1e-3])
BETA1 = st.floats(0.1, 0.95)
BETA2 = st.floats(0.5, 0.999)
DECAY = st.one_of(st.just(0.0), st.floats(1e-3, 0.1))
SEED = st.integers(0, 999)
search = settings(deadline=None, max_examples=5)


def compare(ours, theirs, seed, learn=lambda state, grad: state):
    """Take 100 steps on a noisy quadratic with both, ``learn`` after each of ours; return what is left of both."""
    rng = np.random.default_rng(seed)
    start, noises = rng.normal(size=4), rng.normal(size=(STEPS, 4))
    theta, state = start, ours.init(start)
    params = jnp.array(start)
    other = theirs.init(params)
    update = jax.jit(theirs.update)
    path, reference = [start], [start]
    for noise in noises:
        grad = EIGENVALUES * theta + noise
        delta, state = ours.update(grad, state, theta)
        theta, state = theta + delta, learn(state, grad)
        step, other = update(EIGENVALUES * params + noise, other, params)
        params = optax.apply_updates(params, step)
        path.append(theta)
        reference.append(np.array(params))
    way = np.abs(start) + np.abs(np.diff(reference, axis=0)).sum(0)
    assert params.dtype == np.float64 and np.ptp(reference, axis=0).min() > 0
    assert np.max(np.abs(np.array(path) - reference).max(0) / way) <= TOLERANCE, "not the same way"
    return theta, state, other


@search
@given(LR, BETA1, BETA2, DECAY, SEED)
def test_lion(lr, b1, b2, decay, seed):
    compare(Lion(lr, (b1, b2), decay), optax.lion(lr, b1, b2, weight_decay=decay), seed)


@search
@given(LR, BETA1, BETA2, EPS, DECAY, SEED)
def test_lamb(lr, b1, b2, eps, decay, seed):
    """A vector is one tensor to optax and one row to us."""
    compare(LAMB(lr, (b1, b2), eps, decay), optax.lamb(lr, b1, b2, eps, weight_decay=decay), seed)


@search
@given(LR, BETA1, BETA2, EPS, DECAY, SEED)
def test_schedule_free_adamw(lr, b1, b2, eps, decay, seed):
    theirs = contrib.schedule_free_adamw(lr, b1=b1, b2=b2, eps=eps, weight_decay=decay)
    ours = ScheduleFreeAdamW(lr, (b1, b2), eps, decay)
    theta, state, other = compare(ours, theirs, seed)
    x = contrib.schedule_free_eval_params(other, jnp.array(theta))
    # optax finds x from y and z, whose difference it divides by b1, 0.1 at least.
    np.testing.assert_allclose(ours.eval_point(state, theta), x, rtol=10 * TOLERANCE, atol=10 * TOLERANCE)


@search
@given(st.floats(1e-4, 0.1), BETA1, DECAY, SEED)
def test_schedule_free_sgd(lr, b1, decay, seed):
    theirs = contrib.schedule_free_sgd(lr, b1=b1, weight_decay=decay)
    compare(ScheduleFreeSGD(lr, b1, decay), theirs, seed)


@search
@given(LR, BETA1, BETA2, EPS, SEED)
def test_adan_only_where_beta2_is_a_half(lr, b1, b3, eps, seed):
    """optax weights the difference by 1 - b2, the paper and the authors' code (ours) by b2: equal at 1/2.

    It also adds eps_root inside the root, which the paper does not, and decays as AdamW.
    """
    theirs = optax.adan(lr, b1, 0.5, b3, eps, eps_root=0.0)
    compare(Adan(lr, (b1, 0.5, b3), eps), theirs, seed)


def test_adan_differs_elsewhere():
    with pytest.raises(AssertionError, match="the same way"):
        compare(Adan(), optax.adan(1e-3, eps_root=0.0), 0)


def compare_sophia(cls, lr, betas, rho, decay, seed):
    """optax learns of the Hessian after the step, every tenth time from the first.

    Any numbers will do for the Hessian's: squares, and for SophiaH what can be negative.
    """
    estimate = (lambda g: g**2) if cls is SophiaG else (lambda g: g)
    hessian = optax.GradientTransformation(lambda p: (), lambda g, state, params=None: (estimate(g), state))
    options = {"eps": 1e-15, "update_interval": 10, "hessian_diagonal_fn": hessian}
    ours, theirs = (
        cls(lr, betas, rho, decay),
        contrib.sophia(lr, *betas, weight_decay=decay, gamma=rho, **options),
    )

    def learn(state, grad):
        return ours.with_hessian(state, estimate(grad)) if state.t % 10 == 1 else state

    compare(ours, theirs, seed, learn)


@pytest.mark.parametrize("cls", [SophiaG, SophiaH])
@search
@given(lr=LR, b2=BETA2, rho=st.floats(0.01, 1.0), decay=DECAY, seed=SEED)
def test_sophia_only_without_a_first_average(cls, lr, b2, rho, decay, seed):
    """optax corrects the bias of m, the authors' code (ours) does not: equal at beta1 = 0."""
    compare_sophia(cls, lr, (0.0, b2), rho, decay, seed)


@pytest.mark.parametrize("cls", [SophiaG, SophiaH])
def test_sophia_differs_with_one(cls):
    with pytest.raises(AssertionError, match="the same way"):
        compare_sophia(cls, 0.01, (0.9, 0.9), 1.0, 0.1, 0)


@search
@given(LR, BETA1, BETA2, EPS, SEED)
def test_what_torch_has_too(lr, b1, b2, eps, seed):
    compare(Adamax(lr, (b1, b2), eps), optax.adamax(lr, b1, b2, eps), seed)
    compare(Adadelta(lr, b2, eps), optax.adadelta(lr, b2, eps), seed)
