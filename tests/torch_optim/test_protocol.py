"""The protocol of torch.optim around the rules: checkpoints, schedulers, groups, closures, hooks, copies."""

import copy
import io
import pickle

import pytest
import torch
from adambook import torch_optim
from torch.optim import lr_scheduler
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.2}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    ("Adam", {"weight_decay": 0.1}),
    ("Adam", {"amsgrad": True}),
    ("AMSGrad", {"weight_decay": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"amsgrad": True, "weight_decay": 0.3}),
    ("Adadelta", {"weight_decay": 0.1}),
    ("Adamax", {"weight_decay": 0.1}),
    ("NAdam", {"weight_decay": 0.1}),
    ("RAdam", {"betas": (0.9, 0.8), "decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("Lion", {"weight_decay": 0.1}),
    ("AdaBound", {"weight_decay": 0.1}),
    ("Adan", {"weight_decay": 0.1}),
    ("LAMB", {"weight_decay": 0.1}),
    ("Adafactor", {"weight_decay": 0.1}),
    ("ScheduleFreeAdamW", {"weight_decay": 0.1}),
    ("ScheduleFreeSGD", {"lr": 0.1, "weight_decay": 0.1}),
    ("SophiaG", {}),
    ("SophiaH", {}),
]
IDS = [f"{name}-{'-'.join(options)}" for name, options in CASES]
each_case = pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)


def ours(name, params, **options):
    return getattr(torch_optim, name)(params, **options)


def theirs(name, params, **options):
    if name == "AMSGrad":
        return torch.optim.Adam(params, amsgrad=True, **options)
    if not hasattr(torch.optim, name):  # then ours in its plainest form
        return getattr(torch_optim, name)(params, **{**options, "foreach": False})
    return getattr(torch.optim, name)(params, **options)


def parameters(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in [(), (4,), (3, 2)]]


def loss_of(params, t):
    """A loss whose gradient depends on the parameters and on the step."""
    return sum(((p - 0.1 * t).square() * (i + 1)).sum() + p.sin().sum() for i, p in enumerate(params))


def train(optimizer, params, start, stop):
    for t in range(start, stop):
        optimizer.zero_grad()
        loss_of(params, t).backward()
        optimizer.step()


def twin(params):
    return [p.detach().clone().requires_grad_() for p in params]


def assert_equal(params, others):
    for p, q in zip(params, others, strict=True):
        assert torch.equal(p, q)


def through_a_file(thing, weights_only=True):
    buffer = io.BytesIO()
    torch.save(thing, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=weights_only)


@each_case
@pytest.mark.parametrize("direction", ["ours to torch", "torch to ours", "ours to ours"])
def test_checkpoints_continue_identically(name, options, direction):
    first, second = {
        "ours to torch": (ours, theirs),
        "torch to ours": (theirs, ours),
        "ours to ours": (ours, ours),
    }[direction]
    uninterrupted = parameters()
    train(theirs(name, uninterrupted, **options), uninterrupted, 0, 8)
    params = parameters()
    before = first(name, params, **options)
    train(before, params, 0, 4)
    moved = twin(params)
    # Built with other hyper-parameters, which the checkpoint replaces.
    after = second(name, moved, **{**options, "lr": 0.7})
    after.load_state_dict(through_a_file(before.state_dict()))
    train(after, moved, 4, 8)
    assert_equal(moved, uninterrupted)
    reference = theirs(name, parameters(), **options)
    assert set(after.state_dict()["param_groups"][0]) >= set(reference.state_dict()["param_groups"][0])


@pytest.mark.parametrize(("first", "second"), [("Adam", "AMSGrad"), ("AMSGrad", "Adam")])
def test_adam_with_amsgrad_and_amsgrad_interchange(first, second):
    options = {"Adam": {"amsgrad": True}, "AMSGrad": {}}
    uninterrupted, params = parameters(), parameters()
    train(ours("AMSGrad", uninterrupted), uninterrupted, 0, 8)
    before = ours(first, params, **options[first])
    train(before, params, 0, 4)
    moved = twin(params)
    after = ours(second, moved, **options[second])
    after.load_state_dict(before.state_dict())
    train(after, moved, 4, 8)
    assert_equal(moved, uninterrupted)


def test_amsgrad_continues_a_run_of_adam_with_the_maximum_from_there_on():
    params = parameters()
    adam = ours("Adam", params)
    train(adam, params, 0, 3)
    amsgrad = ours("AMSGrad", params)
    amsgrad.load_state_dict(adam.state_dict())
    train(amsgrad, params, 3, 4)
    for p in params:
        assert amsgrad.param_groups[0]["amsgrad"] is True
        assert torch.equal(amsgrad.state[p]["max_exp_avg_sq"], amsgrad.state[p]["exp_avg_sq"])


@pytest.mark.parametrize(
    ("name", "options"), [case for case in CASES if hasattr(torch.optim, case[0])], ids=str
)
def test_checkpoints_of_old_versions_load(name, options):
    params = parameters()
    optimizer = ours(name, params, **options)
    train(optimizer, params, 0, 3)
    old = copy.deepcopy(optimizer.state_dict())
    for group in old["param_groups"]:
        for key in ("foreach", "maximize", "differentiable", "capturable", "fused", "decoupled_weight_decay"):
            if not options.get(key):
                group.pop(key, None)
    for state in old["state"].values():
        if "step" in state:
            state["step"] = 3  # a number, as in versions before 1.12
    moved = twin(params)
    loaded = ours(name, moved, **options)
    loaded.load_state_dict(old)
    assert loaded.param_groups[0].keys() == optimizer.param_groups[0].keys()
    train(optimizer, params, 3, 6)
    train(loaded, moved, 3, 6)
    assert_equal(moved, params)
    for p in moved:
        if "step" in loaded.state[p]:
            step = loaded.state[p]["step"]
            assert (step.dtype, step.shape, step.device.type) == (torch.float32, (), "cpu")
            assert step == 6


@each_case
@pytest.mark.parametrize(
    "how",
    [
        copy.deepcopy,
        lambda x: pickle.loads(pickle.dumps(x)),
        lambda x: through_a_file(x, weights_only=False),
    ],
    ids=["deepcopy", "pickle", "torch.save"],
)
def test_copies_continue_on_their_own(name, options, how):
    params = parameters()
    optimizer = ours(name, params, **options)
    train(optimizer, params, 0, 3)
    other_params, other = how((params, optimizer))
    assert type(other) is type(optimizer)
    before = [p.detach().clone() for p in params]
    train(other, other_params, 3, 6)
    assert_equal(params, before)
    train(optimizer, params, 3, 6)
    assert_equal(params, other_params)


@pytest.mark.parametrize(
    ("name", "options", "dtype"),
    [
        (name, options, dtype)
        for name, options in CASES
        for dtype in (torch.float16, torch.bfloat16, torch.float64, torch.complex64, torch.complex128)
        if getattr(torch_optim, name).takes_complex or not dtype.is_complex
    ],
    ids=str,
)
def test_checkpoints_keep_dtypes_and_values(name, options, dtype):
    params = [torch.ones(3, 2, dtype=dtype).t().requires_grad_(), torch.ones(2, requires_grad=True)]
    optimizer = ours(name, params, **options)
    for t in range(3):
        for p in params:
            p.grad = torch.full_like(p, t + 0.5)
        optimizer.step()
    kept = through_a_file(optimizer.state_dict())
    moved = twin(params)
    after = ours(name, moved, **options)
    after.load_state_dict(state_dict=kept)  # torch.distributed.checkpoint calls it by keyword
    for i, p in enumerate(moved):
        state = after.state.get(p, {})
        assert state.keys() == optimizer.state.get(params[i], {}).keys()
        for key, value in state.items():
            assert value.dtype == (torch.float32 if key in after.scalars else p.dtype)
            assert torch.equal(value, kept["state"][i][key])
            assert value.shape != p.shape or value.stride() == p.stride()


ADAGRAD = (torch.optim.Adagrad, torch_optim.Adagrad)  # has no momentum to cycle
SCHEDULERS = {
    "lambda": lambda opt: lr_scheduler.LambdaLR(opt, lambda t: 1 / (t + 1)),
    "step": lambda opt: lr_scheduler.StepLR(opt, 2),
    "multistep": lambda opt: lr_scheduler.MultiStepLR(opt, [2, 4]),
    "constant": lambda opt: lr_scheduler.ConstantLR(opt, total_iters=3),
    "linear": lambda opt: lr_scheduler.LinearLR(opt, total_iters=4),
    "exponential": lambda opt: lr_scheduler.ExponentialLR(opt, 0.9),
    "multiplicative": lambda opt: lr_scheduler.MultiplicativeLR(opt, lambda t: 0.9),
    "polynomial": lambda opt: lr_scheduler.PolynomialLR(opt, total_iters=5),
    "cosine": lambda opt: lr_scheduler.CosineAnnealingLR(opt, T_max=5),
    "warm restarts": lambda opt: lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=3),
    "one cycle": lambda opt: lr_scheduler.OneCycleLR(
        opt, max_lr=0.1, total_steps=10, cycle_momentum=not isinstance(opt, ADAGRAD)
    ),
    "cyclic": lambda opt: lr_scheduler.CyclicLR(
        opt, 0.01, 0.1, step_size_up=2, cycle_momentum=not isinstance(opt, ADAGRAD)
    ),
    "chained": lambda opt: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(opt, total_iters=3), lr_scheduler.ExponentialLR(opt, 0.9)]
    ),
    "averaging": lambda opt: torch.optim.swa_utils.SWALR(opt, swa_lr=0.5, anneal_epochs=4),
    "plateau": lambda opt: lr_scheduler.ReduceLROnPlateau(opt, patience=1, factor=0.5),
    "sequential": lambda opt: lr_scheduler.SequentialLR(
        opt, [lr_scheduler.LinearLR(opt, total_iters=2), lr_scheduler.ExponentialLR(opt, 0.5)], [2]
    ),
}


def advance(scheduler):
    if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
        scheduler.step(1.0)  # a loss that never falls
    else:
        scheduler.step()


def test_no_scheduler_of_torch_is_left_out():
    made = {type(make(ours("AdamW", parameters()))).__name__ for make in SCHEDULERS.values()}
    assert {*lr_scheduler.__all__, "SWALR"} - {"LRScheduler"} == made


@pytest.mark.parametrize("schedule", SCHEDULERS)
@pytest.mark.parametrize(("name", "options"), [CASES[1], CASES[3], CASES[5], CASES[8], CASES[9]], ids=str)
def test_schedulers_drive_them_as_they_drive_torch(name, options, schedule):
    results = []
    for factory in (ours, theirs):
        params = parameters()
        optimizer = factory(name, params, **options)
        scheduler = SCHEDULERS[schedule](optimizer)
        driven = []
        for t in range(8):
            train(optimizer, params, t, t + 1)
            advance(scheduler)
            group = optimizer.param_groups[0]
            driven.append([group.get(key) for key in ("lr", "momentum", "betas")])
        results.append((params, driven))
    assert results[0][1] == results[1][1]
    assert len({lr for lr, _, _ in results[0][1]}) > 1
    if schedule in ("one cycle", "cyclic") and name != "Adagrad":
        assert len({(momentum, betas) for _, momentum, betas in results[0][1]}) > 1
    assert_equal(results[0][0], results[1][0])


@pytest.mark.parametrize("schedule", SCHEDULERS)
@pytest.mark.parametrize(("name", "options"), [CASES[1], CASES[9]], ids=str)
def test_schedulers_drive_a_tensor_lr(name, options, schedule):
    lr = torch.tensor(0.1, dtype=torch.float64)  # as a number has
    params, reference = parameters(), parameters()
    optimizer = ours(name, params, **{**options, "lr": lr})
    follower = ours(name, reference, **options)
    scheduler = SCHEDULERS[schedule](optimizer)
    rates = set()
    for t in range(8):
        group = optimizer.param_groups[0]
        assert group["lr"] is lr  # the tensor that a graph or a compiled step has seen
        rates.add(lr.item())
        follower.param_groups[0].update({**group, "params": reference, "lr": lr.item()})
        train(optimizer, params, t, t + 1)
        train(follower, reference, t, t + 1)
        advance(scheduler)
    assert len(rates) > 1
    assert_equal(params, reference)


@each_case
@pytest.mark.parametrize("foreach", [False, True])
def test_groups_have_their_own_options_and_may_come_late(name, options, foreach):
    if name in ("Adagrad", "NAdam", "RAdam"):
        foreach = False  # torch's multi-tensor steps round otherwise; test_parity holds them
    if name == "Adagrad":
        options = {**options, "initial_accumulator_value": 0.0}
    results = []
    for factory in (ours, theirs):
        params = parameters()
        groups = [{"params": params[:1], "lr": 0.3}, {"params": params[1:2], "weight_decay": 0.5}]
        optimizer = factory(name, groups, foreach=foreach, **options)
        train(optimizer, params, 0, 3)
        optimizer.add_param_group({"params": params[2], "lr": 0.05, "maximize": True})
        train(optimizer, params, 3, 6)
        results.append(params)
    assert_equal(*results)
    alone = parameters()
    train(ours(name, alone, foreach=foreach, **options), alone, 0, 6)
    assert not any(torch.equal(p, q) for p, q in zip(alone, results[0], strict=True))


def test_adagrad_groups_start_their_own_sums():
    a, b = torch.ones(2), torch.ones(2)
    groups = [{"params": [a]}, {"params": [b], "initial_accumulator_value": 4.0}]
    optimizer = ours("Adagrad", groups, initial_accumulator_value=1.0)
    a.grad = b.grad = torch.zeros(2)
    optimizer.step()
    assert torch.equal(optimizer.state[a]["sum"], torch.full((2,), 1.0))
    assert torch.equal(optimizer.state[b]["sum"], torch.full((2,), 4.0))


def test_adagrad_shares_its_memory():
    params = parameters()
    optimizer = ours("Adagrad", params, initial_accumulator_value=0.5)
    optimizer.share_memory()
    assert all(optimizer.state[p]["sum"].is_shared() for p in params)
    train(optimizer, params, 0, 2)
    reference = parameters()
    train(theirs("Adagrad", reference, initial_accumulator_value=0.5), reference, 0, 2)
    assert_equal(params, reference)


def test_named_parameters_keep_their_names():
    model = torch.nn.Linear(2, 1)
    optimizer = ours("Adam", model.named_parameters())
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]


@each_case
def test_closures_are_evaluated_with_gradients_and_returned(name, options):
    params, reference = parameters(), parameters()
    optimizer = ours(name, params, **options)
    calls = []

    def closure():
        assert torch.is_grad_enabled()
        optimizer.zero_grad()
        loss = loss_of(params, len(calls))
        loss.backward()
        calls.append(loss.item())
        return loss

    with torch.no_grad():  # the caller's mode must not reach the closure
        losses = [optimizer.step(closure).item() for _ in range(3)]
    assert losses == calls
    assert len(calls) == 3
    train(theirs(name, reference, **options), reference, 0, 3)
    assert_equal(params, reference)
    assert optimizer.step() is None


def test_hooks_run_around_the_step():
    params = parameters()
    optimizer = ours("Adam", params)
    seen = []
    optimizer.register_step_pre_hook(lambda opt, args, kwargs: seen.append(("pre", params[0].item())))
    optimizer.register_step_post_hook(lambda opt, args, kwargs: seen.append(("post", params[0].item())))
    start = params[0].item()
    train(optimizer, params, 0, 1)
    assert seen == [("pre", start), ("post", params[0].item())]
    assert start != params[0].item()
    handles = [
        register_optimizer_step_pre_hook(lambda opt, args, kwargs: seen.append("pre, of all optimizers")),
        register_optimizer_step_post_hook(lambda opt, args, kwargs: seen.append("post, of all optimizers")),
    ]
    try:
        train(optimizer, params, 1, 2)
    finally:
        for handle in handles:
            handle.remove()
    assert [each if isinstance(each, str) else each[0] for each in seen[2:]] == [
        "pre, of all optimizers",
        "pre",
        "post",
        "post, of all optimizers",
    ]


def test_hooks_run_around_state_dicts():
    params = parameters()
    optimizer = ours("Adam", params)
    seen = []
    optimizer.register_state_dict_pre_hook(lambda opt: seen.append("before saving"))
    optimizer.register_state_dict_post_hook(lambda opt, state: {**state, "note": "kept"})
    optimizer.register_load_state_dict_pre_hook(lambda opt, state: seen.append(state["note"]))
    optimizer.register_load_state_dict_post_hook(lambda opt: seen.append(opt.param_groups[0]["lr"]))
    state = optimizer.state_dict()
    state["param_groups"][0]["lr"] = 0.5
    optimizer.load_state_dict(state)
    assert seen == ["before saving", "kept", 0.5]


@each_case
@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("set_to_none", [False, True])
def test_zero_grad_leaves_zeros_or_nothing(name, options, foreach, set_to_none):
    params, reference = parameters(), parameters()
    optimizer = ours(name, params, **options, foreach=foreach)
    other = theirs(name, reference, **options, foreach=False)
    train(optimizer, params, 0, 2)
    train(other, reference, 0, 2)
    for each in (optimizer, other):
        each.zero_grad(set_to_none=set_to_none)
    if set_to_none:
        assert all(p.grad is None for p in params)
        before = twin(params)
        optimizer.step()
        assert_equal(params, before)
    else:  # momentum and decay go on
        assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in params)
        optimizer.step()
        other.step()
        assert_equal(params, reference)


@each_case
@pytest.mark.parametrize("foreach", [False, True])
def test_a_gradient_may_be_expanded(name, options, foreach):
    p, q = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    first, second = ours(name, [p], **options, foreach=foreach), ours(name, [q], **options, foreach=foreach)
    for _ in range(3):
        p.grad, q.grad = torch.tensor(0.5).expand(3), torch.full((3,), 0.5)
        assert p.grad.stride() == (0,)
        first.step()
        second.step()
    assert torch.equal(p, q)


@each_case
@pytest.mark.parametrize("foreach", [False, True])
def test_an_expanded_parameter_is_refused(name, options, foreach):
    p = torch.ones(1).expand(3)
    optimizer = ours(name, [p], **options, foreach=foreach)
    p.grad = torch.ones(3)
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor") as caught:
        optimizer.step()
    assert torch.equal(p, torch.ones(3))
    assert "may have changed" in caught.value.__notes__[0]


@each_case
@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("maximize", [False, True])
def test_gradients_come_out_as_they_went_in(name, options, foreach, maximize):
    # torch.optim.SGD(nesterov=True, foreach=True) adds the momentum to p.grad itself.
    params = parameters()
    optimizer = ours(name, params, **options, foreach=foreach, maximize=maximize)
    for t in range(3):
        optimizer.zero_grad()
        loss_of(params, t).backward()
        before = [(p.grad, p.grad.clone()) for p in params]
        optimizer.step()
        for p, (gradient, value) in zip(params, before, strict=True):
            assert p.grad is gradient
            assert torch.equal(gradient, value)


@each_case
def test_parameters_without_gradient_are_left_alone(name, options):
    params = parameters()
    frozen = params[1].detach().clone()
    optimizer = ours(name, params, **options)
    params[0].grad = torch.ones_like(params[0])
    optimizer.step()
    assert torch.equal(params[1], frozen)
    assert params[1] not in optimizer.state


@each_case
def test_lr_zero_and_no_gradient_create_state_and_move_nothing(name, options):
    # torch.distributed.checkpoint creates the state in this way before it loads.
    params = parameters()
    before = twin(params)
    optimizer = ours(name, params, **options)
    optimizer.param_groups[0]["lr"] = 0.0
    for p in params:
        p.grad = torch.zeros_like(p)
    optimizer.step()
    assert_equal(params, before)
    reference = theirs(name, before, **options)
    reference.param_groups[0]["lr"] = 0.0
    for p in before:
        p.grad = torch.zeros_like(p)
    reference.step()
    kept, expected = optimizer.state_dict()["state"], reference.state_dict()["state"]
    assert {i: set(state) for i, state in kept.items()} == {i: set(state) for i, state in expected.items()}


@each_case
def test_tensor_lr_is_the_number_it_holds(name, options):
    params, reference = parameters(), parameters()
    optimizer = ours(
        name, params, **{**options, "lr": torch.tensor([0.0625])}
    )  # one element, exact in binary
    train(optimizer, params, 0, 3)
    train(ours(name, reference, **{**options, "lr": 0.0625}), reference, 0, 3)
    assert_equal(params, reference)
    if "ScheduleFree" in name:  # which goes on averaging
        return
    optimizer.param_groups[0]["lr"].fill_(0.0)
    kept = twin(params)
    train(optimizer, params, 3, 4)
    assert_equal(params, kept)


def test_tensor_betas_are_the_numbers_they_hold():
    params, reference = parameters(), parameters()
    betas = (torch.tensor(0.9), torch.tensor(0.99))
    train(ours("Adam", params, betas=betas), params, 0, 3)
    train(ours("Adam", reference, betas=tuple(beta.item() for beta in betas)), reference, 0, 3)
    assert_equal(params, reference)


@pytest.mark.parametrize(
    ("name", "options"),
    [case for case in CASES if case[0] not in ("AdamW", "Adafactor")] + [("AdamW", {"betas": (0.5, 0.5)})],
    ids=str,
)
def test_differentiable_steps_have_the_gradient_of_the_learning_rate(name, options):
    start = torch.tensor([1.0, -2.0], dtype=torch.float64)

    def end_loss(lr):
        p = start.clone().requires_grad_().clone()
        optimizer = ours(name, [p], **{**options, "lr": lr, "differentiable": True})
        for _ in range(4):
            loss = (p.clone() ** 4).sum() / 10
            (p.grad,) = torch.autograd.grad(loss, p, create_graph=True)
            optimizer.step()
        return (p.clone() ** 2).sum()

    # Central differences at 1e-6 against autograd, to gradcheck's defaults (atol 1e-5, rtol 1e-3).
    lr = torch.tensor(0.05, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(end_loss, (lr,))
    assert abs(torch.autograd.grad(end_loss(lr), lr)[0].item()) > 1e-3
    # The same numbers as the ordinary step.
    plain = start.clone()
    optimizer = ours(name, [plain], **{**options, "lr": 0.05})
    for _ in range(4):
        plain.grad = 4 * plain**3 / 10
        optimizer.step()
    # There t is a float32 tensor, and so is 1 - beta2^t, whose rounding is 6e-8 of 1, or 6e-5 of 1 - 0.999.
    torch.testing.assert_close(end_loss(lr), (plain**2).sum(), rtol=6e-5, atol=0)


NUMBERS = [
    *(("Adadelta", {"eps": 0.1}, key) for key in ("lr", "rho", "eps", "weight_decay")),
    *(("Adamax", {}, key) for key in ("lr", "betas", "weight_decay")),
    *(("NAdam", {}, key) for key in ("lr", "betas", "eps", "weight_decay", "momentum_decay")),
    *(("RAdam", {}, key) for key in ("lr", "weight_decay")),  # no eps in the first steps
    *(("Lion", {}, key) for key in ("lr", "weight_decay")),
    *(("AdaBound", {"gamma": 0.5}, key) for key in ("lr", "betas", "final_lr", "weight_decay")),
    *(("Adan", {}, key) for key in ("lr", "eps", "weight_decay")),
    *(("LAMB", {}, key) for key in ("lr", "betas", "eps", "weight_decay")),
    *(("ScheduleFreeAdamW", {}, key) for key in ("lr", "betas", "eps", "weight_decay")),
    *(("ScheduleFreeSGD", {}, key) for key in ("lr", "momentum", "weight_decay")),
    *((name, {}, key) for name in ("SophiaG", "SophiaH") for key in ("lr", "weight_decay")),
    *(("SGD", {"momentum": 0.9}, key) for key in ("lr", "momentum", "dampening", "weight_decay")),
    *(("SGD", {"momentum": 0.9, "nesterov": True}, key) for key in ("lr", "momentum", "weight_decay")),
    *(
        ("Adagrad", {"lr_decay": 0.1}, key)
        for key in ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")
    ),
    *(
        ("RMSprop", {"momentum": 0.9, "centered": True}, key)
        for key in ("lr", "alpha", "eps", "weight_decay", "momentum")
    ),
    ("RMSprop", {}, "alpha"),
    *(
        (name, {}, key)
        for name in ("Adam", "AMSGrad", "AdamW")
        for key in ("lr", "betas", "eps", "weight_decay")
    ),
]
VALUES = {"lr": 0.05, "betas": 0.9, "alpha": 0.9, "momentum": 0.9, "rho": 0.9}


def end_loss(name, options, key, value, starts_from=(1.0, -2.0)):
    """The loss after four differentiable steps, as a function of one number; both betas for "betas"."""
    # The number's zero makes one parameter for each number where vmap has many.
    p = torch.tensor(starts_from, dtype=torch.float64) + 0 * value
    number = (value, 1 - (1 - value) / 10) if key == "betas" else value
    optimizer = ours(name, [p], **{"lr": 0.05, **options, key: number, "differentiable": True})
    for _ in range(4):
        p.grad = 0.4 * p.clone() ** 3
        optimizer.step()
    return p.square().sum()


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize(("name", "options", "key"), NUMBERS, ids=str)
def test_every_number_has_a_derivative_and_may_be_one_of_many(name, options, key):
    def f(x):
        return end_loss(name, options, key, x)

    # Central differences at 1e-6 against autograd, to gradcheck's defaults (atol 1e-5, rtol 1e-3).
    x = torch.tensor(VALUES.get(key, 0.01), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(f, (x,))
    derivative = torch.autograd.grad(f(x), x)[0]
    assert abs(derivative) > 1e-3
    # The same operations in another order: some 10 roundings in each of 4 steps, amplified less than 1,000 times.
    close = {"rtol": 4e4 * torch.finfo(torch.float64).eps, "atol": 0}
    x = x.detach()
    torch.testing.assert_close(torch.func.grad(f)(x), derivative, **close)
    many = torch.stack([x, 0.9 * x])
    torch.testing.assert_close(torch.func.vmap(f)(many), torch.stack([f(each) for each in many]), **close)
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(f))(many)[0], derivative, **close)


def test_a_learning_rate_learns_through_a_step():
    """Meta-learning in torch.func's words: gradient descent on the learning rate of an inner training run."""
    lr = torch.tensor(0.01, dtype=torch.float64)
    losses = []
    for _ in range(20):
        slope, loss = torch.func.grad_and_value(lambda x: end_loss("Adam", {}, "lr", x))(lr)
        lr = lr - 1e-3 * slope
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] / 2


@each_case
def test_grad_scaler_unscales_and_skips_overflow(name, options):
    results = []
    for factory in (ours, theirs):
        params = parameters()
        optimizer = factory(name, params, **options)
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
        for t in range(4):
            optimizer.zero_grad()
            scaler.scale(loss_of(params, t)).backward()
            if t == 1:
                params[0].grad.fill_(float("inf"))
            before = twin(params)
            scaler.step(optimizer)
            scaler.update()
            assert torch.equal(params[1], before[1]) == (t == 1)
        results.append(params)
    assert_equal(*results)


@pytest.mark.parametrize("foreach", [None, True])
@pytest.mark.parametrize("name", ["SGD", "AMSGrad", "RAdam", "ScheduleFreeAdamW"])
def test_compiled_steps_agree(name, foreach):
    options = {"momentum": 0.9} if name == "SGD" else {"weight_decay": 0.1}
    params, reference = parameters(), parameters()
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    optimizer = ours(name, params, foreach=foreach, **options)
    eager = ours(name, reference, **options)
    step = torch.compile(optimizer.step, backend="aot_eager")
    for t in range(4):
        for group, run in ((params, step), (reference, eager.step)):
            for p in group:
                p.grad = None
            loss_of(group, t).backward()
            run()
    # One graph for the first step, which creates the state, and one for all others.
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 2
    # Compiled, bias corrections are computed in float32: a few roundings of each step's change.
    for p, q in zip(params, reference, strict=True):
        torch.testing.assert_close(p, q, rtol=4 * 8 * torch.finfo(p.dtype).eps, atol=0)


@pytest.mark.parametrize(
    ("name", "options", "foreach"),
    [
        *((name, options, False) for name, options in (CASES[2], CASES[3], CASES[5], CASES[7], CASES[9])),
        *(
            (name, options, True) for name, options in (CASES[2], CASES[3], CASES[5])
        ),  # Adam's lists need a number
    ],
    ids=str,
)
def test_a_compiled_step_is_compiled_once_for_all_learning_rates(name, options, foreach):
    params, reference = parameters(), parameters()
    torch._dynamo.reset()
    optimizer = ours(name, params, **{**options, "lr": torch.tensor(0.0625)}, foreach=foreach)
    eager = ours(name, reference, **{**options, "lr": 0.0625}, foreach=foreach)
    schedulers = [lr_scheduler.StepLR(each, step_size=1, gamma=0.5) for each in (optimizer, eager)]
    compiled = torch.compile(optimizer.step, backend="eager")
    start, way = twin(params), [torch.zeros_like(p) for p in params]
    for t in range(5):
        before = twin(reference)
        # The first step creates the state, the second is any other.
        with torch._dynamo.config.patch(error_on_recompile=t >= 2):
            for group, step in ((params, compiled), (reference, eager.step)):
                for p in group:
                    p.grad = None
                loss_of(group, t).backward()
                step()
        for scheduler in schedulers:
            scheduler.step()
        way = [w + (p - q).abs() for w, p, q in zip(way, reference, before, strict=True)]
    assert optimizer.param_groups[0]["lr"] == eager.param_groups[0]["lr"] == 0.0625 / 32
    # Compiled, 1 - beta2^t is computed in float32, whose rounding is 6e-8 of 1, or 6e-5 of 1 - 0.999; so far is a
    # step off, for its length. Besides, a few roundings of the parameter.
    for p, q, w, p0 in zip(params, reference, way, start, strict=True):
        assert ((p - q).abs() <= 6e-5 * w + 5 * 8 * torch.finfo(p.dtype).eps * p0.abs()).all()
