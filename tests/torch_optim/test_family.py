"""The rules against their NumPy twins, and those that torch.optim lacks against their papers' pseudo-code."""

import math

import numpy as np
import pytest
import torch
from adambook import numpy_optim, torch_optim

STEPS = 100
CASES = [
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "weight_decay": 0.1}),
    ("Adamax", {"weight_decay": 0.1}),
    ("NAdam", {"weight_decay": 0.1, "momentum_decay": 0.01}),
    ("RAdam", {"weight_decay": 0.1}),
    ("RAdam", {"betas": (0.9, 0.9)}),
    ("Lion", {"lr": 1e-2, "weight_decay": 0.1}),
    ("AdaBound", {"gamma": 0.05, "weight_decay": 0.1}),
    ("Adan", {"weight_decay": 0.1}),
]
each_case = pytest.mark.parametrize(("name", "options"), CASES, ids=str)
EPS = torch.finfo(torch.float64).eps


@pytest.fixture(autouse=True)
def double():
    """NAdam keeps the product of its momenta in torch's default dtype, as torch does."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def quadratic(generator, p):
    """A noisy gradient of a quadratic: a difference in p feeds back into the next gradient."""
    return p + torch.randn(p.shape, generator=generator)


def start(*shapes):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator) for shape in shapes]


@pytest.mark.parametrize("foreach", [False, True])
@each_case
def test_a_hundred_steps_are_numpys(name, options, foreach):
    params = start((4, 3), (7,))
    arrays = [p.numpy().copy() for p in params]
    optimizer = getattr(torch_optim, name)(params, foreach=foreach, **options)
    twin = getattr(numpy_optim, name)(**options)
    states = [twin.init(x) for x in arrays]
    generator = torch.Generator().manual_seed(1)
    for _ in range(STEPS):
        for i, p in enumerate(params):
            p.grad = quadratic(generator, p)
            delta, states[i] = twin.update(p.grad.numpy(), states[i], arrays[i])
            arrays[i] = arrays[i] + delta
        optimizer.step()
    for p, x, p0 in zip(params, arrays, start((4, 3), (7,)), strict=True):
        # 100 steps of some 20 roundings, of numbers up to 4: 2e3 * 2e-16, twice over.
        np.testing.assert_allclose(p.numpy(), x, rtol=0, atol=1e-12)
        assert not torch.allclose(p, p0, rtol=1e-3)


# What stands in the papers, or in the authors' code, for one number at a time.


def lion(theta, grads, lr, beta1, beta2, weight_decay):
    m = 0.0
    for g in grads:
        update = beta1 * m + (1 - beta1) * g
        m = beta2 * m + (1 - beta2) * g
        theta -= lr * (math.copysign(1, update) * (update != 0) + weight_decay * theta)
    return theta


def adabound(theta, grads, lr, beta1, beta2, final_lr, gamma, eps):
    m = v = 0.0
    for t, g in enumerate(grads, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        step_size = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
        lower, upper = final_lr * (1 - 1 / (gamma * t + 1)), final_lr * (1 + 1 / (gamma * t))
        theta -= min(max(step_size / (math.sqrt(v) + eps), lower), upper) * m
    return theta


def adan(theta, grads, lr, beta1, beta2, beta3, eps, weight_decay):
    m = v = n = 0.0
    before = grads[0]
    for k, g in enumerate(grads, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * (g - before)
        n = beta3 * n + (1 - beta3) * (g + beta2 * (g - before)) ** 2
        eta = lr / (math.sqrt(n / (1 - beta3**k)) + eps)
        step = eta * (m / (1 - beta1**k) + beta2 * v / (1 - beta2**k))
        theta = (theta - step) / (1 + lr * weight_decay)
        before = g
    return theta


PAPERS = {
    "Lion": (lion, {"lr": 0.01, "betas": (0.9, 0.99), "weight_decay": 0.1}),
    "AdaBound": (adabound, {"lr": 0.01, "betas": (0.9, 0.99), "final_lr": 0.05, "gamma": 0.1, "eps": 1e-8}),
    "Adan": (adan, {"lr": 0.01, "betas": (0.9, 0.8, 0.99), "eps": 1e-8, "weight_decay": 0.1}),
}


def numbers(options):
    for value in options.values():
        yield from value if isinstance(value, tuple) else (value,)


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("name", PAPERS)
def test_the_papers_pseudo_code_takes_the_same_way(name, foreach):
    rule, options = PAPERS[name]
    (p,) = start((3,))
    generator = torch.Generator().manual_seed(1)
    grads = [torch.randn(3, generator=generator) for _ in range(30)]
    expected = [rule(theta, [g[i].item() for g in grads], *numbers(options)) for i, theta in enumerate(p.tolist())]
    optimizer = getattr(torch_optim, name)([p], foreach=foreach, **options)
    for g in grads:
        p.grad = g
        optimizer.step()
    # 30 steps of some 20 roundings of numbers up to 4.
    torch.testing.assert_close(p, torch.tensor(expected), rtol=0, atol=30 * 20 * 4 * EPS)


# What is particular to one.


def test_lion_spreads_nan_where_the_sign_would_hide_it():
    for foreach in (False, True):
        p = torch.ones(3)
        p.grad = torch.tensor([1.0, float("nan"), 0.0])
        torch_optim.Lion([p], lr=0.25, foreach=foreach).step()
        assert torch.equal(p.isnan(), torch.tensor([False, True, False]))
        assert p[0] == 0.75 and p[2] == 1.0


def test_adabounds_final_rate_follows_a_schedule():
    ends = {}
    for factor in (1.0, 0.1):
        p = torch.zeros(1)
        optimizer = torch_optim.AdaBound([p], lr=1e-3, betas=(0.0, 0.9), final_lr=0.5, gamma=0.9)
        assert optimizer.param_groups[0]["base_lr"] == 1e-3
        optimizer.param_groups[0]["lr"] = factor * 1e-3
        p.grad = torch.ones(1)
        optimizer.state[p] = {"step": torch.tensor(1e6), "exp_avg": torch.zeros(1), "exp_avg_sq": torch.ones(1)}
        optimizer.step()
        ends[factor] = p.item()
    # After 10^6 steps the bounds are final_lr within 1e-6.
    assert ends[1.0] == pytest.approx(-0.5, rel=2e-6)
    assert ends[0.1] == pytest.approx(-0.05, rel=2e-6)


def test_radam_divides_differentiably_from_the_sixth_step_on():
    def end(lr):
        p = torch.tensor([1.0, -2.0]) + 0 * lr
        optimizer = torch_optim.RAdam([p], lr=lr, betas=(0.9, 0.99), differentiable=True)
        for _ in range(8):
            p.grad = 0.4 * p.clone() ** 3
            optimizer.step()
        return p.square().sum()

    lr = torch.tensor(0.05, requires_grad=True)
    assert torch.autograd.gradcheck(end, (lr,))  # to its defaults: atol 1e-5, rtol 1e-3
    plain = torch.tensor([1.0, -2.0])
    optimizer = torch_optim.RAdam([plain], lr=0.05, betas=(0.9, 0.99))
    for _ in range(8):
        plain.grad = 0.4 * plain**3
        optimizer.step()
    # There beta^t has float32's rounding of 6e-8, and rho, about t, is the difference of two numbers near 200.
    torch.testing.assert_close(end(lr), plain.square().sum(), rtol=2e-5, atol=0)
