"""`descend`: what it records, how it stops, and that a batch is its single runs."""

import numpy as np
import pytest
from adambook.descent import descend, steps_on
from adambook.numpy_optim import SGD, Adam, AdamW, AMSGrad, Momentum, ScheduleFreeSGD
from adambook.objectives import Noisy, Quadratic, ReddiOnline, Rosenbrock

QUADRATIC = Quadratic((1, 10))


def test_gradient_descent_on_a_quadratic_is_the_power_of_a_matrix():
    run = descend(SGD(lr=0.1), QUADRATIC, [1.0, 1.0], 20)
    factors = (1 - 0.1 * np.array([1.0, 10.0])) ** np.arange(21)[:, None]
    np.testing.assert_allclose(run.theta, factors, atol=1e-14)
    np.testing.assert_array_equal(run.loss, QUADRATIC(run.theta))
    np.testing.assert_array_equal(run.final, run.theta[-1])
    np.testing.assert_array_equal(run.t, np.arange(1, 21))
    assert run.stopped is None and run.diverged == 0


def test_every_step_can_be_looked_at():
    run = descend(Adam(lr=0.05), Rosenbrock(), steps=30)
    np.testing.assert_array_equal(run.theta[1:], run.theta[:-1] + run.delta)
    np.testing.assert_array_equal(run.grad, Rosenbrock().grad(run.theta[:-1]))
    np.testing.assert_array_equal(run.state.t, run.t)
    # v is the EWMA of the recorded gradients' squares, read off step by step.
    np.testing.assert_allclose(
        run.state.v[1:], 0.999 * run.state.v[:-1] + 0.001 * run.grad[1:] ** 2, rtol=1e-13
    )


def test_a_batch_is_its_single_runs():
    starts = np.random.default_rng(0).normal(size=(3, 2))
    lrs = np.array([0.01, 0.1])
    run = descend(Adam(lr=lrs[:, None, None]), Rosenbrock(), starts, 25)
    assert run.theta.shape == (26, 2, 3, 2) and run.loss.shape == (26, 2, 3)
    for i, lr in enumerate(lrs):
        for j, start in enumerate(starts):
            alone = descend(Adam(lr=lr), Rosenbrock(), start, 25)
            np.testing.assert_array_equal(run.theta[:, i, j], alone.theta)
            np.testing.assert_array_equal(run.state.v[:, i, j], alone.state.v)


def test_what_is_recorded():
    full = descend(Adam(lr=0.1), Rosenbrock(), steps=10)
    loss = descend(Adam(lr=0.1), Rosenbrock(), steps=10, record="loss")
    last = descend(Adam(lr=0.1), Rosenbrock(), steps=10, record="last")
    np.testing.assert_array_equal(loss.loss, full.loss)
    np.testing.assert_array_equal(last.loss, full.loss[-1:])
    for run in (loss, last):
        np.testing.assert_array_equal(run.final, full.final)
        assert run.theta is None and run.grad is None and run.delta is None and run.state is None


def test_the_schedule_multiplies_the_step():
    halved = descend(AdamW(lr=0.1), QUADRATIC, steps=15, schedule=lambda t: 0.5)
    np.testing.assert_allclose(halved.theta, descend(AdamW(lr=0.05), QUADRATIC, steps=15).theta, rtol=1e-12)
    once = descend(SGD(lr=0.1), QUADRATIC, steps=5, schedule=lambda t: t == 3)
    assert list(np.any(once.delta != 0, axis=1)) == [False, False, True, False, False]


def test_bounds_are_projected_onto():
    run = descend(
        AMSGrad(lr=0.5, betas=(0, 0.1)), ReddiOnline(), steps=200, schedule=lambda t: 1 / np.sqrt(t)
    )
    assert np.all(np.abs(run.theta) <= 1) and run.final < -0.9
    run = descend(Adam(lr=0.5, betas=(0, 0.1)), ReddiOnline(), steps=200, schedule=lambda t: 1 / np.sqrt(t))
    assert run.final > 0.9


def test_noise_is_the_same_for_every_optimizer():
    noisy = Noisy(QUADRATIC, sigma=1.0, seed=1)
    a = descend(SGD(lr=0.0), noisy, steps=5)
    b = descend(Momentum(lr=0.0), noisy, steps=5)
    np.testing.assert_array_equal(a.grad, b.grad)


def test_a_single_run_stops_at_its_first_value_that_is_not_finite():
    run = descend(SGD(lr=1.0), Rosenbrock(), steps=50)
    assert run.stopped is not None and run.stopped.step == run.diverged == len(run.t) + 1
    assert np.all(np.isfinite(run.theta)) and len(run.theta) == len(run.loss) == len(run.t) + 1
    assert "step 6" in str(run.stopped) and "smaller lr" in str(run.stopped)


def test_a_nan_in_one_coordinate_is_located():
    class Hole(Quadratic):
        def _grad(self, theta, t):
            grad = super()._grad(theta, t)
            return np.where([False, t == 4], np.nan, grad)

    run = descend(SGD(lr=0.01), Hole(), steps=10)
    assert run.stopped == (4, "gradient", (1,))
    assert len(run.theta) == 4


def test_in_a_batch_the_others_go_on():
    lrs = np.array([1e-4, 1.0])
    run = descend(SGD(lr=lrs[:, None]), Rosenbrock(), steps=50)
    assert list(run.diverged) == [0, 6]
    assert run.stopped.step == 6 and run.stopped.coordinate[0] == 1
    np.testing.assert_array_equal(run.theta[:, 0], descend(SGD(lr=1e-4), Rosenbrock(), steps=50).theta)


def test_large_finite_values_are_no_divergence():
    class Steep(Quadratic):
        def _grad(self, theta, t):
            return np.full_like(theta, 1.2e308)

    # The sum of the two entries overflows, the entries do not.
    run = descend(SGD(lr=1e-308), Steep(), steps=3)
    assert run.stopped is None and run.diverged == 0 and len(run.t) == 3


def test_float32_stays_float32():
    run = descend(Adam(lr=np.array([[0.1], [0.2]])), Rosenbrock(), np.zeros(2, np.float32), 5)
    assert {run.theta.dtype, run.loss.dtype, run.grad.dtype, run.state.v.dtype} == {np.dtype(np.float32)}


def test_no_steps_is_the_start():
    run = descend(Adam(), Rosenbrock(), steps=0)
    assert len(run.theta) == len(run.loss) == 1 and run.state is None


@pytest.mark.parametrize("record", ["all", "loss", "last"])
def test_schedule_free_ends_at_its_average(record):
    whole_run = descend(ScheduleFreeSGD(lr=0.05), QUADRATIC, [1.0, 1.0], 20)
    run = descend(ScheduleFreeSGD(lr=0.05), QUADRATIC, [1.0, 1.0], 20, record=record)
    np.testing.assert_array_equal(run.final, whole_run.state.x[-1])
    assert np.any(run.final != whole_run.theta[-1])


def test_schedule_free_takes_no_schedule():
    with pytest.raises(ValueError, match=r"schedule with ScheduleFreeSGD.*allowed: None"):
        descend(ScheduleFreeSGD(), QUADRATIC, schedule=lambda t: 1 / t)


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"record": "some"}, ValueError, "record = 'some'.*'all', 'loss', 'last'"),
        ({"steps": -1}, ValueError, "steps = -1"),
        ({"steps": 2.5}, TypeError, "steps = 2.5"),
        ({"start": [np.nan, 0]}, ValueError, "start"),
        ({"start": [1.0, 2.0, 3.0]}, ValueError, r"\(\.\.\., 2\)"),
        ({"start": "here"}, TypeError, "start must hold real numbers"),
    ],
)
def test_bad_input_is_named(kwargs, error, words):
    with pytest.raises(error, match=words):
        descend(Adam(), Rosenbrock(), **kwargs)


def test_steps_on_given_gradients():
    """Bit for bit those of `update`, for numbers as for vectors."""
    gradients = np.random.default_rng(0).normal(size=(10, 3))
    state, theta = Adam(lr=0.1).init(np.zeros(3)), np.zeros(3)
    for gradient, step in zip(gradients, steps_on(Adam(lr=0.1), gradients), strict=True):
        delta, state = Adam(lr=0.1).update(gradient, state, theta)
        np.testing.assert_array_equal(step, delta)
    np.testing.assert_array_equal(
        steps_on(Adam(lr=0.1), gradients[:, 0]), steps_on(Adam(lr=0.1), gradients)[:, 0]
    )
    with pytest.raises(TypeError, match="gradients must hold real numbers"):
        steps_on(Adam(), ["downhill"])
