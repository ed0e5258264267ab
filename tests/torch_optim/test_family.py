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
    ("LAMB", {"weight_decay": 0.1}),
    ("Adafactor", {"weight_decay": 0.1}),
    ("Adafactor", {"lr": 1.0, "eps": (1e-3, 1e-2), "d": 2.0, "beta2_decay": -0.5}),
    ("ScheduleFreeAdamW", {"weight_decay": 0.1}),
    ("ScheduleFreeSGD", {"lr": 0.1, "weight_decay": 0.1}),
]
# NumPy's LAMB takes the last axis as a parameter.
SHAPES = {"LAMB": ((12,), (7,))}
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
    shapes = SHAPES.get(name, ((4, 3), (7,)))
    params = start(*shapes)
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
    for p, x, p0 in zip(params, arrays, start(*shapes), strict=True):
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


def lamb(x, grads, lr, beta1, beta2, eps, weight_decay):
    m = v = 0.0
    for t, g in enumerate(grads, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        r = (m / (1 - beta1**t)) / (math.sqrt(v / (1 - beta2**t)) + eps)
        u = r + weight_decay * x
        x -= lr * abs(x) / abs(u) * u
    return x


def schedule_free(x, grads, lr, beta1, beta2, eps, weight_decay):
    """The gradients are given, but the decay depends on y; the end is y."""
    z, y, v = x, x, 0.0
    for t, g in enumerate(grads, 1):
        v = beta2 * v + (1 - beta2) * g * g
        z -= lr * (g / (math.sqrt(v / (1 - beta2**t)) + eps) + weight_decay * y)
        x = (1 - 1 / t) * x + 1 / t * z
        y = (1 - beta1) * z + beta1 * x
    return y


PAPERS = {
    "LAMB": (lamb, {"lr": 0.01, "betas": (0.9, 0.99), "eps": 1e-6, "weight_decay": 0.1}),
    "ScheduleFreeAdamW": (
        schedule_free,
        {"lr": 0.01, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.1},
    ),
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
    params = [p[i : i + 1] for i in range(3)]  # one number each, of which LAMB takes the length
    optimizer = getattr(torch_optim, name)(params, foreach=foreach, **options)
    for g in grads:
        for i, x in enumerate(params):
            x.grad = g[i : i + 1]
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


# Sophia.


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("name", ["SophiaG", "SophiaH"])
def test_sophia_is_numpys_with_a_hessian_now_and_then(name, foreach):
    (p,) = start((5,))
    x = p.numpy().copy()
    p.requires_grad_()
    # m is often below rho h, and often not; SophiaH also meets curvature below zero.
    options = {"lr": 1e-2, "betas": (0.9, 0.9), "rho": 0.3}
    optimizer = getattr(torch_optim, name)([p], foreach=foreach, **options)
    twin = getattr(numpy_optim, name)(**options)
    state = twin.init(x)
    generator = torch.Generator().manual_seed(1)
    clipped = []
    for t in range(STEPS):
        noise = torch.randn(5, generator=generator)
        loss = (p**4 - p**2).sum() / 2 + (noise * p).sum()
        if t % 10 == 0:
            if name == "SophiaG":
                p.grad = noise
                optimizer.update_hessian(batch_size=4)
                estimate = numpy_optim.gauss_newton_bartlett(noise.numpy(), 4)
            else:
                optimizer.update_hessian(loss, generator)
                estimate = 6 * x**2 - 1  # the Hessian is diagonal, so every draw of signs finds it
            state = twin.with_hessian(state, estimate)
            np.testing.assert_allclose(optimizer.state[p]["hessian"].numpy(), state.h, rtol=1e-11, atol=1e-12)
            if name == "SophiaH":
                clipped.append((state.h < 0).any())
        (p.grad,) = torch.autograd.grad(loss, p)
        delta, state = twin.update(p.grad.numpy(), state, x)
        x = x + delta
        optimizer.step()
    np.testing.assert_allclose(p.detach().numpy(), x, rtol=0, atol=1e-12)
    size = np.abs(state.m) / (options["rho"] * np.maximum(state.h, 0) + 1e-15)
    assert (size < 1).any()
    assert name == "SophiaG" or any(clipped)


def test_sophias_estimate_is_right_on_average():
    (p,) = start((3,))
    p.requires_grad_()
    matrix = torch.tensor([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 3.0]])
    optimizer = torch_optim.SophiaH([p], betas=(0.9, 0.0))
    generator = torch.Generator().manual_seed(0)
    draws = []
    for _ in range(1000):
        optimizer.update_hessian(p @ matrix @ p / 2, generator)
        draws.append(optimizer.state[p]["hessian"].clone())
    # The noise of one draw is the sum of an off-diagonal row, at most 0.8; of 1000, 0.8 / sqrt(1000), four times that.
    torch.testing.assert_close(torch.stack(draws).mean(0), matrix.diagonal(), rtol=0, atol=4 * 0.8 / 1000**0.5)


def test_sophia_maximizes_with_the_curvature_of_what_it_minimizes():
    p, q = torch.tensor([2.0], requires_grad=True), torch.tensor([2.0], requires_grad=True)
    down, up = torch_optim.SophiaH([p]), torch_optim.SophiaH([q], maximize=True)
    down.update_hessian((p**4).sum())
    up.update_hessian(-(q**4).sum())
    p.grad, q.grad = torch.tensor([32.0]), torch.tensor([-32.0])
    down.step()
    up.step()
    assert torch.equal(down.state[p]["hessian"], up.state[q]["hessian"]) and torch.equal(p, q)


def test_sophias_bad_input():
    p = torch.ones(2, requires_grad=True)
    with pytest.raises(TypeError, match=r"batch_size = 2\.5 is not a whole number"):
        torch_optim.SophiaG([p]).update_hessian(2.5)
    with pytest.raises(ValueError, match=r"loss has shape \(2,\).*allowed: one number, computed"):
        torch_optim.SophiaH([p]).update_hessian(p)


# Schedule-Free.


@pytest.mark.parametrize(("name", "options"), [case for case in CASES if "Free" in case[0]], ids=str)
def test_schedule_free_evaluates_the_average(name, options):
    (p,) = start((5,))
    x = p.numpy().copy()
    optimizer, twin = getattr(torch_optim, name)([p], **options), getattr(numpy_optim, name)(**options)
    state = twin.init(x)
    generator = torch.Generator().manual_seed(1)
    for t in range(20):
        if t % 5 == 4:
            y = p.clone()
            optimizer.eval()
            optimizer.eval()  # once is enough
            # Division by 0.9 and two roundings, of numbers up to 4.
            np.testing.assert_allclose(p.numpy(), twin.eval_point(state, x), rtol=0, atol=1e-14 * (t + 1))
            assert not torch.allclose(p, y)
            before = p.clone()
            with pytest.raises(RuntimeError, match=r"the parameters are x.*call the optimizer's train\(\)"):
                optimizer.step()
            assert torch.equal(p, before)
            kept = optimizer.state_dict()
            optimizer = getattr(torch_optim, name)([p], **options)
            optimizer.load_state_dict(kept)  # knows its mode
            optimizer.train()
            torch.testing.assert_close(p, y, rtol=0, atol=1e-14)
        p.grad = quadratic(generator, p)
        delta, state = twin.update(p.grad.numpy(), state, x)
        x = x + delta
        optimizer.step()


def test_schedule_frees_modes_change_nothing_before_the_first_step():
    p = torch.ones(2)
    optimizer = torch_optim.ScheduleFreeSGD([p])
    optimizer.eval()
    optimizer.train()
    assert torch.equal(p, torch.ones(2)) and not optimizer.state


# LAMB.


def test_lambs_step_is_as_long_as_the_parameter():
    for foreach in (False, True):
        p, zero = torch.full((4,), 3.0), torch.zeros(2)
        p.grad, zero.grad = torch.tensor([1.0, -2.0, 3.0, 4.0]), torch.ones(2)
        torch_optim.LAMB([p, zero], lr=0.1, foreach=foreach).step()
        assert (p - 3.0).norm().item() == pytest.approx(0.1 * 6.0, rel=1e-12)
        assert zero[0].item() == pytest.approx(-0.1, rel=2e-6)  # eps of 1e-6 beside a gradient of 1
