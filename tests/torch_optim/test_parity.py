"""Ours against torch.optim, to the last bit, over hypothesis-driven options, data types and shapes."""

import pytest
import torch
from adambook import torch_optim
from hypothesis import given, settings
from hypothesis import strategies as st

CUDA = pytest.param(
    "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
)
DTYPES = [torch.float32, torch.float64, torch.bfloat16]
STEPS = 6


def number(low, high):
    """Zero half of the time, as most options are off by default."""
    return st.one_of(st.just(0.0), st.floats(low, high))


LR = st.floats(1e-5, 1.0)
EPS = st.sampled_from([1e-10, 1e-8, 1e-3])
BETA = st.floats(0.0, 0.9999)
DECAY = number(1e-4, 0.5)
COMMON = {"lr": LR, "weight_decay": DECAY, "maximize": st.booleans()}
ADAM = {**COMMON, "betas": st.tuples(BETA, BETA), "eps": EPS}
OPTIONS = {
    "SGD": st.one_of(
        st.fixed_dictionaries({**COMMON, "momentum": number(0.1, 0.99), "dampening": st.floats(-0.5, 1.0)}),
        st.fixed_dictionaries({**COMMON, "momentum": st.floats(0.1, 0.99), "nesterov": st.just(True)}),
    ),
    "Adagrad": st.fixed_dictionaries(
        {**COMMON, "eps": EPS, "lr_decay": number(1e-3, 1.0), "initial_accumulator_value": number(1e-3, 1.0)}
    ),
    "RMSprop": st.fixed_dictionaries(
        {**COMMON, "eps": EPS, "alpha": BETA, "momentum": number(0.1, 0.99), "centered": st.booleans()}
    ),
    "Adam": st.fixed_dictionaries(
        {**ADAM, "amsgrad": st.booleans(), "decoupled_weight_decay": st.booleans()}
    ),
    "AMSGrad": st.fixed_dictionaries(ADAM),
    "AdamW": st.fixed_dictionaries({**ADAM, "amsgrad": st.booleans()}),
    "Adadelta": st.fixed_dictionaries({**COMMON, "rho": BETA, "eps": EPS}),
    "Adamax": st.fixed_dictionaries(ADAM),
    "NAdam": st.fixed_dictionaries(
        {**ADAM, "momentum_decay": number(1e-3, 0.1), "decoupled_weight_decay": st.booleans()}
    ),
    "RAdam": st.fixed_dictionaries({**ADAM, "decoupled_weight_decay": st.booleans()}),
    "Lion": st.fixed_dictionaries({**COMMON, "betas": st.tuples(BETA, BETA)}),
    "AdaBound": st.fixed_dictionaries({**ADAM, "final_lr": st.floats(1e-3, 1.0), "gamma": st.floats(1e-3, 0.9)}),
    "Adan": st.fixed_dictionaries({**ADAM, "betas": st.tuples(BETA, BETA, BETA)}),
    "LAMB": st.fixed_dictionaries(ADAM),
    "Adafactor": st.fixed_dictionaries(
        {
            **COMMON,
            "beta2_decay": st.floats(-1.0, -0.1),
            "eps": st.tuples(st.sampled_from([None, 1e-6]), st.sampled_from([1e-3, 1.0])),
            "d": st.floats(1.0, 3.0),
        }
    ),
    "ScheduleFreeAdamW": st.fixed_dictionaries({**ADAM, "betas": st.tuples(st.floats(0.1, 0.99), BETA)}),
    "ScheduleFreeSGD": st.fixed_dictionaries({**COMMON, "momentum": st.floats(0.1, 1.0)}),
    "SophiaG": st.fixed_dictionaries({**COMMON, "betas": st.tuples(BETA, BETA), "rho": st.floats(0.0, 1.0)}),
    "SophiaH": st.fixed_dictionaries({**COMMON, "betas": st.tuples(BETA, BETA), "rho": st.floats(0.0, 1.0)}),
}
NAMES = list(OPTIONS)
TORCHS = [name for name in NAMES if hasattr(torch.optim, name) or name == "AMSGrad"]
# torch's lists round otherwise than its loop, and ours as the loop; see test_foreach_is_torch_within_rounding.
ROUNDED_OTHERWISE = ["Adagrad", "NAdam", "RAdam"]


def theirs(name, params, **options):
    """torch.optim's optimizer of the same meaning, if there is one."""
    if name == "AMSGrad":
        return torch.optim.Adam(params, amsgrad=True, **options)
    if name not in TORCHS:  # then ours in its plainest form
        return getattr(torch_optim, name)(params, **{**options, "foreach": False})
    return getattr(torch.optim, name)(params, **options)


def problem(seed, dtype, device, scale=1.0):
    """Parameters of every shape that tends to break, and a gradient for each at each step; one comes late."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    shapes = [(), (1,), (0,), (7,), (5, 3)]
    params = [normal(*shape) for shape in shapes] + [normal(3, 4).t(), normal(6, 4)[:, ::2]]
    grads = [[scale * normal(*p.shape) for p in params] for _ in range(STEPS)]
    grads[1][3].zero_()
    params = [p.to(device, dtype) for p in params]
    grads = [[g.to(device, dtype) for g in row] for row in grads]
    grads[0][4] = None
    return params, grads


def suited(name, params, grads):
    """Norms are added up in the order of the memory, and torch's Adafactor divides by the number of elements."""
    if name not in ("Adafactor", "LAMB"):
        return params, grads
    params, *grads = (row[:2] + row[3:] for row in (params, *grads))
    return [p.contiguous() for p in params], grads


def train(optimizer, params, grads):
    """Step along given gradients, which must come out as they went in."""
    for row in grads:
        for p, g in zip(params, row, strict=True):
            p.grad = None if g is None else g.clone()
        optimizer.step()
        for p, g in zip(params, row, strict=True):
            assert p.grad is g is None or same(p.grad, g), "the optimizer wrote into p.grad"
    return optimizer


def same(a, b):
    """Equal to the last bit, NaN where NaN, and the same data type."""
    return (
        a.dtype == b.dtype
        and torch.equal(a.isnan(), b.isnan())
        and torch.equal(a.nan_to_num(), b.nan_to_num())
    )


def assert_same_state(ours, reference):
    """The two state_dicts agree: groups, keys, and every tensor to the last bit."""
    a, b = ours.state_dict(), reference.state_dict()
    for group, expected in zip(a["param_groups"], b["param_groups"], strict=True):
        assert {**expected, "differentiable": False} == {"differentiable": False, **group}
    assert a["state"].keys() == b["state"].keys()
    for i, state in b["state"].items():
        assert a["state"][i].keys() == state.keys()
        for key, value in state.items():
            assert same(a["state"][i][key], value), (i, key)


def assert_same(name, options, seed, dtype, device="cpu", scale=1.0):
    params, grads = suited(name, *problem(seed, dtype, device, scale))
    copies = [p.clone() for p in params]
    ours = train(getattr(torch_optim, name)(params, **options), params, grads)
    # torch.optim may write into p.grad, so `train` would complain about it.
    reference = theirs(name, copies, **options)
    for row in grads:
        for p, g in zip(copies, row, strict=True):
            p.grad = None if g is None else g.clone()
        reference.step()
    for p, q in zip(params, copies, strict=True):
        assert same(p, q)
    assert_same_state(ours, reference)


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize("name", TORCHS)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_loop_is_bitwise_torch(name, device, data):
    options = data.draw(OPTIONS[name])
    dtype = data.draw(st.sampled_from(DTYPES))
    scale = data.draw(st.sampled_from([1e-6, 1.0, 1e4]))
    assert_same(name, {**options, "foreach": False}, data.draw(st.integers(0, 99)), dtype, device, scale)


# Half precision is left out because torch is wrong there (below).
@pytest.mark.parametrize("name", [name for name in TORCHS if name not in ROUNDED_OTHERWISE])
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_foreach_is_bitwise_torch(name, data):
    options = data.draw(OPTIONS[name])
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64]))
    assert_same(name, {**options, "foreach": True}, data.draw(st.integers(0, 99)), dtype)


def test_multi_tensor_steps_on_the_cpu_do_not_round_betas_to_half_precision():
    # torch._foreach_mul_ rounds its factor to the tensors' dtype on the CPU: 0.998 becomes 0.99609375.
    kept = {}
    for make, foreach in ((torch.optim.Adam, True), (torch.optim.Adam, False), (torch_optim.Adam, True)):
        p = torch.zeros(1, dtype=torch.bfloat16)
        optimizer = make([p], betas=(0.9, 0.998), foreach=foreach)
        p.grad = torch.full_like(p, 4.0)
        optimizer.step()
        p.grad = torch.zeros_like(p)
        for _ in range(100):
            optimizer.step()
        kept[make, foreach] = optimizer.state[p]["exp_avg_sq"].item()
    assert kept[torch_optim.Adam, True] == kept[torch.optim.Adam, False]
    assert kept[torch_optim.Adam, True] != kept[torch.optim.Adam, True], (
        "torch has mended it: drop the detour"
    )


def assert_within_rounding(params, others, start, steps, dtype):
    """Bound for two orders of the same operations along the same gradients without weight decay.

    Each step, the two changes of a parameter differ by at most 5 roundings of the change, and each sum rounds
    once more, in NAdam twice: 5 eps (|change| + |theta|). Without decay the difference does not feed back, so it
    adds up.
    """
    eps = torch.finfo(dtype).eps
    for p, q, p0 in zip(params, others, start, strict=True):
        largest = torch.maximum(p.abs(), p0.abs()).double() + (p - p0).abs().double()
        assert ((p.double() - q.double()).abs() <= 5 * steps * eps * largest).all()


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize(
    ("name", "dtype"),
    # In bfloat16 on the CPU, torch's lists round betas to 1 (above). AdaGrad has none.
    [(name, dtype) for name in ROUNDED_OTHERWISE for dtype in DTYPES[: 3 if name == "Adagrad" else 2]],
    ids=str,
)
@settings(deadline=None, max_examples=15)
@given(data=st.data(), seed=st.integers(0, 99))
def test_foreach_is_torch_within_rounding(name, dtype, device, data, seed):
    options = {**data.draw(OPTIONS[name]), "weight_decay": 0.0, "foreach": True}
    params, grads = problem(seed, dtype, device)
    # Gradients of one sign: then the path is as long as the distance, which the bound is stated in.
    grads = [[None if g is None else g.abs() for g in row] for row in grads]
    start, copies = [p.clone() for p in params], [p.clone() for p in params]
    train(getattr(torch_optim, name)(params, **options), params, grads)
    train(getattr(torch.optim, name)(copies, **options), copies, grads)
    assert_within_rounding(params, copies, start, STEPS, dtype)


# Adafactor's lists multiply by the step size before they add, as torch's do.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "Adafactor"])
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_foreach_is_bitwise_the_loop_on_cpu(name, data):
    options = data.draw(OPTIONS[name])
    dtype = data.draw(st.sampled_from(DTYPES))
    params, grads = suited(name, *problem(data.draw(st.integers(0, 99)), dtype, "cpu"))
    copies = [p.clone() for p in params]
    loop = train(getattr(torch_optim, name)(params, foreach=False, **options), params, grads)
    lists = train(getattr(torch_optim, name)(copies, foreach=True, **options), copies, grads)
    for p, q in zip(params, copies, strict=True):
        assert same(p, q)
    for p, q in zip(params, copies, strict=True):
        assert loop.state[p].keys() == lists.state[q].keys()
        assert all(same(loop.state[p][key], lists.state[q][key]) for key in loop.state[p])


@pytest.mark.parametrize("name", NAMES)
def test_lists_hold_one_dtype_each(name, monkeypatch):
    seen = []
    cls = getattr(torch_optim, name)
    original = cls.update_foreach

    def spy(self, theta, g, t, state, group):
        columns = [theta, g, *(column for key, column in state.items() if key not in self.scalars)]
        seen.append((len(theta), {x.dtype for column in columns for x in column}))
        original(self, theta, g, t, state, group)

    monkeypatch.setattr(cls, "update_foreach", spy)
    params = [torch.ones(2, dtype=dtype) for dtype in (torch.float32, torch.float64, torch.float32)]
    train(cls(params, foreach=True), params, [[torch.ones_like(p) for p in params]])
    assert sorted(seen, key=str) == [(1, {torch.float64}), (2, {torch.float32})]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("Adafactor", "LAMB")])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_cuda_takes_foreach_by_default_and_agrees_with_the_loop(name, dtype):
    params, grads = problem(0, dtype, "cuda")
    grads = [[None if g is None else g.abs() for g in row] for row in grads]
    start, copies = [p.clone() for p in params], [p.clone() for p in params]
    options = {"weight_decay": 0.0}
    default = getattr(torch_optim, name)(params, **options)
    lists = []
    default.update_foreach = lambda *args: lists.append(args) or type(default).update_foreach(default, *args)
    train(default, params, grads)
    assert lists
    train(getattr(torch_optim, name)(copies, foreach=False, **options), copies, grads)
    assert_within_rounding(params, copies, start, STEPS, dtype)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("SGD", "Adagrad", "Adafactor")])
def test_capturable_steps_replay_in_a_graph(name, foreach):
    p = torch.ones(10, device="cuda")
    p.grad = torch.full_like(p, 0.1)
    eager = p.clone()
    eager.grad = p.grad.clone()
    optimizer = getattr(torch_optim, name)([p], capturable=True, foreach=foreach)
    reference = getattr(torch_optim, name)([eager], foreach=foreach)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        optimizer.step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        optimizer.step()
    for _ in range(4):
        graph.replay()
    for _ in range(5):
        reference.step()
    # Bias corrections are float32 on the device: a few roundings in each of the five steps.
    torch.testing.assert_close(p, eager, rtol=5 * 8 * torch.finfo(p.dtype).eps, atol=0)


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_nan_and_inf_gradients_spread_as_in_torch(name, foreach):
    for value in (float("nan"), float("inf"), -float("inf")):
        params, grads = problem(0, torch.float32, "cpu")
        grads[2][3][2] = value
        grads[3][5][0, 0] = value
        params, grads = suited(name, params, grads)
        copies = [p.clone() for p in params]
        options = {"foreach": foreach, **({"momentum": 0.9} if name in ("SGD", "RMSprop") else {})}
        ours = train(getattr(torch_optim, name)(params, **options), params, grads)
        reference = train(theirs(name, copies, **options), copies, grads)
        assert not all(p.isfinite().all() for p in params)
        for p, q in zip(params, copies, strict=True):
            assert torch.equal(p.isnan(), q.isnan())
            assert torch.equal(p.isinf(), q.isinf())
        if name not in ROUNDED_OTHERWISE or not foreach:
            assert all(same(p, q) for p, q in zip(params, copies, strict=True))
            if name in TORCHS:
                assert_same_state(ours, reference)


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("name", [name for name in NAMES if getattr(torch_optim, name).takes_complex])
@settings(deadline=None, max_examples=10)
@given(data=st.data())
def test_complex_parameters_are_pairs_of_reals(name, foreach, data):
    options = {**data.draw(OPTIONS[name]), "foreach": foreach}
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    p = torch.randn(4, 3, generator=generator, dtype=torch.complex128)
    grads = [torch.randn(4, 3, generator=generator, dtype=torch.complex128) for _ in range(STEPS)]
    grads[1] = grads[1].conj()  # not stored, only marked as conjugate
    pair = torch.view_as_real(p).clone()
    ours = getattr(torch_optim, name)([p], **options)
    reference = getattr(torch_optim, name)([pair], **options)
    for g in grads:
        p.grad, pair.grad = g, torch.view_as_real(g.resolve_conj())
        ours.step()
        reference.step()
    assert p.is_complex()
    if name == "SGD":
        # It multiplies complex numbers, which fuses other pairs of operations: a few roundings a step.
        tolerance = STEPS * 8 * torch.finfo(torch.float64).eps * float(pair.abs().max() + 1)
        torch.testing.assert_close(torch.view_as_real(p), pair, rtol=0, atol=tolerance)
    else:
        assert same(torch.view_as_real(p), pair)
    kept, expected = ours.state_dict()["state"], reference.state_dict()["state"]
    assert kept.keys() == expected.keys()
    for key, value in kept.get(0, {}).items():
        assert key in ours.scalars or value.is_complex()


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {}),
        ("SGD", {"momentum": 0.9}),
        ("SGD", {"momentum": 0.9, "nesterov": True}),
        ("Adagrad", {"lr_decay": 0.1}),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_sparse_gradients_are_bitwise_torch(name, options, maximize, foreach):
    options = {**options, "lr": 0.1, "maximize": maximize, "foreach": foreach}
    generator = torch.Generator().manual_seed(0)
    weight, dense = torch.randn(10, 3, generator=generator), torch.randn(4, generator=generator)
    results = []
    for make in (lambda p: getattr(torch_optim, name)(p, **options), lambda p: theirs(name, p, **options)):
        w, b = weight.clone().requires_grad_(), dense.clone().requires_grad_()
        optimizer = make([w, b])
        rows = torch.Generator().manual_seed(1)
        for _ in range(STEPS):
            optimizer.zero_grad()
            picked = torch.nn.functional.embedding(torch.randint(0, 10, (6,), generator=rows), w, sparse=True)
            (picked.square().sum() * b.square().sum()).backward()
            assert w.grad.is_sparse
            optimizer.step()
        results.append((w.detach(), b.detach()))
    assert same(results[0][0], results[1][0])
    if name != "Adagrad" or not foreach:
        assert same(results[0][1], results[1][1])
    assert not torch.equal(results[0][0], weight)
