"""The Triton kernels of `fused=True`: their numbers, through Triton's interpreter, and their machine code."""

import importlib.util
import platform
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from adambook import torch_optim
from adambook.torch_optim import fused

# Where it has one, as pyproject.toml says, a missing Triton is a failure.
if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
    pytest.skip("needs Triton, which has no build for this system", allow_module_level=True)

import triton  # before the interpreter is asked for: its own functions are to be compiled

CASES = [
    ("SGD", {}),
    ("SGD", {"weight_decay": 0.02, "maximize": True}),
    ("SGD", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.02}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-2, "weight_decay": 0.02}),
    ("RMSprop", {"alpha": 0.9, "eps": 1e-2, "weight_decay": 0.02}),
    ("RMSprop", {"alpha": 0.9, "momentum": 0.9, "maximize": True}),
    ("RMSprop", {"alpha": 0.9, "centered": True, "eps": 1e-2}),
    ("RMSprop", {"alpha": 0.9, "centered": True, "momentum": 0.9}),
    ("Adam", {"betas": (0.9, 0.99), "eps": 1e-2, "weight_decay": 0.02}),
    ("Adam", {"betas": (0.0, 0.0), "decoupled_weight_decay": True, "weight_decay": 0.02, "amsgrad": True}),
    ("AMSGrad", {"betas": (0.5, 0.6), "weight_decay": 0.02, "maximize": True}),
    ("AdamW", {"betas": (0.9, 0.99), "eps": 1e-2, "weight_decay": 0.1}),
    ("Adadelta", {"eps": 1e-2, "weight_decay": 0.02}),
    ("Adamax", {"betas": (0.9, 0.99), "weight_decay": 0.02, "maximize": True}),
    ("NAdam", {"betas": (0.9, 0.99), "eps": 1e-2, "weight_decay": 0.02}),
    ("NAdam", {"decoupled_weight_decay": True, "weight_decay": 0.02, "momentum_decay": 0.1}),
    ("RAdam", {"betas": (0.9, 0.99), "weight_decay": 0.02}),  # without v in all three steps
    ("RAdam", {"betas": (0.9, 0.5), "decoupled_weight_decay": True, "weight_decay": 0.02}),
    ("Lion", {"weight_decay": 0.02}),
    ("AdaBound", {"betas": (0.9, 0.99), "gamma": 0.5, "final_lr": 0.01, "weight_decay": 0.02}),
    ("AdaBound", {"betas": (0.9, 0.99), "final_lr": 100.0, "weight_decay": 0.02}),
    ("Adan", {"betas": (0.9, 0.1, 0.99), "eps": 1e-2, "weight_decay": 0.02}),
    ("SophiaG", {"weight_decay": 0.02}),
    ("ScheduleFreeAdamW", {"betas": (0.9, 0.99), "eps": 1e-2, "weight_decay": 0.02}),
    ("ScheduleFreeSGD", {"weight_decay": 0.02, "maximize": True}),
]
IDS = [f"{name}-{'-'.join(options)}" for name, options in CASES]
each_case = pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
STEPS = 3
LR = 0.1


@pytest.fixture(scope="module")
def interpreted():
    """A second copy of the kernels, decorated while the interpreter is asked for; nothing of it stays behind."""
    path = Path(fused.__file__).with_name("kernels.py")
    spec = importlib.util.spec_from_file_location("interpreted_kernels", path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        spec.loader.exec_module(module)
    return module


@pytest.fixture
def on_kernels(interpreted, monkeypatch):
    """Fused steps on the CPU run our kernels, as they do on a GPU."""
    monkeypatch.setattr(fused, "kernels", lambda: interpreted)
    monkeypatch.setattr(fused, "KERNELS_OF", {"cpu": "triton"})
    return interpreted


def ours(name, params, **options):
    return getattr(torch_optim, name)(params, **{"lr": LR, **options})


def theirs(name, params, **options):
    if name == "AMSGrad":
        return torch.optim.Adam(params, amsgrad=True, **{"lr": LR, **options})
    if not hasattr(torch.optim, name):  # then our loop, which is held to equations elsewhere
        return ours(name, params, **options)
    return getattr(torch.optim, name)(params, **{"lr": LR, **options})


def signed(generator, low, high, *shape):
    """Numbers of magnitude low to high; an element has the same sign in every call with a generator anew."""
    sign = torch.ones(shape, dtype=torch.float64)
    sign.view(-1)[1::2] = -1
    return sign * (low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64))


def problem(dtype):
    """Parameters of 4 to 8, and gradients of 0.5 to 2 of one sign for each element.

    In order: 0-d, empty, two blocks and a rest, one block and a rest at an address that 16 does not divide, gaps,
    and a memory in another order than its gradient's.
    """
    generator = torch.Generator().manual_seed(0)
    shapes = [(), (0,), (2100,), (1030,), (4, 3), (3, 2)]
    values = [signed(generator, 4, 8, *shape).to(dtype) for shape in shapes]
    grads = [[signed(generator, 0.5, 2, *shape).to(dtype) for shape in shapes] for _ in range(STEPS)]
    params = [value.clone() for value in values]
    params[3] = torch.zeros(1031, dtype=dtype)[1:].copy_(values[3])
    params[4] = torch.zeros(4, 6, dtype=dtype)[:, ::2].copy_(values[4])
    params[5] = torch.zeros(2, 3, dtype=dtype).t().copy_(values[5])
    return params, grads


def train(optimizer, params, grads):
    for row in grads:
        for p, g in zip(params, row, strict=True):
            p.grad = g.to(p.dtype, copy=True)
        optimizer.step()
        for p, g in zip(params, row, strict=True):
            assert torch.equal(p.grad, g.to(p.dtype))
    return optimizer


def assert_close_to_float64(optimizer, params, oracle, exact, start, dtype):
    """Hold the sum of all rounding errors.

    Nothing cancels by more than a factor of 3: gradients keep their sign, weight decay is at most a third of
    them, n^2 less than half of v, a tenth of Adan's difference of two gradients a third of one. (That difference
    itself, of numbers up to 2, is held absolutely.)
    So a state and a step are wrong by at most 3 times the number of roundings before,
    relatively: in half precision one store a step, else about 8 operations a step and 12 at the end. In float64 the
    rounding of beta^t adds eps / (1 - beta) = 100 eps at most to each of the two that are compared. All steps go one
    way, and each rounds the parameter twice. (eps is twice what rounding loses, as much as the interpreter loses
    where it cuts off to bfloat16.)
    """
    eps = torch.finfo(dtype).eps
    count = STEPS if dtype in (torch.float16, torch.bfloat16) else 8 * STEPS + 12
    relative = eps * (3 * count + (200 if dtype is torch.float64 else 0))
    for p, q, p0 in zip(params, exact, start, strict=True):
        bound = 2 * STEPS * eps * torch.maximum(q.abs(), p0.abs()) + relative * (q - p0).abs()
        assert ((p.double() - q).abs() <= bound).all()
        for key, value in oracle.state[q].items():
            if value is not None:
                mine = optimizer.state[p][key]
                assert mine.dtype == (torch.float32 if key in optimizer.scalars else dtype)
                atol = 2 * relative if key == "exp_avg_diff" else 0
                torch.testing.assert_close(mine.double(), value.double(), rtol=relative, atol=atol)
        assert optimizer.state[p].keys() == {k for k, v in oracle.state[q].items() if v is not None}


@each_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_kernels_compute_what_torch_does_in_float64(name, options, dtype, on_kernels):
    params, grads = problem(dtype)
    exact = [p.to(torch.float64, copy=True) for p in params]
    start = [p.clone() for p in exact]
    optimizer = train(ours(name, params, fused=True, **options), params, grads)
    oracle = train(theirs(name, exact, foreach=False, **options), exact, grads)
    assert_close_to_float64(optimizer, params, oracle, exact, start, dtype)


@each_case
def test_complex_parameters_are_pairs_of_reals(name, options, on_kernels):
    generator = torch.Generator().manual_seed(0)
    p = torch.randn(5, generator=generator, dtype=torch.complex128)
    g = torch.randn(5, generator=generator, dtype=torch.complex128).conj()
    copy = p.clone()
    optimizer, oracle = ours(name, [p], fused=True, **options), theirs(name, [copy], **options)
    p.grad, copy.grad = g, g.resolve_conj()
    optimizer.step()
    oracle.step()
    # One step in float64: the 512 roundings stand for the 312 above, and cancellation in g + lambda theta.
    torch.testing.assert_close(p, copy, rtol=512 * 2.3e-16, atol=512 * 2.3e-16)


@pytest.mark.parametrize("t", [1, 10, 1000, 10**7])
@pytest.mark.parametrize(
    "name",
    ["Adam", "NAdam", "RAdam", "Adamax", "AdaBound", "Adan", "SophiaG", "SophiaH", "ScheduleFreeAdamW"],
)
def test_bias_corrections_are_those_of_float64(name, t, on_kernels):
    p, copy = torch.ones(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    options = {"rho": 10.0} if "Sophia" in name else {}  # or else the step is clipped
    optimizer, oracle = ours(name, [p], fused=True, **options), theirs(name, [copy], foreach=False, **options)
    for q, opt in ((p, optimizer), (copy, oracle)):
        q.grad = torch.ones_like(q)
        opt.step()
        opt.state[q]["step"].fill_(t - 1)
        for key, value in opt.state[q].items():
            if key not in optimizer.scalars:
                value.fill_(1.0)
        q.zero_()
        opt.step()
    # The step is all that p holds. eps / (1 - beta2) is 1000 eps, in both; the rest is a few dozen. RAdam's rho, about
    # t, is the difference of two numbers up to 2000, one of which is wrong by that, and rho - 4 another one.
    factor = 10_000 if name == "RAdam" else 1
    torch.testing.assert_close(p, copy, rtol=factor * 2100 * 2.3e-16, atol=0)
    assert p != 0


def test_a_count_of_another_dtype_is_taken_over(on_kernels):
    """Under torch.set_default_dtype(torch.float64), torch's loops count in float64."""
    p, q = torch.ones(3), torch.ones(3)
    optimizer, reference = ours("Adam", [p], fused=True), ours("Adam", [q], fused=True)
    for t in range(3):
        p.grad = q.grad = torch.full((3,), t + 1.0)
        optimizer.step()
        reference.step()
        optimizer.state[p]["step"] = optimizer.state[p]["step"].double()
    assert torch.equal(p, q)
    assert optimizer.state[p]["step"] == 3


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_a_tensor_learning_rate_is_read_where_it_lies(name, on_kernels):
    lr = torch.tensor([0.5])
    params, reference = [torch.ones(3), torch.ones(2)], [torch.ones(3), torch.ones(2)]
    options = {"weight_decay": 0.5}
    optimizer = ours(name, params, lr=lr, fused=True, **options)
    plain = ours(name, reference, lr=0.5, fused=True, **options)
    for t in range(3):
        lr.fill_(0.5 / (t + 1))
        plain.param_groups[0]["lr"] = lr.item()
        for p, q in zip(params, reference, strict=True):
            p.grad, q.grad = torch.ones_like(p), torch.ones_like(q)
        optimizer.step()
        plain.step()
        assert all(torch.equal(p, q) for p, q in zip(params, reference, strict=True))


def test_a_tensor_momentum_is_a_number_too(on_kernels):
    p, q = torch.ones(3), torch.ones(3)
    optimizer = ours("RMSprop", [p], momentum=torch.tensor(0.5), fused=True)
    reference = ours("RMSprop", [q], momentum=0.5, fused=True)
    for _ in range(2):
        p.grad = q.grad = torch.ones(3)
        optimizer.step()
        reference.step()
    assert torch.equal(p, q)


def test_numbers_on_the_device_are_copied_there():
    """A tensor beside other numbers never becomes a Python number where it lies on the device."""

    class OnDevice(torch.Tensor):
        is_cpu = False

        def item(self):
            raise AssertionError("the device was waited for")

    lr = torch.tensor(0.25, dtype=torch.float64).as_subclass(OnDevice)
    cache, group = {}, {"lr": lr, "weight_decay": 0.5}
    for value in (0.25, 0.125):
        lr.fill_(value)
        kernel = fused.Kernel("adam", (lr, 0.9), decoupled=True)
        decay, numbers = fused._numbers(cache, kernel, group, torch.device("cpu"))
        assert decay.tolist() == [value / 2]
        assert numbers.tolist() == [value, 0.9]


# Overflow and loss scales.


@each_case
def test_grad_scaler_divides_and_skips_as_in_torch(name, options, on_kernels):
    results = []
    for make, fused_ in ((ours, True), (theirs, False)):
        params = [torch.full((), 4.0, dtype=torch.float64), torch.full((3,), -4.0, dtype=torch.float64)]
        params.append(torch.zeros(2, 2, dtype=torch.float64)[:, ::2].fill_(4.0))
        optimizer = make(name, params, **({"fused": True} if fused_ else {}), **options)
        assert bool(getattr(optimizer, "_step_supports_amp_scaling", False)) == fused_
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
        for t in range(4):
            for p in params:
                p.grad = torch.full_like(p, t + 1.0)
            scaler.scale(torch.ones(()))  # starts the scaler
            for p in params:
                p.grad *= scaler.get_scale()
            if t in (0, 2):
                params[1].grad[0] = float("inf")
            before = [p.clone() for p in params]
            state = {p: {k: v.clone() for k, v in optimizer.state[p].items()} for p in optimizer.state}
            scaler.step(optimizer)
            scaler.update()
            assert all(torch.equal(p, q) for p, q in zip(params, before, strict=True)) == (t in (0, 2))
            if t in (0, 2):
                for p, kept in state.items():
                    assert all(torch.equal(optimizer.state[p][key], value) for key, value in kept.items())
            else:  # as GradScaler leaves them for every optimizer
                assert all((p.grad == t + 1.0).all() for p in params)
        results.append((optimizer, params))
    (optimizer, params), (oracle, exact) = results
    for p, q in zip(params, exact, strict=True):
        # Two steps in float64; 512 roundings as above.
        torch.testing.assert_close(p, q, rtol=512 * 2.3e-16, atol=0)
        assert optimizer.state[p].get("step") == oracle.state[q].get("step")


def test_an_overflow_on_two_devices_is_one(on_kernels):
    """GradScaler adds up what it found on each device."""
    p = torch.ones(3)
    optimizer = ours("Adam", [p], fused=True)
    p.grad = torch.ones(3)
    optimizer.found_inf = torch.tensor(2.0)
    optimizer.step()
    assert torch.equal(p, torch.ones(3))
    assert optimizer.state[p]["step"] == 0


# Launches and tables.


@pytest.fixture
def launches(monkeypatch):
    """What would be launched, with its arguments, instead of a launch."""
    seen = []

    def kernel(name):
        class Recorder:
            def __getitem__(self, grid):
                return lambda *args, **options: seen.append(
                    SimpleNamespace(name=name, grid=grid, args=args, **options)
                )

        return Recorder()

    real = fused.kernels()
    fake = SimpleNamespace(
        **{name: getattr(real, name) for name in dir(real) if name not in ("advance", "update")},
        advance=kernel("advance"),
        update=kernel("update"),
    )
    monkeypatch.setattr(fused, "kernels", lambda: fake)
    monkeypatch.setattr(fused, "KERNELS_OF", {"cpu": "triton"})
    return seen


@each_case
def test_a_thousand_tensors_take_two_launches(name, options, launches):
    params = [torch.ones(3) for _ in range(1000)]
    optimizer = ours(name, params, fused=True, **options)
    for p in params:
        p.grad = torch.ones(3)
    optimizer.step()
    expected = ["update"] if not optimizer.counts_steps else ["advance", "update"]
    assert [launch.name for launch in launches] == expected
    assert all(launch.grid == (1000,) for launch in launches)


def test_tables_are_made_anew_only_when_something_has_moved(launches, monkeypatch):
    made = []
    upload = fused._upload
    monkeypatch.setattr(fused, "_upload", lambda *args: made.append(args) or upload(*args))
    params = [torch.ones(5), torch.ones(2100)]
    optimizer = ours("Adam", params, fused=True)
    grads = [[torch.ones_like(p) for p in params] for _ in range(2)]

    def uploads(row):
        made.clear()
        for p, g in zip(params, row, strict=True):
            p.grad = g
        optimizer.step()
        return len(made)

    assert uploads(grads[0]) == 3  # the numbers, the table, the row of each program
    assert uploads(grads[0]) == 0
    assert uploads(grads[1]) == 1
    assert uploads(grads[0]) == uploads(grads[1]) == 0
    optimizer.param_groups[0]["lr"] = 0.5
    assert uploads(grads[0]) == 1
    params[0].data = torch.ones(5)
    assert uploads(grads[0]) == 1
    table, rows = launches[-1].args[:2]
    assert rows.tolist() == [0, 1, 1, 1]
    state = optimizer.state[params[1]]
    where = [
        x.data_ptr() for x in (state["step"], params[1], grads[0][1], state["exp_avg"], state["exp_avg_sq"])
    ]
    assert table[1].tolist() == [2100, 1, 1, *where]
    elsewhere = [[torch.ones(5), torch.ones(2100)] for _ in range(3 * fused.TABLES)]
    assert all(uploads(row) == 1 for row in elsewhere)
    (cache,) = optimizer._fused_cache.values()
    assert all(len(entries) <= fused.TABLES for entries in cache.values())


def test_every_group_keeps_its_tables(launches, monkeypatch):
    groups = [{"params": [torch.ones(2)], "lr": 0.01 * (i + 1)} for i in range(2 * fused.TABLES)]
    optimizer = ours("Adam", groups, fused=True)
    for group in groups:
        group["params"][0].grad = torch.ones(2)
    optimizer.step()
    monkeypatch.delattr(fused, "_upload")
    optimizer.step()
    assert len(launches) == 2 * 2 * len(groups)


def test_only_whole_blocks_at_whole_addresses_move_in_words_of_16_bytes(on_kernels, monkeypatch):
    seen = []
    # The arguments that differ: the mask, and what divides the address.
    monkeypatch.setattr(on_kernels, "block", lambda *args: seen.append((args[2] is None, args[-1])))
    for start in (0, 1):
        p = torch.ones(2100 + start)[start:]
        p.grad = torch.ones(2100)
        ours("SGD", [p], fused=True).step()
    assert p.data_ptr() % 16 and not p.grad.data_ptr() % 16
    assert seen == [(True, 16), (True, 16), (False, 1)] + 3 * [(False, 1)]


def test_each_dtype_is_a_launch_and_a_misfit_is_one(launches):
    params = [torch.ones(2), torch.ones(2, dtype=torch.bfloat16), torch.ones(2), torch.ones(2, 3).t()]
    optimizer = ours("SGD", params, fused=True)
    for p in params:
        p.grad = torch.ones(p.shape, dtype=p.dtype)
    optimizer.step()
    assert [(launch.TYPE.name, len(launch.args[0])) for launch in launches] == [
        ("fp32", 2),
        ("fp32", 1),
        ("bf16", 1),
    ]
    params[3].grad = torch.ones(2, 3).t()  # the same order as the parameter's: no misfit
    launches.clear()
    optimizer.step()
    assert [(launch.TYPE.name, len(launch.args[0])) for launch in launches] == [("fp32", 3), ("bf16", 1)]


@pytest.mark.parametrize(
    ("shape", "strides", "order"),
    [
        ((), (), ()),
        ((4, 3), (3, 1), (3, 1)),
        ((4, 3), (1, 4), (1, 4)),
        ((4, 1, 3), (3, 77, 1), (3, 1)),
        ((4, 3), (6, 2), None),  # gaps
        ((3, 3), (2, 2), None),  # overlaps, though the last element is at numel - 1
        ((4, 3), (0, 1), None),
    ],
)
def test_orders_of_memory(shape, strides, order):
    assert fused._order(shape, strides) == order


# Machine code.


def ptx(rule, pointers, dtype="fp32", flags=(), decay="l2", **given):
    """Compile a rule for an H100, which takes none, and return its PTX."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    kernels = fused.kernels()
    _, n_once = kernels.ONCE.get(rule, (None, 0))
    types = {"fp32": kernels.tl.float32, "fp64": kernels.tl.float64, "bf16": kernels.tl.bfloat16}
    constants = {
        "RULE": getattr(kernels, rule),
        "FLAGS": flags,
        "DECAY": decay,
        "MAXIMIZE": False,
        "POINTERS": pointers,
        "WIDTH": 4 + pointers,
        "N": n_once or {"sgd": 1, "momentum": 3, "rmsprop": 5, "adadelta": 4, "lion": 3, "sophia": 4}[rule],
        "STRIDE": n_once,
        "TYPE": types[dtype],
        "COMPUTE": types["fp64" if dtype == "fp64" else "fp32"],
        "BLOCK": kernels.BLOCK,
        **{name: None for name in ("found_inf", "grad_scale") if name not in given},
    }
    signature = {"table": "*i64", "rows": "*i32", "decay": "*fp64", "numbers": "*fp64", **given}
    source = ASTSource(kernels.update, signature | dict.fromkeys(constants, "constexpr"), constants)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 4}).asm["ptx"]


@pytest.fixture(autouse=True, scope="module")
def no_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_CACHE_DIR", str(tmp_path_factory.mktemp("triton")))
        yield


@pytest.mark.parametrize(
    ("rule", "pointers", "flags", "roots"),
    [
        ("sgd", 2, (), 0),
        ("momentum", 3, (True, False), 0),
        ("adagrad", 3, (), 1),
        ("rmsprop", 5, (True, True), 1),
        ("adam", 4, (), 1),
        ("amsgrad", 5, (), 1),
        ("adadelta", 4, (), 1),
        ("adamax", 4, (), 0),
        ("nadam", 4, (), 1),
        ("radam", 4, (), 1),
        ("lion", 3, (), 0),
        ("adabound", 4, (), 1),
        ("adan", 6, (), 1),
        ("sophia", 4, (True,), 0),
        ("schedule_free_sgd", 3, (), 0),
        ("schedule_free_adamw", 4, (), 1),
    ],
)
def test_machine_code_moves_16_bytes_and_rounds_correctly(rule, pointers, flags, roots):
    code = ptx(rule, pointers, flags=flags)
    # 1024 elements are 8 a thread: two words of 4 of each tensor, besides the way for what is ragged.
    assert len(re.findall(r"ld\.global\.v4\.b32", code)) == 2 * pointers
    assert len(re.findall(r"st\.global\.v4\.b32", code)) == 2 * (pointers - 1)
    assert not re.search(r"\.approx|div\.full", code)
    assert bool(re.search(r"sqrt\.rn\.f32", code)) == bool(roots)
    assert bool(re.search(r"div\.rn\.f32", code)) == (bool(roots) or rule in ("adamax", "sophia"))


def test_machine_code_of_the_maximum_keeps_nan():
    # The interpreter keeps it whatever it is told.
    for rule, pointers, flags, kinds in (
        ("amsgrad", 5, (), ("max",)),
        ("adamax", 4, (), ("max",)),
        ("adabound", 4, (), ("max", "min")),
        ("sophia", 4, (True,), ("max", "min")),
    ):
        code = ptx(rule, pointers, flags=flags)
        for kind in kinds:  # 8 a thread, and the way for what is ragged
            assert len(re.findall(rf"{kind}\.NaN\.f32", code)) == 16, rule


def test_machine_code_of_lions_sign_keeps_nan():
    # It adds x - x, 0 or NaN, to the sign.
    assert len(re.findall(r"sub\.(?:rn\.)?f32\s+%\w+, (%\w+), \1;", ptx("lion", 3))) == 16


def test_machine_code_of_other_dtypes_and_of_a_loss_scale():
    half = ptx("adam", 4, "bf16", found_inf="*fp32", grad_scale="*fp32")
    assert len(re.findall(r"ld\.global\.v4\.b32", half)) == 4  # eight numbers of 16 bits
    assert len(re.findall(r"st\.global\.v4\.b32", half)) == 4  # the gradient, too
    assert re.search(r"cvt\.rn\.bf16", half) and not re.search(r"\.approx|div\.full", half)
    double = ptx("adam", 4, "fp64")
    assert len(re.findall(r"ld\.global\.v2\.b64", double)) == 16
    assert re.search(r"sqrt\.rn\.f64", double) and re.search(r"div\.rn\.f64", double)
    assert not re.search(r"\.f32|\.approx", double)


@pytest.fixture
def an_absent_h100(monkeypatch):
    """Triton believes in a GPU, as far as its compiler asks for one."""
    from triton.backends.compiler import GPUTarget
    from triton.runtime import driver

    gpu = SimpleNamespace(
        get_current_device=lambda: 0,
        get_current_stream=lambda device: 0,
        get_current_target=lambda: GPUTarget("cuda", 90, 32),
    )
    monkeypatch.setattr(driver, "_active", gpu)


@pytest.mark.parametrize(("name", "options"), [CASES[i] for i in (0, 3, 8, 11, 15, 17, 22)], ids=str)
def test_launches_compile_as_they_are_launched(name, options, an_absent_h100, launches):
    p = torch.ones(2100)
    p.grad = torch.ones(2100)
    optimizer = ours(name, [p], fused=True, **options)
    optimizer.step()
    optimizer.grad_scale, optimizer.found_inf = torch.ones(()), torch.zeros(())
    optimizer.step()
    assert len(launches) == (2 if name == "SGD" else 4)
    kernels = importlib.import_module("adambook.torch_optim.kernels")
    for launch in launches:
        given = {k: v for k, v in vars(launch).items() if k not in ("name", "args")}
        compiled = getattr(kernels, launch.name).warmup(*launch.args, **given)
        assert compiled.metadata.name == launch.name
        assert ".target sm_90" in compiled.asm["ptx"]


def test_interpreted_kernels_leave_the_real_ones_alone(interpreted):
    assert type(interpreted.update).__name__ == "InterpretedFunction"
    assert type(fused.kernels().update).__name__ == "JITFunction"
