"""`fused=True`: what is refused, what torch's kernels on the CPU do and do not get, checkpoints, and real GPUs."""

import copy
import inspect
import pickle
import subprocess
import sys

import pytest
import torch
from adambook import torch_optim
from adambook.torch_optim import fused

CASES = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1, "maximize": True}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.2, "weight_decay": 0.1}),
    ("Adam", {"weight_decay": 0.1, "maximize": True}),
    ("Adam", {"amsgrad": True}),
    ("AMSGrad", {"weight_decay": 0.1}),
    ("AdamW", {"betas": (0.5, 0.6)}),
    ("AdamW", {"amsgrad": True, "weight_decay": 0.3}),
]
RMSPROP = [("RMSprop", {}), ("RMSprop", {"momentum": 0.9, "centered": True, "weight_decay": 0.1})]
HALF = (torch.float16, torch.bfloat16)


def ids(cases):
    return [f"{name}-{'-'.join(options)}" for name, options in cases]


each_case = pytest.mark.parametrize(("name", "options"), CASES, ids=ids(CASES))
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")


def ours(name, params, **options):
    return getattr(torch_optim, name)(params, **options)


def theirs(name, params, **options):
    if name == "AMSGrad":
        return torch.optim.Adam(params, amsgrad=True, **options)
    return getattr(torch.optim, name)(params, **options)


def problem(dtype, device="cpu", steps=4):
    """Parameters of several shapes, with room for a vector of any length, and their gradients."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(), (0,), (7,), (65, 3), (2, 3, 4)]
    params = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    grads = [
        [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
        for _ in range(steps)
    ]
    return [p.to(device, dtype) for p in params], [[g.to(device, dtype) for g in row] for row in grads]


def train(optimizer, params, grads):
    for row in grads:
        for p, g in zip(params, row, strict=True):
            p.grad = None if g is None else g.clone()
        optimizer.step()
    return optimizer


def same(a, b):
    return a.dtype == b.dtype and torch.equal(a, b)


def assert_same(optimizer, params, other, others):
    assert all(same(p, q) for p, q in zip(params, others, strict=True))
    for p, q in zip(params, others, strict=True):
        state, expected = optimizer.state[p], {k: v for k, v in other.state[q].items() if v is not None}
        assert state.keys() == expected.keys()
        assert all(same(state[key], value) for key, value in expected.items())


# What is refused, and when.


@pytest.mark.parametrize(("name", "options"), RMSPROP, ids=ids(RMSPROP))
def test_a_rule_without_a_kernel_on_the_cpu_is_refused_at_once(name, options):
    message = r"RMSprop: fused = True, but there is no kernel of RMSprop .* CPU.*foreach=True, or fused=False"
    with pytest.raises(RuntimeError, match=message):
        ours(name, [torch.ones(2)], fused=True, **options)
    p = torch.ones(2)
    optimizer = ours(name, [p], **options)
    with pytest.raises(RuntimeError, match=message):
        optimizer.add_param_group({"params": [torch.ones(3)], "fused": True})
    assert len(optimizer.param_groups) == 1
    loaded = copy.deepcopy(optimizer.state_dict())
    loaded["param_groups"][0]["fused"] = True
    with pytest.raises(RuntimeError, match=message):
        optimizer.load_state_dict(loaded)
    optimizer.param_groups[0]["fused"] = True
    p.grad = torch.ones(2)
    with pytest.raises(RuntimeError, match=message):
        optimizer.step()
    assert torch.equal(p, torch.ones(2))
    assert not optimizer.state
    optimizer.param_groups[0]["fused"] = False
    optimizer.step()
    assert not torch.equal(p, torch.ones(2))


@pytest.mark.parametrize(("name", "options"), RMSPROP, ids=ids(RMSPROP))
def test_rmsprops_checkpoints_are_torchs_unless_fused_is_asked_for(name, options):
    ours_, theirs_ = ours(name, [torch.ones(2)], **options), theirs(name, [torch.ones(2)], **options)
    assert ours_.state_dict() == theirs_.state_dict()


@pytest.mark.parametrize("name", ["SGD", "Adagrad"])
def test_a_sparse_gradient_is_refused_before_anything_changes(name):
    params = [torch.ones(2), torch.ones(2)]
    optimizer = ours(name, params, fused=True)
    params[0].grad, params[1].grad = torch.ones(2), torch.ones(2).to_sparse()
    with pytest.raises(
        RuntimeError, match=r"fused = True, but a gradient of layout torch\.sparse_coo; allowed: dense"
    ):
        optimizer.step()
    assert torch.equal(params[0], torch.ones(2))
    optimizer.param_groups[0]["fused"] = False
    optimizer.step()
    assert not torch.equal(params[1], torch.ones(2))


def test_a_dtype_without_kernel_is_refused():
    p = torch.ones(2).to(torch.float8_e5m2)
    with pytest.raises(RuntimeError, match=r"a parameter of torch.float8_e5m2; allowed: torch.float32,"):
        ours("SGD", [p], fused=True)


def test_a_device_without_kernel_is_refused(monkeypatch):
    monkeypatch.delitem(fused.KERNELS_OF, "cpu")
    with pytest.raises(RuntimeError, match="a parameter on cpu; allowed: cuda"):
        ours("SGD", [torch.ones(2)], fused=True)


def test_a_gpu_without_triton_is_refused(monkeypatch):
    monkeypatch.setattr(fused, "KERNELS_OF", {"cpu": "triton"})
    monkeypatch.setattr(fused, "has_triton", lambda: False)
    with pytest.raises(RuntimeError, match="the kernels need Triton, which is not installed"):
        ours("RMSprop", [torch.ones(2)], fused=True)


def test_parameters_that_have_no_memory_yet_are_looked_at_when_they_have():
    p = torch.ones(2, device="meta")
    optimizer = ours("RMSprop", [p], fused=True)
    optimizer.param_groups[0]["params"][0] = p = torch.ones(2)
    p.grad = torch.ones(2)
    with pytest.raises(RuntimeError, match="there is no kernel of RMSprop"):
        optimizer.step()


def test_every_rule_takes_fused():
    without = {"Optimizer", "muon_and_adamw", "Muon", "Adafactor", "LAMB"}  # these three are not elementwise
    for name in set(torch_optim.__all__) - without:
        assert "fused" in inspect.signature(getattr(torch_optim, name)).parameters
        assert getattr(torch_optim, name).has_kernel("triton")


def test_importing_the_optimizers_does_not_import_triton():
    script = "import sys\nfrom adambook import torch_optim\nassert 'triton' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_cpu_needs_no_triton(monkeypatch):
    monkeypatch.setattr(fused, "has_triton", lambda: False)
    monkeypatch.delattr(fused, "kernels")
    p = torch.ones(2)
    p.grad = torch.ones(2)
    ours("Adam", [p], fused=True).step()
    assert not torch.equal(p, torch.ones(2))


# torch's kernels on the CPU, where they are right ...


# Where torch's kernels are wrong, as the tests below show.
WRONG = {("SGD", torch.float16), ("SGD", torch.bfloat16), ("Adagrad", torch.float16)}
HANDED_OVER = [
    pytest.param(name, options, dtype, id=f"{name}-{'-'.join(options)}-{dtype}")
    for name, options in CASES
    for dtype in (torch.float32, torch.float64, *HALF)
    if (name, dtype) not in WRONG
]


@pytest.mark.parametrize(("name", "options", "dtype"), HANDED_OVER)
def test_the_cpu_takes_torchs_kernels_to_the_last_bit(name, options, dtype):
    params, grads = problem(dtype)
    copies = [p.clone() for p in params]
    grads[1][2] = None
    optimizer = train(ours(name, params, fused=True, **options), params, grads)
    reference = train(theirs(name, copies, fused=True, **options), copies, grads)
    assert_same(optimizer, params, reference, copies)
    assert optimizer.state_dict()["param_groups"] == reference.state_dict()["param_groups"]


@each_case
def test_fused_agrees_with_the_loop(name, options):
    params, grads = problem(torch.float64)
    copies = [p.clone() for p in params]
    train(ours(name, params, fused=True, **options), params, grads)
    train(ours(name, copies, fused=False, **options), copies, grads)
    for p, q in zip(params, copies, strict=True):
        # Four steps of some twenty roundings. Sums of numbers of either sign cancel, so the bound is absolute.
        torch.testing.assert_close(p, q, rtol=0, atol=80 * 2.3e-16 * 10)


@each_case
def test_complex_parameters_are_pairs_of_reals(name, options):
    p = torch.tensor([1 + 2j, -1j], dtype=torch.complex128)
    pairs = torch.view_as_real(p).clone()
    optimizer = ours(name, [p], fused=True, **options)
    reference = ours(name, [pairs], fused=True, **options)
    for _ in range(3):
        p.grad = torch.tensor([0.5 - 1j, 2 + 1j], dtype=torch.complex128).conj()
        pairs.grad = torch.view_as_real(p.grad.resolve_conj()).clone()
        optimizer.step()
        reference.step()
    assert torch.equal(torch.view_as_real(p), pairs)
    assert all(x.is_complex() for key, x in optimizer.state[p].items() if key != "step")


# ... and where they are not.


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "nesterov": True}], ids=str)
def test_sgd_in_half_precision_is_right_where_torch_skips_numbers(dtype, options):
    params, grads = problem(dtype)
    copies, loop = [p.clone() for p in params], [p.clone() for p in params]
    optimizer = train(ours("SGD", params, fused=True, lr=0.5, **options), params, grads)
    reference = train(ours("SGD", loop, foreach=False, lr=0.5, **options), loop, grads)
    assert_same(optimizer, params, reference, loop)
    train(theirs("SGD", copies, fused=True, lr=0.5, **options), copies, grads)
    assert not all(torch.allclose(p, q, rtol=0.1, atol=0.1) for p, q in zip(copies, loop, strict=True))


def test_adagrad_in_half_precision_is_right_where_torch_divides_by_zero():
    params = [torch.ones(64, dtype=torch.float16) for _ in range(2)]
    for optimizer, p in zip(
        (ours("Adagrad", params[:1], fused=True), theirs("Adagrad", params[1:], fused=True)),
        params,
        strict=True,
    ):
        p.grad = torch.zeros(64, dtype=torch.float16)
        optimizer.step()
    assert torch.equal(params[0], torch.ones(64, dtype=torch.float16))
    assert params[1].isnan().all()


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("size", [3, 67])
@pytest.mark.parametrize("value", [0.0, 1e-7, 1e-3, 300.0])
def test_adam_in_half_precision_is_right_in_torch_too(dtype, size, value):
    p, q = torch.ones(size, dtype=dtype), torch.ones(size, dtype=torch.float64)
    optimizer, reference = ours("Adam", [p], lr=0.1, fused=True), ours("Adam", [q], lr=0.1)
    for x, opt in ((p, optimizer), (q, reference)):
        x.grad = torch.full_like(x, value)
        opt.step()
    # One step, and half an eps of the stored parameter. float16 makes 1.2e-7 of 1e-7, which beside the eps of 1e-8
    # lengthens the step of 0.1 by 2 percent.
    torch.testing.assert_close(
        p.double(), q, rtol=0, atol=torch.finfo(dtype).eps + 0.03 * 0.1 * (value == 1e-7)
    )


MISFITS = {
    "the gradient's order": (lambda: torch.zeros(4, 6), lambda: torch.zeros(6, 4).t()),
    "the parameter's order": (lambda: torch.zeros(6, 4).t(), lambda: torch.zeros(4, 6)),
    "gaps": (lambda: torch.zeros(4, 12)[:, ::2], lambda: torch.zeros(4, 6)),
    "gaps in both": (lambda: torch.zeros(4, 12)[:, ::2], lambda: torch.zeros(4, 12)[:, ::2]),
    "one number for all": (lambda: torch.zeros(4, 6), lambda: torch.zeros(1, 6).expand(4, 6)),
}


@each_case
@pytest.mark.parametrize("misfit", MISFITS)
def test_memory_in_another_order_is_right_where_torch_is_not(name, options, misfit):
    generator = torch.Generator().manual_seed(0)
    make_p, make_g = MISFITS[misfit]
    value = torch.randn(4, 6, generator=generator)
    params = [make_p().copy_(value) for _ in range(2)] + [value.clone()]
    optimizers = [
        ours(name, [params[0]], fused=True, lr=0.25, **options),
        theirs(name, [params[1]], fused=True, lr=0.25, **options),
        theirs(name, [params[2]], fused=True, lr=0.25, **options),  # in the usual order
    ]
    for _ in range(3):
        g = make_g()
        g = (
            torch.randn(1, 6, generator=generator).expand(4, 6)
            if 0 in g.stride()
            else g.copy_(torch.randn(4, 6, generator=generator))
        )
        for p, optimizer in zip(params, optimizers, strict=True):
            p.grad = g if p is not params[2] else g.contiguous()
            optimizer.step()
    assert torch.equal(params[0], params[2])
    for key, value in optimizers[0].state[params[0]].items():
        assert torch.equal(value, optimizers[2].state[params[2]][key])
    assert not torch.allclose(params[1], params[2], rtol=1e-2, atol=1e-2)


def test_sizes_of_one_make_no_misfit(monkeypatch):
    seen = []
    monkeypatch.setattr(
        torch_optim.Adam, "update_fused_on_cpu", lambda self, columns, *_: seen.append(columns.p)
    )
    p = torch.ones(4, 1, 3)
    p.grad = torch.ones(12).as_strided((4, 1, 3), (3, 77, 1))
    ours("Adam", [p], fused=True).step()
    assert seen[0][0].data_ptr() == p.data_ptr()


# GradScaler.


def scaled_steps(optimizer, params, overflows):
    """Steps of a scale of 8, whose gradients are 1, 2, ...; some overflow."""
    scaler = torch.amp.GradScaler(params[0].device.type, init_scale=8.0)
    scaler.scale(torch.ones((), device=params[0].device))  # starts the scaler
    for t in range(4):
        before = [p.clone() for p in params]
        for p in params:
            p.grad = torch.full_like(p, scaler.get_scale() * (t + 1))
        if t in overflows:
            params[-1].grad.view(-1)[0] = float("inf")
        scaler.step(optimizer)
        scaler.update()
        assert all(torch.equal(p, q) for p, q in zip(params, before, strict=True)) == (t in overflows)
        if t not in overflows:
            assert all((p.grad == t + 1).all() for p in params)
    assert not hasattr(optimizer, "grad_scale")


@each_case
@pytest.mark.parametrize("overflows", [(), (0,), (0, 2)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_grad_scaler_leaves_division_and_overflow_to_the_step(name, options, overflows, dtype):
    params = [torch.ones(3, dtype=dtype), torch.ones(2, 9, dtype=dtype)]
    copies = [p.clone() for p in params]
    optimizer = ours(name, params, fused=True, lr=0.25, **options)
    assert optimizer._step_supports_amp_scaling
    scaled_steps(optimizer, params, overflows)
    # Without a scaler, and without the steps that overflow. A scale of 8, or 4 after one, divides without a rounding.
    reference = ours(name, copies, fused=True, lr=0.25, **options)
    train(
        reference,
        copies,
        [[torch.full_like(p, t + 1) for p in copies] for t in range(4) if t not in overflows],
    )
    assert_same(optimizer, params, reference, copies)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_misfits_are_unscaled_too(name, dtype):
    p, q, expanded = (torch.ones(2, 3, dtype=dtype) for _ in range(3))
    optimizer = ours(name, [p, q, expanded], fused=True, lr=0.25)
    p.grad = torch.full((3, 2), 8.0, dtype=dtype).t()
    q.grad = torch.full((2, 3), 8.0, dtype=dtype)
    expanded.grad = torch.full((1, 1), 8.0, dtype=dtype).expand(2, 3)
    optimizer.grad_scale, optimizer.found_inf = torch.tensor(8.0), torch.tensor(0.0)
    optimizer.step()
    assert torch.equal(p, q) and torch.equal(p, expanded)
    assert (
        p == 0.75
    ).all()  # the first step of Adam has length lr, and so has that of SGD for a gradient of 1
    assert (p.grad == 1).all() and (q.grad == 1).all()
    assert (expanded.grad == 8).all()  # one number for all cannot be divided in place


def test_the_first_momentum_is_not_made_of_an_overflow():
    """torch's fused SGD leaves an uninitialised buffer, with which the next step goes on."""
    p, q = torch.ones(4), torch.ones(4)
    for optimizer, x in (
        (ours("SGD", [p], momentum=0.5, fused=True), p),
        (theirs("SGD", [q], momentum=0.5, fused=True), q),
    ):
        x.grad = torch.ones(4)
        optimizer.found_inf = torch.ones(())
        optimizer.step()
        assert ("momentum_buffer" in optimizer.state[x]) == (x is q)
        del optimizer.found_inf
        optimizer.step()
        if x is p:
            assert torch.equal(optimizer.state[p]["momentum_buffer"], torch.ones(4))


@pytest.mark.parametrize("overflow", [False, True])
def test_gradients_that_were_unscaled_before_are_not_unscaled_again(overflow):
    p = torch.ones(2)
    optimizer = ours("SGD", [p], lr=0.5, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    scaler.scale(torch.ones(()))  # starts the scaler
    p.grad = torch.tensor([8.0, float("inf") if overflow else 8.0])
    scaler.unscale_(optimizer)
    assert p.grad[0] == 1
    scaler.step(optimizer)
    assert torch.equal(p, torch.ones(2) if overflow else torch.full((2,), 0.5))


def test_an_overflow_on_two_devices_is_one():
    """GradScaler adds up what it found on each device; torch's kernels know 1 alone."""
    p, q = torch.ones(4), torch.ones(4)
    for optimizer, x in ((ours("Adam", [p], fused=True), p), (theirs("Adam", [q], fused=True), q)):
        x.grad = torch.full((4,), 2.0)
        optimizer.found_inf = torch.tensor(2.0)
        optimizer.step()
    assert torch.equal(p, torch.ones(4))
    assert not torch.equal(q, torch.ones(4))


def test_grad_scaler_does_its_own_work_where_a_group_is_not_fused():
    params = [torch.ones(2), torch.ones(2)]
    optimizer = ours("SGD", [{"params": params[:1], "fused": True}, {"params": params[1:]}], lr=0.25)
    assert not optimizer._step_supports_amp_scaling
    scaled_steps(optimizer, params, (1,))
    assert torch.equal(params[0], torch.full((2,), 1 - 0.25 * 8))
    assert torch.equal(params[0], params[1])


# Checkpoints and copies.


@each_case
@pytest.mark.parametrize("direction", ["ours to torch", "torch to ours", "ours to ours"])
def test_checkpoints_continue_identically(name, options, direction):
    makers = {"ours": ours, "torch": theirs}
    first, second = (makers[word] for word in direction.split(" to "))
    start, grads = problem(torch.float32)
    params, uninterrupted = [p.clone() for p in start], [p.clone() for p in start]
    train(theirs(name, uninterrupted, fused=True, **options), uninterrupted, grads)
    before = train(first(name, params, fused=True, **options), params, grads[:2])
    after = second(name, params, **options)
    after.load_state_dict(copy.deepcopy(before.state_dict()))
    assert after.param_groups[0]["fused"] is True
    train(after, params, grads[2:])
    assert all(torch.equal(p, q) for p, q in zip(params, uninterrupted, strict=True))


@each_case
@pytest.mark.parametrize(
    "how", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"]
)
def test_copies_continue_on_their_own(name, options, how):
    params, grads = problem(torch.float32)
    optimizer = train(ours(name, params, fused=True, **options), params, grads[:2])
    others, other = how((params, optimizer))
    assert other._step_supports_amp_scaling
    train(other, others, grads[2:])
    train(optimizer, params, grads[2:])
    assert_same(optimizer, params, other, others)


@each_case
def test_a_run_may_turn_fused_on_and_off(name, options):
    params, grads = problem(torch.float64)
    copies = [p.clone() for p in params]
    optimizer = ours(name, params, **options)
    for fused_, row in zip((None, True, False, True), grads, strict=True):
        optimizer.param_groups[0]["fused"] = fused_
        train(optimizer, params, [row])
    train(ours(name, copies, **options), copies, grads)
    for p, q in zip(params, copies, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=80 * 2.3e-16 * 10)  # as above


def test_a_compiled_step_breaks_and_agrees():
    params, grads = problem(torch.float32)
    copies = [p.clone() for p in params]
    compiled = ours("Adam", params, fused=True)
    compiled_step = torch.compile(compiled.step, backend="eager")
    for row in grads[:2]:
        for p, g in zip(params, row, strict=True):
            p.grad = g.clone()
        compiled_step()
    train(ours("Adam", copies, fused=True), copies, grads[:2])
    assert all(torch.equal(p, q) for p, q in zip(params, copies, strict=True))


@pytest.fixture
def mesh():
    """A device mesh of this process alone."""
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield torch.distributed.init_device_mesh("cpu", (1,))
    torch.distributed.destroy_process_group()


@each_case
def test_shards_are_stepped_in_their_own_memory(name, options, mesh):
    from torch.distributed.tensor import DTensor, Shard, distribute_tensor

    params, grads = problem(torch.float32)
    shard = lambda x: distribute_tensor(x, mesh, [Shard(0)])  # noqa: E731
    params, grads = params[2:], [row[2:] for row in grads]
    shards = [shard(p.clone()) for p in params]
    optimizer = train(
        ours(name, shards, fused=True, **options), shards, [[shard(g) for g in row] for row in grads]
    )
    train(ours(name, params, fused=True, **options), params, grads)
    assert all(torch.equal(p.full_tensor(), q) for p, q in zip(shards, params, strict=True))
    assert all(
        isinstance(x, DTensor) for p in shards for key, x in optimizer.state[p].items() if key != "step"
    )


# A real GPU.


@needs_cuda
@pytest.mark.parametrize(("name", "options"), CASES + RMSPROP, ids=ids(CASES + RMSPROP))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, *HALF], ids=str)
def test_cuda_agrees_with_the_loop_in_float64(name, options, dtype):
    params, grads = problem(dtype, "cuda")
    grads = [[g.abs() + 0.5 for g in row] for row in grads]  # nothing cancels in the averages
    params[3] = (
        torch.zeros(3, 65, device="cuda", dtype=dtype).t().copy_(params[3])
    )  # not the gradient's order
    exact = [p.to(torch.float64, copy=True) for p in params]
    start = [p.clone() for p in exact]
    optimizer = train(ours(name, params, fused=True, **options), params, grads)
    train(ours(name, exact, foreach=False, **options), exact, [[g.double() for g in row] for row in grads])
    for p, q, p0 in zip(params, exact, start, strict=True):
        # Two roundings of a parameter a step; a change is the sum of four steps of about 20 operations each, and may
        # be smaller than its parts by weight decay: 3 as in test_fused_kernels.
        eps = torch.finfo(dtype).eps
        bound = 8 * eps * torch.maximum(q.abs(), p0.abs()) + 3 * 80 * eps * (q - p0).abs()
        assert ((p.double() - q).abs() <= bound + 1e-12 * (dtype is torch.float64)).all()
        assert all(x.is_cuda for x in optimizer.state[p].values())


@needs_cuda
@pytest.mark.parametrize(("name", "options"), CASES + RMSPROP, ids=ids(CASES + RMSPROP))
def test_cuda_leaves_division_and_overflow_to_the_kernel(name, options):
    params, copies = ([torch.ones(3, device="cuda"), torch.ones(2, 9, device="cuda")] for _ in range(2))
    optimizer = ours(name, params, fused=True, lr=0.25, **options)
    scaled_steps(optimizer, params, (0, 2))
    reference = ours(name, copies, fused=True, lr=0.25, **options)
    train(reference, copies, [[torch.full_like(p, t + 1) for p in copies] for t in (1, 3)])
    assert_same(optimizer, params, reference, copies)


@needs_cuda
@pytest.mark.parametrize("moved", [False, True], ids=["tables as before", "tables made in the capture"])
@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop"])
def test_cuda_graphs_read_step_rate_and_gradient_from_the_device(name, moved):
    params = [torch.ones(3000, device="cuda"), torch.ones(5, device="cuda")]
    copies = [p.clone() for p in params]
    lr = torch.tensor(0.1, device="cuda")
    optimizer = ours(name, params, lr=lr, weight_decay=0.1, capturable=True, fused=True)
    reference = ours(name, copies, lr=0.1, weight_decay=0.1, fused=True)
    for p in params:
        p.grad = torch.ones_like(p)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        optimizer.step()
    torch.cuda.current_stream().wait_stream(side)
    if moved:
        for p in params:
            p.grad = p.grad.clone()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        optimizer.step()
    for t in range(4):
        reference.param_groups[0]["lr"] = rate = 0.1 / (t + 1)
        for p, q in zip(params, copies, strict=True):
            p.grad.fill_(t + 1.0)
            q.grad = torch.full_like(q, t + 1.0)
        if t:
            lr.fill_(rate)
            graph.replay()
        reference.step()
    for p, q in zip(params, copies, strict=True):
        # The rate is 0.1 / (t + 1) rounded to float32: one more rounding of each step.
        torch.testing.assert_close(p, q, rtol=4 * 2 * 1.2e-7, atol=4 * 0.1 * 2 * 1.2e-7)
        assert optimizer.state[p]["step"] == 4


@needs_cuda
def test_cuda_never_waits_for_the_device():
    params = [torch.ones(100, device="cuda") for _ in range(10)]
    optimizer = ours("AdamW", params, fused=True)
    for t in range(4):
        for p in params:
            p.grad = torch.ones_like(p)
        optimizer.param_groups[0]["lr"] = 0.1 / (t + 1)
        torch.cuda.set_sync_debug_mode("error" if t else "default")
        try:
            optimizer.step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert all((p != 1).all() for p in params)
