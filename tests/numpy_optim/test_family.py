"""The younger rules against the papers' pseudo-code, written out number by number, and what they are known for."""

import itertools
import math

import numpy as np
import pytest
import torch
from adambook.descent import descend
from adambook.numpy_optim import (
    LAMB,
    AdaBound,
    Adafactor,
    Adam,
    Adamax,
    Adan,
    Lion,
    Muon,
    NAdam,
    RAdam,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
    SophiaG,
    SophiaH,
    gauss_newton_bartlett,
    hutchinson,
    newton_schulz,
    orthogonal_factor,
)
from adambook.numpy_optim.radam import rectification
from adambook.objectives import Quadratic
from hypothesis import given, settings
from hypothesis import strategies as st

STEPS = 100
EIGENVALUES = (0.3, 1.0, 2.0)
LR = st.floats(1e-4, 0.05)
EPS = st.sampled_from([1e-10, 1e-8, 1e-3])
BETA1 = st.floats(0.0, 0.95)
BETA2 = st.floats(0.5, 0.999)
DECAY = st.one_of(st.just(0.0), st.floats(1e-3, 0.1))
SEED = st.integers(0, 999)
few = settings(deadline=None, max_examples=20)


# One coordinate each, from the pseudo-code: a generator takes a gradient and gives the next value.


def lion(theta, lr, b1, b2, decay):
    m = 0.0
    while True:
        g = yield theta
        c = b1 * m + (1 - b1) * g
        theta = theta - lr * ((c > 0) - (c < 0) + decay * theta)
        m = b2 * m + (1 - b2) * g


def adabound(theta, lr, b1, b2, final_lr, gamma, eps, decay):
    m = v = 0.0
    for t in itertools.count(1):
        g = (yield theta) + decay * theta
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        step = lr * math.sqrt(1 - b2**t) / (1 - b1**t) / (math.sqrt(v) + eps)
        low, high = final_lr - final_lr / (gamma * t + 1), final_lr + final_lr / (gamma * t)
        theta -= min(max(step, low), high) * m


def sophia(theta, lr, b1, b2, rho, decay, signed, estimates):
    m = h = 0.0
    for t in itertools.count(1):
        g = yield theta
        m = b1 * m + (1 - b1) * g
        if t % 10 == 1:
            h = b2 * h + (1 - b2) * estimates[t - 1]
        theta -= lr * decay * theta
        size = min(1.0, abs(m) / (rho * (max(h, 0.0) if signed else h) + 1e-15))
        theta -= lr * math.copysign(size, m)


def adan(theta, lr, b1, b2, b3, eps, decay):
    """The authors' code, in which the paper's betas are one minus these."""
    m = v = n = 0.0
    last = None
    for t in itertools.count(1):
        g = yield theta
        difference = 0.0 if last is None else g - last
        m += (1 - b1) * (g - m)
        v += (1 - b2) * (difference - v)
        n += (1 - b3) * ((g + b2 * difference) ** 2 - n)
        root = math.sqrt(n / (1 - b3**t)) + eps
        theta -= lr * m / (1 - b1**t) / root
        theta -= lr * b2 * v / (1 - b2**t) / root
        theta /= 1 + lr * decay
        last = g


def schedule_free_sgd(theta, lr, beta, decay):
    """Without x, as the authors' code: x follows from y and z, the weights are the squared step sizes."""
    y = z = theta
    weights = 0.0
    while True:
        g = yield y
        g += decay * y
        weights += lr**2
        c = lr**2 / weights
        y = (1 - c) * y + c * z + lr * (beta * (1 - c) - 1) * g
        z -= lr * g


def schedule_free_adamw(theta, lr, b1, b2, eps, decay):
    y = z = theta
    weights = v = 0.0
    for t in itertools.count(1):
        g = yield y
        v = b2 * v + (1 - b2) * g * g
        u = g / (math.sqrt(v / (1 - b2**t)) + eps) + decay * y
        weights += lr**2
        c = lr**2 / weights
        y = (1 - c) * y + c * z + lr * (b1 * (1 - c) - 1) * u
        z -= lr * u


def lamb(theta, lr, b1, b2, eps, decay):
    """All coordinates at once, since they share a length."""
    m = [0.0] * len(theta)
    v = [0.0] * len(theta)
    for t in itertools.count(1):
        g = yield theta
        u = []
        for i, x in enumerate(theta):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i]
            u.append(m[i] / (1 - b1**t) / (math.sqrt(v[i] / (1 - b2**t)) + eps) + decay * x)
        length = math.sqrt(sum(x * x for x in theta))
        other = math.sqrt(sum(x * x for x in u))
        ratio = length / other if length > 0 and other > 0 else 1.0
        theta = [x - lr * ratio * y for x, y in zip(theta, u, strict=True)]


def together(rules):
    """One rule a coordinate, as one rule of all."""
    theta = [next(rule) for rule in rules]
    while True:
        g = yield theta
        theta = [rule.send(x) for rule, x in zip(rules, g, strict=True)]


def compare(optimizer, oracle, start, noises, learn=lambda state, t: state):
    """Walk with both; the difference over the way travelled stays within the rounding of 100 steps."""
    theta, state = np.array(start), optimizer.init(start)
    expected = next(oracle)
    difference, way = np.zeros(len(start)), np.abs(start)
    for t, noise in enumerate(noises, 1):
        grad = EIGENVALUES * theta + noise
        delta, state = optimizer.update(grad, learn(state, t), theta)
        theta = theta + delta
        before = np.array(expected)
        expected = oracle.send([float(e * x + n) for e, x, n in zip(EIGENVALUES, before, noise, strict=True)])
        difference = np.maximum(difference, np.abs(theta - expected))
        way = way + np.abs(np.array(expected) - before)
    assert np.all(theta != start)
    # 100 steps, each with about ten roundings of 1e-16 on the way: 1e-13 if none is amplified.
    assert np.max(difference / way) <= 1e-12


def drawn(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=3).tolist(), rng.normal(size=(STEPS, 3))


@few
@given(LR, BETA1, BETA2, DECAY, SEED)
def test_lion(lr, b1, b2, decay, seed):
    start, noises = drawn(seed)
    compare(Lion(lr, (b1, b2), decay), together([lion(x, lr, b1, b2, decay) for x in start]), start, noises)


@few
@given(LR, BETA1, BETA2, st.floats(1e-3, 0.2), st.floats(1e-3, 0.5), EPS, DECAY, SEED)
def test_adabound(lr, b1, b2, final_lr, gamma, eps, decay, seed):
    start, noises = drawn(seed)
    oracle = together([adabound(x, lr, b1, b2, final_lr, gamma, eps, decay) for x in start])
    compare(AdaBound(lr, (b1, b2), final_lr, gamma, eps, decay), oracle, start, noises)


@pytest.mark.parametrize("cls", [SophiaG, SophiaH])
@few
@given(lr=LR, b1=BETA1, b2=BETA2, rho=st.floats(0.01, 2.0), decay=DECAY, seed=SEED)
def test_sophia(cls, lr, b1, b2, rho, decay, seed):
    start, noises = drawn(seed)
    rng = np.random.default_rng(seed + 1)
    estimates = rng.normal(0.5 if cls is SophiaH else 2.0, 1.0, size=(STEPS, 3)) ** (
        1 if cls is SophiaH else 2
    )
    optimizer = cls(lr, (b1, b2), rho, decay)
    learn = lambda state, t: optimizer.with_hessian(state, estimates[t - 1]) if t % 10 == 1 else state  # noqa: E731
    columns = [
        sophia(x, lr, b1, b2, rho, decay, cls is SophiaH, estimates[:, i]) for i, x in enumerate(start)
    ]
    compare(optimizer, together(columns), start, noises, learn)


@few
@given(LR, BETA1, BETA2, st.floats(0.5, 0.99), EPS, DECAY, SEED)
def test_adan(lr, b1, b2, b3, eps, decay, seed):
    start, noises = drawn(seed)
    oracle = together([adan(x, lr, b1, b2, b3, eps, decay) for x in start])
    compare(Adan(lr, (b1, b2, b3), eps, decay), oracle, start, noises)


@few
@given(LR, BETA1, DECAY, SEED)
def test_schedule_free_sgd(lr, beta, decay, seed):
    start, noises = drawn(seed)
    oracle = together([schedule_free_sgd(x, lr, beta, decay) for x in start])
    compare(ScheduleFreeSGD(lr, beta, decay), oracle, start, noises)


@few
@given(LR, BETA1, BETA2, EPS, DECAY, SEED)
def test_schedule_free_adamw(lr, b1, b2, eps, decay, seed):
    start, noises = drawn(seed)
    oracle = together([schedule_free_adamw(x, lr, b1, b2, eps, decay) for x in start])
    compare(ScheduleFreeAdamW(lr, (b1, b2), eps, decay), oracle, start, noises)


@few
@given(LR, BETA1, BETA2, EPS, DECAY, SEED)
def test_lamb(lr, b1, b2, eps, decay, seed):
    start, noises = drawn(seed)
    compare(LAMB(lr, (b1, b2), eps, decay), lamb(start, lr, b1, b2, eps, decay), start, noises)


# Muon: an oracle of our own, in which the polynomial acts on singular values, and torch within its bfloat16.


def quintic(s, steps=5):
    for _ in range(steps):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return s


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (1, 6), (2, 4, 3)])
def test_newton_schulz_is_a_polynomial_of_the_singular_values(shape):
    matrix = np.random.default_rng(0).normal(size=shape)
    u, s, vh = np.linalg.svd(matrix, full_matrices=False)
    length = np.sqrt((s**2).sum(axis=-1, keepdims=True))
    expected = (u * quintic(s / length)[..., None, :]) @ vh
    # Each iteration multiplies what was rounded by a slope of 3.4445 at most, and rounds some ten times more.
    np.testing.assert_allclose(newton_schulz(matrix), expected, rtol=0, atol=3.4445**5 * 50 * 2.2e-16)
    np.testing.assert_allclose(orthogonal_factor(matrix), u @ vh, rtol=0, atol=1e-14)


def test_newton_schulz_comes_near_the_orthogonal_factor():
    matrix = np.random.default_rng(1).normal(size=(6, 4))
    values = np.linalg.svd(newton_schulz(matrix), compute_uv=False)
    assert np.all((values > 0.65) & (values < 1.25))
    factor = orthogonal_factor(matrix)
    np.testing.assert_allclose(factor.T @ factor, np.eye(4), atol=1e-14)
    # Of all matrices with singular values of at most one, this one has the largest inner product with it.
    assert np.sum(factor * matrix) == pytest.approx(np.linalg.svd(matrix, compute_uv=False).sum(), rel=1e-14)


def test_a_matrix_of_low_rank_keeps_its_rank():
    matrix = np.outer([1.0, 2.0, 3.0], [1.0, -1.0])
    expected = matrix / np.linalg.norm(matrix)
    np.testing.assert_allclose(orthogonal_factor(matrix), expected, atol=1e-15)
    np.testing.assert_allclose(newton_schulz(matrix), quintic(1.0) * expected, atol=1e-13)
    np.testing.assert_array_equal(orthogonal_factor(np.zeros((3, 2))), 0)
    np.testing.assert_array_equal(newton_schulz(np.zeros((3, 2))), 0)


@settings(deadline=None, max_examples=10)
@given(LR, st.floats(0.0, 0.99), DECAY, st.sampled_from([(4, 4), (6, 3), (3, 6)]), SEED)
def test_muon_against_a_decomposition_in_float64(lr, momentum, decay, shape, seed):
    rng = np.random.default_rng(seed)
    start, noises = rng.normal(size=shape), rng.normal(size=(20, *shape))
    optimizer = Muon(lr, decay, momentum)
    theta, state, expected, buffer = start, optimizer.init(start), start, np.zeros(shape)
    for noise in noises:
        delta, state = optimizer.update(theta + noise, state, theta)
        theta = theta + delta
        g = expected + noise
        buffer = momentum * buffer + g  # Jordan's sum: its scale does not matter
        u, s, vh = np.linalg.svd(g + momentum * buffer, full_matrices=False)
        update = (u * quintic(s / np.linalg.norm(s))) @ vh
        expected = expected * (1 - lr * decay) - lr * math.sqrt(max(1, shape[0] / shape[1])) * update
    # As above, 20 steps of lr; a step moves the next gradient by less than itself.
    np.testing.assert_allclose(
        theta, expected, rtol=0, atol=20 * lr * 3.4445**5 * 50 * 2.2e-16 + 20 * 2.2e-16
    )


def rounded_at_random(x, rng):
    """Newton-Schulz with every result off by bfloat16's half unit in the last place, 2^-9, to either side."""
    off = lambda y: y * (1 + 2.0**-9 * rng.choice([-1.0, 1.0], size=np.shape(y)))  # noqa: E731
    x = off(off(x) / off(np.linalg.norm(x)))
    for _ in range(5):
        gram = off(x @ x.T)
        x = off(3.4445 * x + off(-4.7750 * gram + 2.0315 * gram @ gram) @ x)
    return x


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6)])
def test_muon_is_torchs_but_for_its_bfloat16(shape):
    rng = np.random.default_rng(0)
    theta, lr, momentum = rng.normal(size=shape), 0.02, 0.9
    ours, state = Muon(lr, momentum=momentum), Muon().init(theta)
    p = torch.tensor(theta)
    theirs = torch.optim.Muon([p], lr, momentum=momentum)
    for _ in range(10):
        grad = rng.normal(size=shape)
        delta, state = ours.update(grad, state, theta)
        p.data, p.grad = torch.tensor(theta), torch.tensor(grad)
        theirs.step()
        difference = np.linalg.norm(p.numpy() - (theta + delta))
        theta = theta + delta
        wide = (1 - momentum) * grad + momentum * state.b
        wide = wide.T if shape[0] > shape[1] else wide
        draws = [np.linalg.norm(rounded_at_random(wide, rng) - newton_schulz(wide)) for _ in range(50)]
        # Twice what fifty random roundings come to: torch rounds some sums and products apart.
        assert difference <= 2 * max(draws) * lr * math.sqrt(max(1, shape[0] / shape[1]))
        assert difference < np.linalg.norm(delta) / 8, (
            "the bound says nothing where bfloat16 has no digit left"
        )
    np.testing.assert_allclose(theirs.state[p]["momentum_buffer"].numpy(), state.b, rtol=1e-13, atol=1e-15)


# What the rules are known for.


def steps(optimizer, grads, theta):
    """Return every step along given gradients."""
    state, taken = optimizer.init(theta), []
    for grad in grads:
        delta, state = optimizer.update(grad, state, theta)
        theta = theta + delta
        taken.append(delta)
    return np.array(taken)


GRADS = np.random.default_rng(2).normal(size=(20, 3, 2))
THETA = np.random.default_rng(3).normal(size=(3, 2))
# Epsilon stands beside the gradient's size in the others, and is taken out.
BLIND = [
    Lion(), Adamax(eps=0), NAdam(eps=0), Adan(eps=0), LAMB(eps=0), ScheduleFreeAdamW(eps=0), Adafactor(eps=(0, 1e-3)),
    SophiaG(),
]  # fmt: skip


@pytest.mark.parametrize("optimizer", BLIND, ids=lambda optimizer: type(optimizer).__name__)
@given(power=st.integers(-15, 15))
def test_they_do_not_see_the_scale_of_the_loss(optimizer, power):
    """Sophia without its Hessian takes signs; with it, h and the gradient must scale alike."""
    np.testing.assert_array_equal(
        steps(optimizer, GRADS, THETA), steps(optimizer, 2.0 ** (2 * power) * GRADS, THETA)
    )


@given(power=st.integers(-8, 8))
def test_muon_does_not_see_the_scale_of_the_loss(power):
    """As far as its eps reaches: gradients of a length far above 1e-7. Powers of two change no rounding."""
    np.testing.assert_array_equal(steps(Muon(), GRADS, THETA), steps(Muon(), 2.0**power * GRADS, THETA))


@given(power=st.integers(-15, 15))
def test_sophia_is_newtons_method_and_sees_no_scale(power):
    def run(scale):
        optimizer = SophiaG(lr=1.0, betas=(0.0, 0.0), rho=1.0, weight_decay=0.0)
        state = optimizer.with_hessian(optimizer.init([0.5, 0.5]), scale * np.array([4.0, 0.25]))
        return optimizer.update(scale * np.array([1.0, 1.0]), state, np.array([0.5, 0.5])).delta

    # g / h is a quarter and four, the latter clipped; the 1e-15 beside h is at most 1e-15 * 2^17 of it.
    np.testing.assert_allclose(run(2.0**power), [-0.25, -1.0], rtol=2e-10)


def test_others_do_see_it():
    for optimizer in (AdaBound(), RAdam()):
        assert not np.allclose(steps(optimizer, GRADS, THETA), steps(optimizer, 8 * GRADS, THETA), rtol=0.1)


@given(power=st.integers(1, 12))
def test_lamb_and_adafactor_step_in_units_of_theta(power):
    """Theta twice as large, gradients as they are: steps twice as large."""
    scale = 2.0**power
    for optimizer in (LAMB(), Adafactor()):
        first = steps(optimizer, GRADS[:1], THETA)
        np.testing.assert_array_equal(steps(optimizer, GRADS[:1], scale * THETA), scale * first)


def test_lamb_takes_a_ratio_for_every_row_and_steps_where_there_is_no_length():
    delta = (
        LAMB(lr=0.1)
        .update(np.ones((2, 2)), LAMB().init(np.ones((2, 2))), np.array([[3.0, 4.0], [0, 0]]))
        .delta
    )
    np.testing.assert_allclose(np.linalg.norm(delta, axis=-1), [0.5, 0.1 * math.sqrt(2)], rtol=1e-5)
    np.testing.assert_array_equal(LAMB().update(np.zeros(2), LAMB().init(np.ones(2)), np.ones(2)).delta, 0)


def test_every_step_of_lion_is_as_long_as_the_step_size():
    np.testing.assert_array_equal(np.abs(steps(Lion(lr=0.5), GRADS, THETA)), 0.5)
    np.testing.assert_array_equal(Lion().update(np.zeros(2), Lion().init(np.zeros(2)), np.zeros(2)).delta, 0)


def test_radam_is_momentum_for_five_steps_and_then_close_to_adam():
    assert [rectification(0.999, t) > 0 for t in range(1, 8)] == [False] * 5 + [True] * 2
    assert 0.99 < rectification(0.999, 10_000) <= 1
    assert rectification(0.5, 10) == 0  # rho_infinity is 3: it never divides
    both = rectification(np.array([0.5, 0.999]), 10)
    np.testing.assert_array_equal(both, [0, rectification(0.999, 10)])
    first = steps(RAdam(lr=1.0), np.full((5, 1), 3.0), np.zeros(1))
    np.testing.assert_allclose(first, -3.0, rtol=1e-14)  # the mean gradient, not its sign


def test_adabound_is_adam_between_wide_bounds_and_momentum_between_narrow_ones():
    grads = np.random.default_rng(4).normal(1.0, 0.1, size=(50, 3))
    wide = steps(AdaBound(gamma=1e-12, eps=0), grads, np.zeros(3))
    # The lower bound is 1e-13 at the last step, the upper 1e11; the roots are taken in another order.
    np.testing.assert_allclose(wide, steps(Adam(eps=0), grads, np.zeros(3)), rtol=1e-13)
    state = AdaBound().init(np.zeros(3))._replace(t=10**9)
    delta, after = AdaBound().update(grads[0], state, np.zeros(3))
    np.testing.assert_allclose(delta, -0.1 * after.m, rtol=1e-5)


def test_adamax_needs_no_correction_of_u():
    taken = steps(Adamax(lr=0.1, eps=0), np.full((50, 1), 3.0), np.zeros(1))
    np.testing.assert_allclose(taken, -0.1, rtol=1e-13)


def test_nadam_without_a_schedule_is_adam_one_step_ahead():
    """With momentum_decay 0 the momentum is beta1 / 2 forever, and p its power."""
    _, state = NAdam(momentum_decay=0).update(np.ones(1), NAdam().init(np.zeros(1)), np.zeros(1))
    np.testing.assert_allclose(state.p, 0.45, rtol=1e-15)


def test_adafactor_holds_a_row_and_a_column():
    state = Adafactor().init(np.zeros((5, 4, 3)))
    assert state.r.shape == (5, 4, 1) and state.c.shape == (5, 1, 3)
    grads, theta = np.random.default_rng(5).normal(size=(10, 3)), np.ones(3)
    alone = steps(Adafactor(), grads, theta)
    # A batch of vectors is (..., 1, d); the product and quotient of r round three times a step.
    batch = steps(Adafactor(), np.stack([grads, 2 * grads], 1)[:, :, None], np.ones((2, 1, 3)))
    np.testing.assert_allclose(batch[:, 0, 0], alone, rtol=1e-14)
    assert not np.allclose(batch[:, 1, 0], batch[:, 0, 0] * 2)


def test_adafactor_is_exact_where_the_squares_are_a_product():
    """Gradients of rank one: v is the square itself, and the first step has the size of its units."""
    grad = np.outer([1.0, 2.0, -4.0], [1.0, -8.0])
    delta = Adafactor(lr=0.5).update(grad, Adafactor().init(grad), np.full((3, 2), 2.0)).delta
    np.testing.assert_allclose(delta, -0.5 * 2.0 * np.sign(grad), rtol=1e-14)


def test_schedule_free_evaluates_at_the_average_of_all_z():
    run = descend(ScheduleFreeSGD(lr=0.05), Quadratic((1, 10)), [1.0, 1.0], 60)
    np.testing.assert_allclose(run.state.x[-1], run.state.z.mean(0), rtol=1e-12)
    np.testing.assert_allclose(run.theta[1:], 0.1 * run.state.z + 0.9 * run.state.x, rtol=1e-12)
    final = ScheduleFreeSGD.State(*(field[-1] for field in run.state))
    np.testing.assert_array_equal(ScheduleFreeSGD().eval_point(final, run.final), run.state.x[-1])
    start = ScheduleFreeAdamW().init([1.0, 2.0])
    np.testing.assert_array_equal(ScheduleFreeAdamW().eval_point(start, [1.0, 2.0]), [1.0, 2.0])


@pytest.mark.parametrize("optimizer", [LAMB(lr=0.05), Adafactor(lr=0.05), Muon(lr=0.05)], ids=str)
def test_a_batch_of_descents_is_its_single_runs(optimizer):
    """Points of a plane as matrices of one row, (..., 1, 2), so that each is a parameter of its own."""
    starts = np.random.default_rng(6).normal(size=(3, 1, 2))
    run = descend(optimizer, Quadratic((1, 10)), starts, 20)
    assert run.theta.shape == (21, 3, 1, 2) and run.stopped is None
    for i, start in enumerate(starts):
        # Sums over two numbers, in one order or the other: the rounding of 20 steps.
        alone = descend(optimizer, Quadratic((1, 10)), start, 20)
        np.testing.assert_allclose(run.theta[:, i], alone.theta, rtol=0, atol=1e-12)


def test_schedule_free_keeps_no_view_of_the_start():
    theta = np.ones(2)
    state = ScheduleFreeSGD().init(theta)
    theta[:] = 5
    np.testing.assert_array_equal(state.z, 1)


# The Hessian's diagonal.

HESSIAN = np.array([[2.0, -1.0, 0.5], [-1.0, 3.0, 0.0], [0.5, 0.0, -1.0]])


class Signs:
    """Stands for a random generator and draws all signs in turn."""

    def __init__(self, n):
        self.left = itertools.product([-1.0, 1.0], repeat=n)

    def choice(self, values, size):
        return np.reshape(next(self.left), size)


def test_hutchinson_is_unbiased_and_exact_on_a_diagonal():
    mean = hutchinson(lambda z: HESSIAN @ z, np.zeros(3), Signs(3), samples=8)
    np.testing.assert_allclose(mean, np.diag(HESSIAN), rtol=1e-15)
    rng = np.random.default_rng(0)
    diagonal = np.array([[3.0, -2.0], [0.0, 1.0]])
    np.testing.assert_array_equal(hutchinson(lambda z: diagonal * z, np.zeros((2, 2)), rng), diagonal)
    once = hutchinson(lambda z: HESSIAN @ z, np.zeros(3, np.float32), rng)
    assert once.dtype == np.float32 and not np.allclose(once, np.diag(HESSIAN))


def test_gauss_newton_bartlett_is_unbiased():
    """A logistic model: the mean over all drawn labels is the diagonal of the Gauss-Newton matrix."""
    features = np.random.default_rng(1).normal(size=(4, 3))
    p = 1 / (1 + np.exp(-features @ [0.5, -1.0, 2.0]))
    mean = np.zeros(3)
    for labels in itertools.product([0.0, 1.0], repeat=4):
        chance = np.prod(np.where(labels, p, 1 - p))
        grad = features.T @ (p - labels) / 4
        mean += chance * gauss_newton_bartlett(grad, 4)
    np.testing.assert_allclose(mean, (p * (1 - p)) @ features**2 / 4, rtol=1e-13)


def test_sophia_keeps_h_between_estimates_and_steps_by_sign_before_the_first():
    optimizer = SophiaG(lr=0.1, weight_decay=0)
    state = optimizer.init(np.zeros(2))
    delta, after = optimizer.update(np.array([3.0, -0.01]), state, np.zeros(2))
    np.testing.assert_array_equal(delta, [-0.1, 0.1])
    np.testing.assert_array_equal(after.h, 0)
    known = optimizer.with_hessian(state, [2.0, 4.0])
    np.testing.assert_allclose(known.h, [0.02, 0.04], rtol=1e-13)
    np.testing.assert_array_equal(optimizer.update(np.ones(2), known, np.zeros(2)).state.h, known.h)
    assert state.h is not known.h and np.all(state.h == 0)


# Bad input.


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: Muon().init([1.0, 2.0]), ValueError, r"theta has shape \(2,\).*last two a matrix.*AdamW"),
        (lambda: newton_schulz(np.ones(3)), ValueError, r"matrix has shape \(3,\)"),
        (lambda: orthogonal_factor(1.0), ValueError, r"matrix has shape \(\)"),
        (lambda: SophiaG().with_hessian(SophiaG().init(np.ones(2)), np.ones(3)), ValueError, r"\(3,\).*\(2,\)"),
        (lambda: SophiaH().with_hessian(SophiaH().init(np.ones(2)), 1.0), ValueError, r"estimate has shape \(\)"),
        (lambda: SophiaG(rho=-0.1), ValueError, "rho = -0.1"),
        (lambda: Adan(betas=(0.9, 0.9)), TypeError, r"not a triple; allowed: \(beta1, beta2, beta3\)"),
        (lambda: Adam(betas=(0.9, 0.9, 0.9)), TypeError, r"not a pair; allowed: \(beta1, beta2\), each 0 <= beta < 1"),
        (lambda: Adafactor(eps=1e-3), TypeError, r"eps = 0.001 is not a pair; allowed: \(eps1, eps2\)"),
        (lambda: Adafactor(eps=(None, None)), TypeError, "eps2 = None"),
        (lambda: Adafactor(beta2_decay=0.5), ValueError, "beta2_decay = 0.5.*beta2_decay <= 0"),
        (lambda: Adafactor(d=0.5), ValueError, "d = 0.5.*1 <= d"),
        (lambda: AdaBound(gamma=0), ValueError, "gamma = 0.*1e-12 <= gamma < 1"),
        (lambda: AdaBound(gamma=1.0), ValueError, "gamma = 1.0"),
        (lambda: Muon(ns_steps=0), ValueError, "ns_steps = 0.*at least 1"),
        (lambda: Muon(ns_steps=100), ValueError, "ns_steps = 100.*at most 99"),
        (lambda: gauss_newton_bartlett(np.ones(2), 0), ValueError, "batch_size = 0"),
        (lambda: hutchinson(lambda z: z[:1], np.ones(2), np.random.default_rng(0)), ValueError, r"\(1,\).*\(2,\)"),
        (lambda: hutchinson(lambda z: z, np.ones(2), np.random.default_rng(0), 0), ValueError, "samples = 0"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
