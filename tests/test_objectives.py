"""Objectives: gradients against central differences, minima, batches, noise and bad input."""

import numpy as np
import pytest
from adambook.objectives import (
    Beale,
    Himmelblau,
    Noisy,
    Quadratic,
    Rastrigin,
    ReddiOnline,
    ReddiStochastic,
    Rosenbrock,
    Saddle,
    turn,
)

SMOOTH = [
    Quadratic(),
    Quadratic((1, 1e4), angle=0.7),
    Quadratic((1, 3, 10), rotation=np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]),
    Rosenbrock(),
    Beale(),
    Himmelblau(),
    Rastrigin(),
    Rastrigin(dim=5),
    Saddle(),
]


@pytest.mark.parametrize("objective", SMOOTH, ids=lambda o: f"{o.name}-{o.dim}")
def test_gradient_is_the_central_difference(objective):
    theta = np.random.default_rng(1).uniform(-2, 2, size=(20, objective.dim))
    h = 1e-5
    basis = h * np.eye(objective.dim)
    numeric = np.stack([(objective(theta + e) - objective(theta - e)) / (2 * h) for e in basis], axis=-1)
    # Truncation is h^2 f'''/6 and rounding is 1e-16 |f| / h, both below 1e-8 of the largest gradient here.
    np.testing.assert_allclose(objective.grad(theta), numeric, atol=1e-6 * np.abs(numeric).max())


@pytest.mark.parametrize("objective", SMOOTH, ids=lambda o: f"{o.name}-{o.dim}")
def test_hessian_diagonal_is_the_central_difference_of_the_gradient(objective):
    theta = np.random.default_rng(4).uniform(-2, 2, size=(20, objective.dim))
    h = 1e-5
    steps = h * np.eye(objective.dim)
    numeric = np.stack(
        [(objective.grad(theta + e) - objective.grad(theta - e))[:, i] / (2 * h) for i, e in enumerate(steps)],
        axis=-1,
    )
    # As for the gradient, one derivative further.
    np.testing.assert_allclose(
        objective.hessian_diagonal(theta), numeric, atol=1e-6 * max(1, np.abs(numeric).max())
    )
    assert objective.hessian_diagonal(theta.astype(np.float32)).dtype == np.float32


def test_an_objective_without_second_derivatives_says_so():
    with pytest.raises(NotImplementedError, match="Reddi's periodic losses does not know"):
        ReddiOnline().hessian_diagonal(np.zeros(1))


@pytest.mark.parametrize("objective", SMOOTH, ids=lambda o: f"{o.name}-{o.dim}")
def test_minima_are_minima(objective):
    assert len(objective.minima) > 0
    # Minima printed to 16 digits: the gradient there is curvature times 1e-15.
    np.testing.assert_allclose(objective.grad(objective.minima), 0, atol=1e-11)
    nearby = objective.minima[:, None] + 1e-3 * np.random.default_rng(2).normal(size=(50, objective.dim))
    assert np.all(objective(nearby) > objective(objective.minima)[:, None])


@pytest.mark.parametrize("objective", SMOOTH, ids=lambda o: f"{o.name}-{o.dim}")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batches_and_dtype(objective, dtype):
    theta = np.random.default_rng(3).normal(size=(4, 3, objective.dim)).astype(dtype)
    value, grad = objective.value(theta), objective.grad(theta)
    assert value.shape == (4, 3) and grad.shape == theta.shape
    assert value.dtype == dtype and grad.dtype == dtype
    # A batch may be summed in another order than a single point: some rounding errors, of the terms' size.
    rtol = 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(
        grad[2, 1], objective.grad(theta[2, 1]), rtol=rtol, atol=rtol * np.abs(grad).max()
    )


def test_points_outside_the_window_are_seen():
    for objective in SMOOTH:
        if objective.dim == 2:
            (left, right), (bottom, top) = objective.window
            for x, y in [*objective.minima, objective.start]:
                assert left <= x <= right and bottom <= y <= top, objective.name


def test_turning_a_quadratic_with_its_start_changes_no_value():
    straight, turned = Quadratic((1, 100)), Quadratic((1, 100), angle=0.6)
    np.testing.assert_allclose(turned.start, turn(0.6) @ straight.start)
    np.testing.assert_allclose(turned(turned.start), straight(straight.start), rtol=1e-13)


def test_noise_is_a_function_of_seed_and_step():
    clean, theta = Rosenbrock(), np.full((1000, 2), 0.3)
    noisy = Noisy(clean, sigma=2.0, seed=5)
    np.testing.assert_array_equal(noisy.grad(theta, 7), Noisy(clean, 2.0, 5).grad(theta, 7))
    assert not np.array_equal(noisy.grad(theta, 7), noisy.grad(theta, 8))
    np.testing.assert_array_equal(noisy.value(theta), clean.value(theta))
    residual = noisy.grad(theta, 7) - clean.grad(theta)
    # 2,000 draws: standard errors 2/sqrt(2000) of the mean, 2/sqrt(4000) of the deviation; five of each.
    assert abs(residual.mean()) < 5 * 2 / np.sqrt(2000)
    assert abs(residual.std() - 2) < 5 * 2 / np.sqrt(4000)


def test_periodic_losses():
    losses = ReddiOnline(high=3, low=-1, period=3)
    assert [losses.slope(t) for t in range(1, 8)] == [3, -1, -1, 3, -1, -1, 3]
    assert losses.value(np.array([0.5]), t=1) == 1.5
    np.testing.assert_array_equal(losses.grad(np.zeros((4, 1)), t=2), -np.ones((4, 1)))
    # Standing at +1 costs 3 - 1 - 1 = 1 a period against -1 at the best point: 2/3 a step.
    np.testing.assert_allclose(losses.average_regret(np.ones((301, 1)))[-1], 2 / 3, rtol=1e-13)
    np.testing.assert_allclose(losses.average_regret(-np.ones((301, 2, 1))), 0, atol=1e-15)


def test_stochastic_losses():
    losses = ReddiStochastic(seed=3)
    slopes = np.array([losses.slope(t) for t in range(1, 20001)])
    assert set(slopes) == {1010.0, -10.0}
    share = np.mean(slopes > 0)
    assert abs(share - 0.01) < 5 * np.sqrt(0.01 * 0.99 / 20000)
    assert losses.slope(777) == ReddiStochastic(seed=3).slope(777)
    assert not np.array_equal(slopes, [ReddiStochastic(seed=4).slope(t) for t in range(1, 20001)])


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Quadratic((1, -1)), ValueError, "eigenvalues"),
        (lambda: Quadratic((1, 2, 3), angle=0.1), ValueError, "angle = 0.1"),
        (lambda: Quadratic((1, 2), rotation=[[1, 0], [1, 1]]), ValueError, "orthogonal 2 x 2"),
        (lambda: Rosenbrock("steep"), TypeError, "b = 'steep'"),
        (lambda: Rosenbrock(-1), ValueError, "0 <= b"),
        (lambda: Rastrigin(dim=0), ValueError, "dim = 0"),
        (lambda: Rastrigin(dim=2.5), TypeError, "whole number"),
        (lambda: Noisy(Beale(), sigma=-1), ValueError, "0 <= sigma"),
        (lambda: Noisy(Beale(), seed=1.5), TypeError, "seed = 1.5"),
        (lambda: ReddiOnline(high=1), ValueError, "larger high"),
        (lambda: ReddiOnline(period=1), ValueError, "period = 1"),
        (lambda: ReddiStochastic(p=1.5), ValueError, "0 <= p <= 1"),
        (lambda: Beale().grad(np.zeros(3)), ValueError, r"shape \(\.\.\., 2\)"),
        (lambda: Beale().grad(np.array(["a", "b"])), TypeError, "real numbers"),
    ],
)
def test_bad_input_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()
