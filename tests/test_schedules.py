"""The schedules against torch's, the papers' formulas and their own ends; bad lengths and LambdaLR's count from 0."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from adambook.descent import descend
from adambook.numpy_optim import Adam
from adambook.objectives import Quadratic
from adambook.schedules import Schedule, constant, cosine, inverse_root, one_cycle, warmup_stable_decay

T, W = 40, 7
ALL = {
    "constant": constant(W),
    "cosine": cosine(T, W),
    "one_cycle": one_cycle(T, W),
    "inverse_root": inverse_root(W),
    "warmup_stable_decay": warmup_stable_decay(T, W, 10),
}


def values(schedule: Schedule, steps: int = T) -> list[float]:
    return [schedule(t) for t in range(1, steps + 1)]


def of_torch(make, steps: int = T) -> list[float]:
    """The rates that a scheduler of torch's gives to the steps 1, 2, ... of a peak of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


# Both sides take a cosine and a few products: 1e-12 is some thousand roundings. Torch's own scheduler multiplies rates.
def test_cosine_is_torchs():
    theirs = of_torch(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T))
    np.testing.assert_allclose(values(cosine(T)), theirs, rtol=1e-12)


@pytest.mark.parametrize("warmup", [2, 12, T - 1])
def test_one_cycle_is_torchs(warmup):
    theirs = of_torch(
        lambda o: torch.optim.lr_scheduler.OneCycleLR(
            o, 1.0, total_steps=T + 1, pct_start=warmup / (T + 1), div_factor=25, final_div_factor=1e4
        )
    )
    np.testing.assert_allclose(values(one_cycle(T + 1, warmup)), theirs, rtol=1e-12)


def test_warm_up_is_torchs_linear_one():
    theirs = of_torch(lambda o: torch.optim.lr_scheduler.LinearLR(o, 1 / (W + 1), total_iters=W))
    np.testing.assert_allclose(values(constant(W)), theirs, rtol=1e-12)


def test_inverse_root_is_the_transformers():
    """Vaswani et al. (2017), equation 3, with width 512, divided by its peak."""
    theirs = [512**-0.5 * min(t**-0.5, t * (W + 1) ** -1.5) for t in range(1, T + 1)]
    np.testing.assert_allclose(values(inverse_root(W)), np.array(theirs) / max(theirs), rtol=1e-12)


def test_a_decay_as_long_as_the_run_is_linear_decay():
    assert values(warmup_stable_decay(T, 0, T)) == pytest.approx([1 - (t - 1) / T for t in range(1, T + 1)])


def test_the_stages_of_warm_up_stable_decay():
    eta = values(warmup_stable_decay(12, 3, 4), 14)
    assert eta == [0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0]


@pytest.mark.parametrize("name", ALL)
def test_it_rises_to_1_and_never_above(name):
    eta = values(ALL[name])
    peak = W - 1 if name == "one_cycle" else W
    assert eta[peak] == max(eta) == 1
    assert np.all(np.diff(eta[: peak + 1]) > 0) and np.all(np.diff(eta[peak:]) <= 0)


@pytest.mark.parametrize("schedule", [cosine(T, W), one_cycle(T, W), warmup_stable_decay(T, W, 10)])
def test_it_is_small_at_the_last_step_and_stays_down(schedule):
    assert 0 < schedule(T) <= 0.1
    assert 0 <= schedule(T + 1) <= 4e-6 and schedule(10 * T) == schedule(T + 1)


@pytest.mark.parametrize("schedule", [constant(), cosine(T), one_cycle(T), inverse_root(), warmup_stable_decay(T)])
def test_without_warm_up_the_first_step_is_the_longest(schedule):
    assert schedule(1) == pytest.approx(1, abs=0.002)  # one_cycle is one step of its fall along: 1 - (pi/2T)^2
    assert schedule(1) >= schedule(2)


def test_descend_and_lambda_lr_take_the_same_steps():
    schedule, scale = cosine(30, 5), torch.tensor([1.0, 100.0], dtype=torch.float64)
    ours = descend(Adam(lr=0.1), Quadratic([1.0, 100.0]), steps=30, schedule=schedule).final
    theta = torch.tensor(Quadratic([1.0, 100.0]).start, requires_grad=True)
    optimizer = torch.optim.Adam([theta], lr=0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: schedule(done + 1))
    for _ in range(30):
        optimizer.zero_grad()
        (0.5 * scale * theta**2).sum().backward()
        optimizer.step()
        scheduler.step()
    # thirty steps of some thirty roundings of 1e-16, enlarged by a curvature of 100
    np.testing.assert_allclose(theta.detach().numpy(), ours, rtol=1e-10)


def test_lambda_lr_from_0_is_told_what_to_do():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    with pytest.raises(ValueError, match=r"t = 0, but steps count from 1; for LambdaLR write .*done \+ 1"):
        torch.optim.lr_scheduler.LambdaLR(optimizer, constant(5))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("t", "error"), [(0, ValueError), (-3, ValueError), (1.5, TypeError), (True, TypeError)])
def test_a_step_must_be_a_whole_number_from_1(name, t, error):
    with pytest.raises(error, match="t = "):
        ALL[name](t)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: constant(-1), "warmup = -1 is out of range; allowed: a whole number, at least 0"),
        (lambda: inverse_root(2.0), "warmup = 2.0 is not a whole number"),
        (lambda: cosine(0), "steps = 0 is out of range; allowed: a whole number, at least 1"),
        (lambda: cosine(10, 10), "warmup = 10 is out of range; allowed: a whole number, at least 0, at most 9"),
        (lambda: one_cycle(10, 3, first=2), "first = 2 is out of range; allowed: 0 <= first <= 1"),
        (lambda: one_cycle(10, 3, last=math.nan), "last = nan is out of range; allowed: 0 <= last <= 1"),
        (lambda: warmup_stable_decay(9, 3, 7), "decay = 7 is out of range; allowed: a whole number, at least 0"),
    ],
)
def test_a_bad_length_is_named(make, text):
    with pytest.raises((ValueError, TypeError)) as caught:
        make()
    assert text in str(caught.value)
