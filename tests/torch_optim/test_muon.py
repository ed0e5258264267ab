"""Muon, which takes matrices alone: against torch.optim and NumPy, the protocol, what is refused, and the division."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import torch
from adambook import numpy_optim, torch_optim
from adambook.torch_optim import muon as module
from adambook.torch_optim.muon import newton_schulz

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
OPTIONS = [
    {},
    {"nesterov": False, "weight_decay": 0.0},
    {"adjust_lr_fn": "match_rms_adamw", "lr": 0.1, "momentum": 0.8},
    {"adjust_lr_fn": "original", "ns_steps": 3, "ns_coefficients": (2.0, -1.5, 0.5)},
]
each_option = pytest.mark.parametrize("options", OPTIONS, ids=str)


def problem(dtype=torch.float32, steps=5):
    generator = torch.Generator().manual_seed(0)
    shapes = [(5, 3), (3, 8), (4, 4), (1, 6)]
    params = [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]
    params[2] = params[2].t()
    grads = [[torch.randn(shape, generator=generator).to(dtype) for shape in shapes] for _ in range(steps)]
    grads[1][0] = None
    return params, grads


def train(optimizer, params, grads):
    for row in grads:
        for p, g in zip(params, row, strict=True):
            p.grad = None if g is None else g.clone()
        optimizer.step()
        assert all(g is None or torch.equal(p.grad, g) for p, g in zip(params, row, strict=True))
    return optimizer


@each_option
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("foreach", [False, True])
def test_steps_are_bitwise_torch(options, dtype, foreach):
    options = {"lr": 0.1, **options}  # so much that bfloat16 shows it
    if dtype is torch.bfloat16 and not options.get("nesterov", True):
        options = {**options, "nesterov": True}  # torch errs; see test_where_torch_errs
    params, grads = problem(dtype)
    copies = [p.clone() for p in params]
    optimizer = train(torch_optim.Muon(params, foreach=foreach, **options), params, grads)
    reference = train(torch.optim.Muon(copies, **options), copies, grads)
    for p, q, p0 in zip(params, copies, problem(dtype)[0], strict=True):
        assert torch.equal(p, q) and not torch.equal(p, p0)
        assert optimizer.state[p].keys() == reference.state[q].keys()
        assert torch.equal(optimizer.state[p]["momentum_buffer"], reference.state[q]["momentum_buffer"])


@pytest.mark.parametrize("foreach", [False, True])
def test_a_hundred_steps_are_numpys_where_both_iterate_in_float64(foreach, monkeypatch):
    monkeypatch.setattr(module, "ITERATES", torch.float64)
    params, grads = problem(torch.float64, 100)
    grads[1][0] = grads[0][0]
    params = [p.contiguous() for p in params]
    options = {"lr": 0.01, "weight_decay": 0.1, "momentum": 0.9}
    arrays, twin = [p.numpy().copy() for p in params], numpy_optim.Muon(**options)
    states = [twin.init(x) for x in arrays]
    for row in grads:
        for i, g in enumerate(row):
            delta, states[i] = twin.update(g.numpy(), states[i], arrays[i])
            arrays[i] = arrays[i] + delta
    train(torch_optim.Muon(params, foreach=foreach, **options), params, grads)
    for p, x in zip(params, arrays, strict=True):
        # A rounding of 1e-16 in X grows by at most a = 3.4445 in each of five iterations, 485 times: 1e-13 of a step
        # of 0.01, which is 1e-15 of 100 of them and 1e-13 in all.
        np.testing.assert_allclose(p.numpy(), x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(16, 16), (8, 32), (32, 8)])
def test_singular_values_come_near_one(shape):
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(shape, generator=generator)
    before = matrix.clone()
    result = newton_schulz(matrix)
    assert result.dtype == torch.bfloat16 and result.shape == shape and torch.equal(matrix, before)
    exact = np.linalg.svd(numpy_optim.newton_schulz(matrix.double().numpy()), compute_uv=False)
    values = torch.linalg.svdvals(result.float()).numpy()
    # bfloat16 rounds X by 2^-9 in each of 5 iterations, of which the first grow it by up to 3.4445.
    np.testing.assert_allclose(values, exact, atol=0.15)
    large = torch.linalg.svdvals(matrix) / matrix.norm() > 0.05
    assert ((values[large.numpy()] > 0.6) & (values[large.numpy()] < 1.3)).all()


def test_checkpoints_continue_identically_in_both_directions():
    for first, second in (
        (torch_optim.Muon, torch.optim.Muon),
        (torch.optim.Muon, torch_optim.Muon),
        (torch_optim.Muon, torch_optim.Muon),
    ):
        params, grads = problem()
        uninterrupted = [p.clone() for p in params]
        train(torch.optim.Muon(uninterrupted, lr=0.1), uninterrupted, grads)
        before = train(first(params, lr=0.1), params, grads[:2])
        after = second(params, lr=0.7)
        after.load_state_dict(copy.deepcopy(before.state_dict()))
        train(after, params, grads[2:])
        assert all(torch.equal(p, q) for p, q in zip(params, uninterrupted, strict=True))


@pytest.mark.parametrize("how", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
def test_copies_continue_on_their_own(how):
    params, grads = problem()
    optimizer = train(torch_optim.Muon(params), params, grads[:3])
    others, other = how((params, optimizer))
    train(other, others, grads[3:])
    train(optimizer, params, grads[3:])
    assert all(torch.equal(p, q) for p, q in zip(params, others, strict=True))


def test_groups_schedulers_closures_and_tensor_rates():
    results = []
    for make in (torch_optim.Muon, torch.optim.Muon):
        params, grads = problem()
        lr = torch.tensor(0.0625) if make is torch_optim.Muon else 0.0625
        optimizer = make([{"params": params[:2], "momentum": 0.5}, {"params": params[2:]}], lr=lr)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        for row in grads:
            for p, g in zip(params, row, strict=True):
                p.grad = g
            assert optimizer.step(lambda: 1.5) == 1.5
            scheduler.step()
        results.append(params)
    assert all(torch.equal(p, q) for p, q in zip(*results, strict=True))


@pytest.mark.parametrize("foreach", [False, True])
def test_maximize_turns_the_sign(foreach):
    params, grads = problem()
    copies = [p.clone() for p in params]
    train(torch_optim.Muon(params, maximize=True, foreach=foreach), params, grads)
    negated = [[None if g is None else -g for g in row] for row in grads]
    train(torch_optim.Muon(copies, foreach=foreach), copies, negated)
    assert all(torch.equal(p, q) for p, q in zip(params, copies, strict=True))


def test_lr_zero_and_no_gradient_create_state_and_move_nothing():
    params, grads = problem()
    before = [p.clone() for p in params]
    optimizer = train(torch_optim.Muon(params, lr=0.0), params, [[torch.zeros_like(g) for g in grads[0]]])
    assert all(torch.equal(p, q) for p, q in zip(params, before, strict=True))
    assert all(set(optimizer.state[p]) == {"momentum_buffer"} for p in params)


def test_a_compiled_step_agrees():
    params, grads = problem(steps=3)
    copies = [p.clone() for p in params]
    torch._dynamo.reset()
    optimizer = torch_optim.Muon(params)
    compiled = torch.compile(optimizer.step, backend="aot_eager")
    for row in grads:
        for p, g in zip(params, row, strict=True):
            p.grad = g
        compiled()
    train(torch_optim.Muon(copies), copies, grads)
    assert all(torch.equal(p, q) for p, q in zip(params, copies, strict=True))


# What is refused.


def test_defaults_and_order_are_torchs():
    ours, reference = (inspect.signature(make).parameters for make in (torch_optim.Muon, torch.optim.Muon))
    expected = {name: p.default for name, p in reference.items()}
    assert list(ours) == [*expected, "foreach", "maximize"]
    assert {name: p.default for name, p in ours.items()} == {**expected, "foreach": None, "maximize": False}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"lr": -1.0}, ValueError, r"lr = -1.0 is out of range; allowed: 0 <= lr"),
        ({"momentum": 1.5}, ValueError, r"momentum = 1.5 is out of range; allowed: 0 <= momentum <= 1"),
        ({"ns_steps": 100}, ValueError, r"ns_steps = 100 is out of range; allowed: .*at most 99"),
        ({"ns_steps": 2.5}, TypeError, r"ns_steps = 2\.5 is not a whole number"),
        ({"ns_coefficients": (1.0, 2.0)}, TypeError, r"is not a triple of numbers; allowed: \(a, b, c\)"),
        ({"ns_coefficients": (1.0, "2", 3.0)}, TypeError, r"ns_coefficients\[1\] = '2' is not a number"),
        ({"adjust_lr_fn": "other"}, ValueError, "'other' is unknown; allowed: None, 'original', 'match_rms_adamw'"),
        ({"nesterov": 1}, TypeError, "nesterov = 1 is not a bool"),
    ],
    ids=str,
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        torch_optim.Muon([torch.ones(2, 2)], **options)


@pytest.mark.parametrize("bad", [torch.ones(3), torch.ones(2, 2, 2), torch.ones(())], ids=lambda p: str(p.ndim))
def test_only_matrices_are_taken(bad):
    message = r"Muon: a parameter of shape .*; allowed: matrices.*as muon_and_adamw does"
    with pytest.raises(ValueError, match=message):
        torch_optim.Muon([torch.ones(2, 2), bad])
    optimizer = torch_optim.Muon([torch.ones(2, 2)])
    with pytest.raises(ValueError, match=message):
        optimizer.add_param_group({"params": [bad]})
    assert len(optimizer.param_groups) == 1


def test_complex_and_sparse_are_refused():
    with pytest.raises(ValueError, match="Muon: a complex parameter"):
        torch_optim.Muon([torch.ones(2, 2, dtype=torch.complex64)])
    p = torch.ones(2, 2)
    p.grad = torch.ones(2, 2).to_sparse()
    with pytest.raises(RuntimeError, match="Muon does not take gradients of layout"):
        torch_optim.Muon([p]).step()
    assert torch.equal(p, torch.ones(2, 2))


# Muon and AdamW for one model.


class Tied(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(10, 4)
        self.inside = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.LayerNorm(8), torch.nn.Linear(8, 4))
        self.convolution = torch.nn.Conv1d(4, 4, 3)
        self.head = torch.nn.Linear(4, 10)
        self.shared = torch.nn.Linear(4, 10, bias=False)
        self.shared.weight = self.embedding.weight
        self.frozen = torch.nn.Linear(4, 4).requires_grad_(False)


def params_of(optimizer):
    return {p for group in optimizer.param_groups for p in group["params"]}


def test_a_model_is_divided():
    model = Tied()
    muon, adamw = torch_optim.muon_and_adamw(
        model, others=[model.head], muon={"lr": 0.02}, adamw={"lr": 3e-4, "weight_decay": 0.0}
    )
    assert params_of(muon) == {model.inside[0].weight, model.inside[2].weight}
    assert params_of(muon) | params_of(adamw) == {p for p in model.parameters() if p.requires_grad}
    assert not params_of(muon) & params_of(adamw)
    assert muon.param_groups[0]["lr"] == 0.02 and adamw.param_groups[0]["weight_decay"] == 0.0
    one = model.inside[0].weight
    muon, _ = torch_optim.muon_and_adamw(model, others=[model.head.weight, one])
    assert params_of(muon) == {model.inside[2].weight}


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(ValueError, match=r"no parameter of the LayerNorm is left for Muon.*Use AdamW alone"):
        torch_optim.muon_and_adamw(torch.nn.LayerNorm(4))
    with pytest.raises(ValueError, match=r"no parameter of the Linear is left for AdamW.*Use Muon alone"):
        torch_optim.muon_and_adamw(torch.nn.Linear(4, 4, bias=False))
    with pytest.raises(TypeError, match=r"others holds 'head'; allowed: modules and parameters"):
        torch_optim.muon_and_adamw(Tied(), others=["head"])


def test_the_two_together_learn():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    x = torch.randn(64, 4)
    y = x.prod(1, keepdim=True)
    both = torch_optim.muon_and_adamw(model, others=[model[2]], muon={"lr": 0.02}, adamw={"lr": 0.02})
    losses = []
    for _ in range(100):
        loss = (model(x) - y).square().mean()
        losses.append(loss.item())
        loss.backward()
        for optimizer in both:
            optimizer.step()
            optimizer.zero_grad()
    assert losses[-1] < losses[0] / 3
