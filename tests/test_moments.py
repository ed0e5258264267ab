"""Moments and the EWMA: closed forms against sums, simulation and known distributions."""

import numpy as np
import pytest
from adambook import moments
from hypothesis import given
from hypothesis import strategies as st

RNG = np.random.default_rng(0)


def test_cumulants_of_known_distributions():
    n = 400_000
    # kappa_n of the exponential is (n-1)!. The standard error of a sample's fourth cumulant grows with the
    # eighth moment: 8! = 40320 for the exponential, hence sqrt(40320 / n) = 0.32; four of these.
    np.testing.assert_allclose(moments.cumulants(RNG.exponential(size=n), 4), [1, 1, 2, 6], atol=1.3)
    np.testing.assert_allclose(moments.cumulants(RNG.exponential(size=n), 2), [1, 1], atol=0.02)
    np.testing.assert_allclose(moments.cumulants(RNG.normal(2, 3, size=n), 3), [2, 9, 0], atol=0.5)


def test_cumulants_exactly_on_a_two_point_sample():
    # Values 0 and 1 with probability 1/2: kappa = 1/2, 1/4, 0, -1/8, 0, 1/4.
    np.testing.assert_allclose(
        moments.cumulants([0.0, 1.0], 6), [1 / 2, 1 / 4, 0, -1 / 8, 0, 1 / 4], atol=1e-15
    )
    np.testing.assert_allclose(moments.excess_kurtosis([0.0, 1.0]), -2, rtol=1e-13)


def test_cumulants_add_under_independence_and_scale():
    sample = RNG.gamma(2.0, size=(1000, 3))
    orders = np.arange(1, 5)[:, None]
    np.testing.assert_allclose(
        moments.cumulants(-3 * sample), (-3.0) ** orders * moments.cumulants(sample), rtol=1e-9
    )
    grid = (sample[:30, None, 0] + sample[None, :30, 1]).ravel()  # every pair: exactly independent
    sums = moments.cumulants(sample[:30, 0]) + moments.cumulants(sample[:30, 1])
    np.testing.assert_allclose(moments.cumulants(grid), sums, rtol=1e-9)


def test_raw_and_central():
    sample = RNG.normal(size=1000) + 5
    raw, central = moments.raw_moments(sample, 2), moments.central_moments(sample, 2)
    np.testing.assert_allclose(raw[1], central[1] + raw[0] ** 2, rtol=1e-13)
    np.testing.assert_allclose(central[0], 0, atol=1e-13)


def test_mgf_has_the_moments_as_derivatives():
    sample = RNG.normal(0.5, 0.8, size=2000)
    h = 1e-4
    low, mid, high = moments.mgf(sample, [-h, 0, h])
    # Central differences: truncation h^2 M'''/6, rounding 1e-16/h^2 for the second derivative.
    np.testing.assert_allclose((high - low) / (2 * h), sample.mean(), atol=1e-7)
    np.testing.assert_allclose((high - 2 * mid + low) / h**2, (sample**2).mean(), atol=1e-6)
    assert mid == 1


def test_log_mgf_does_not_overflow():
    np.testing.assert_allclose(moments.cgf([1000.0, -1000.0], 5.0), 5000 - np.log(2), rtol=1e-14)


def test_normal_mgf():
    s = np.linspace(-1, 1, 5)
    sample = RNG.normal(0.3, 0.5, size=400_000)
    # The sample mean of exp(s g) has relative standard error about sqrt(exp(s^2 sigma^2) - 1)/sqrt(n) < 1e-3.
    np.testing.assert_allclose(moments.mgf(sample, s), moments.normal_mgf(s, 0.3, 0.5), rtol=5e-3)


@given(beta=st.floats(0, 0.999), t=st.integers(1, 60))
def test_ewma_is_its_weights(beta, t):
    g = np.random.default_rng(t).normal(size=t)
    weights = moments.ewma_weights(beta, t)
    # Both are sums of t products of size one: t rounding errors.
    np.testing.assert_allclose(moments.ewma(g, beta)[-1], weights @ g, atol=4 * t * 2.3e-16 * np.abs(g).max())
    np.testing.assert_allclose(weights.sum(), moments.ewma_total(beta, t), atol=4 * t * 2.3e-16)


@given(beta=st.floats(0, 0.999), t=st.integers(1, 200), n=st.integers(1, 6))
def test_cumulant_factor_is_the_sum_of_powers_of_the_weights(beta, t, n):
    direct = (moments.ewma_weights(beta, t) ** n).sum()
    # beta**(n t) carries n t rounding errors, divided by 1 - beta^n >= 1e-3.
    np.testing.assert_allclose(moments.ewma_cumulant_factor(n, beta, t), direct, rtol=1e-10)


def test_corrected_ewma_is_unbiased_and_its_noise_is_predicted():
    beta, t, runs = 0.9, 12, 200_000
    g = RNG.normal(2.0, 3.0, size=(t, runs))
    m = moments.ewma(g, beta)[-1]
    mean, variance = moments.cumulants(m, 2)
    error = 3 / np.sqrt(runs)
    assert abs(mean - 2 * moments.ewma_total(beta, t)) < 5 * error
    assert abs(variance / (9 * moments.ewma_cumulant_factor(2, beta, t)) - 1) < 5 * np.sqrt(2 / runs)
    corrected = moments.ewma(g, beta, corrected=True)[-1]
    np.testing.assert_allclose(corrected, m / (1 - beta**t), rtol=1e-14)


def test_limits_of_the_factor():
    np.testing.assert_allclose(moments.ewma_cumulant_factor(2, 0.9), 0.1 / 1.9, rtol=1e-13)
    np.testing.assert_allclose(moments.ewma_cumulant_factor(1, 0.9), 1.0, rtol=1e-13)
    np.testing.assert_allclose(moments.effective_window(0.999), 1000, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: moments.ewma([1.0], 1.0), ValueError, "0 <= beta < 1"),
        (lambda: moments.ewma([], 0.9), ValueError, "at least one observation"),
        (lambda: moments.ewma_weights(0.9, 0), ValueError, "t = 0"),
        (lambda: moments.ewma_cumulant_factor(0, 0.9), ValueError, "n = 0"),
        (lambda: moments.mgf(np.zeros((2, 2)), 1.0), ValueError, "one dimension"),
        (lambda: moments.normal_mgf(0.0, 0.0, -1.0), ValueError, "0 <= sigma"),
        (lambda: moments.cumulants(["a"]), TypeError, "real numbers"),
        (lambda: moments.ewma([1.0], "0.9"), TypeError, "not a number"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
