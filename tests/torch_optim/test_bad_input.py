"""What the torch optimizers refuse: naming parameter, value and range, and changing nothing."""

import copy
import inspect

import pytest
import torch
from adambook import numpy_optim, torch_optim

TORCHS = ["SGD", "Adagrad", "RMSprop", "Adam", "AMSGrad", "AdamW", "Adadelta", "Adamax", "NAdam", "RAdam", "Adafactor"]
OURS = {  # not in torch.optim, with what their groups begin with besides the paths of `step`
    "Lion": {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0},
    "AdaBound": {
        "lr": 1e-3, "betas": (0.9, 0.999), "final_lr": 0.1, "gamma": 1e-3, "eps": 1e-8, "weight_decay": 0
    },
    "Adan": {"lr": 1e-3, "betas": (0.98, 0.92, 0.99), "eps": 1e-8, "weight_decay": 0},
    "LAMB": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-6, "weight_decay": 0},
    "ScheduleFreeAdamW": {"lr": 2.5e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0},
    "ScheduleFreeSGD": {"lr": 1.0, "momentum": 0.9, "weight_decay": 0},
    "SophiaG": {"lr": 1e-4, "betas": (0.965, 0.99), "rho": 0.04, "weight_decay": 0.1},
    "SophiaH": {"lr": 1e-4, "betas": (0.965, 0.99), "rho": 0.01, "weight_decay": 0.1},
}  # fmt: skip
NAMES = [*TORCHS, *OURS]
WITHOUT_KERNEL = ("Adafactor", "LAMB")
WITHOUT_FUSED = ("RMSprop", "Adadelta", "Adamax", "NAdam", "RAdam")  # in torch.optim
NUMBERS = {
    "SGD": ["lr", "momentum", "weight_decay"],
    "Adagrad": ["lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"],
    "RMSprop": ["lr", "alpha", "eps", "weight_decay", "momentum"],
    "Adadelta": ["lr", "rho", "eps", "weight_decay"],
    "Adafactor": ["lr", "weight_decay"],
    "NAdam": ["lr", "eps", "weight_decay", "momentum_decay"],
    **{name: ["lr", "eps", "weight_decay"] for name in ("Adam", "AMSGrad", "AdamW", "Adamax", "RAdam")},
    **{name: [key for key in defaults if key != "betas"] for name, defaults in OURS.items()},
}


def make(name, params=None, **options):
    return getattr(torch_optim, name)([torch.ones(2)] if params is None else params, **options)


def test_defaults_and_order_are_torchs():
    for name in TORCHS:
        ours = inspect.signature(getattr(torch_optim, name)).parameters
        reference = inspect.signature(getattr(torch.optim, "Adam" if name == "AMSGrad" else name)).parameters
        expected = [(p.name, p.default, p.kind) for p in reference.values()]
        if name == "AMSGrad":
            expected = [row for row in expected if row[0] not in ("amsgrad", "decoupled_weight_decay")]
        if name in WITHOUT_FUSED:
            expected.append(("fused", None, inspect.Parameter.KEYWORD_ONLY))
        assert [(p.name, p.default, p.kind) for p in ours.values()] == expected


def test_defaults_where_torch_has_none():
    paths = dict.fromkeys(("maximize", "capturable", "differentiable"), False)
    for name, defaults in OURS.items():
        ours = inspect.signature(getattr(torch_optim, name)).parameters
        expected = {**defaults, **paths, "foreach": None}
        if name not in WITHOUT_KERNEL:
            expected["fused"] = None
        assert {p.name: p.default for p in ours.values() if p.name != "params"} == expected
        assert list(ours)[: len(defaults) + 1] == ["params", *defaults]
        reference = getattr(numpy_optim, name)()
        for key, value in defaults.items():
            assert getattr(reference, key) == value


@pytest.mark.parametrize(("name", "key"), [(name, key) for name in NAMES for key in NUMBERS[name]])
def test_numbers_out_of_range_are_named_with_their_range(name, key):
    for value in (-0.5, float("nan"), float("inf"), torch.tensor(-0.5)):
        with pytest.raises(ValueError, match=rf"^{key} = .* is out of range; allowed: 0 <= {key}"):
            make(name, **{key: value})
    for value in ("0.1", None, True, [0.1]):
        with pytest.raises(TypeError, match=rf"^{key} "):
            make(name, **{key: value})
    with pytest.raises(
        ValueError, match=rf"^{key} is a tensor of shape \(2,\); allowed: a number, or one element"
    ):
        make(name, **{key: torch.ones(2)})


@pytest.mark.parametrize("name", ["Adam", "AMSGrad", "AdamW", "Lion", "NAdam"])
@pytest.mark.parametrize(
    ("betas", "error", "message"),
    [
        ((1.0, 0.9), ValueError, r"betas\[0\] = 1.0 is out of range; allowed: 0 <= betas\[0\] < 1"),
        ((0.9, -0.1), ValueError, r"betas\[1\] = -0.1 is out of range"),
        ((0.9, 1.5), ValueError, r"betas\[1\] = 1.5 is out of range"),
        ((torch.tensor(0.9), 0.9), ValueError, "number and a tensor"),
        (0.9, TypeError, "betas = 0.9 is not a pair"),
        ((0.9, 0.9, 0.9), TypeError, "is not a pair"),
        (("0.9", 0.9), TypeError, r"betas\[0\] = '0.9' is not a number"),
    ],
    ids=str,
)
def test_bad_betas(name, betas, error, message):
    with pytest.raises(error, match=message):
        make(name, betas=betas)


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("SGD", {"nesterov": True}, ValueError, "momentum = 0, .*allowed: 0 < momentum, dampening = 0"),
        ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, ValueError, "dampening = 0.1"),
        ("SGD", {"dampening": float("nan")}, ValueError, "dampening = nan .*any finite number"),
        ("RMSprop", {"alpha": 1.0}, ValueError, "alpha = 1.0 is out of range; allowed: 0 <= alpha < 1"),
        ("RMSprop", {"centered": 1}, TypeError, "centered = 1 is not a bool"),
        ("Adadelta", {"rho": 1.5}, ValueError, "rho = 1.5 is out of range; allowed: 0 <= rho <= 1"),
        ("AdaBound", {"gamma": 0}, ValueError, "gamma = 0; allowed: 0 < gamma < 1"),
        ("AdaBound", {"lr": 0.0}, ValueError, "lr = 0 to begin with; allowed: 0 < lr.*warm up with a scheduler"),
        ("Adan", {"betas": (0.9, 0.9)}, TypeError, r"is not a triple .*allowed: \(beta1, beta2, beta3\)"),
        ("Adafactor", {"eps": 1e-3}, TypeError, r"eps = 0.001 is not a pair; allowed: \(eps1, eps2\)"),
        ("Adafactor", {"eps": (None, None)}, TypeError, r"eps\[1\] = None is not a number"),
        ("Adafactor", {"eps": (-1.0, 1.0)}, ValueError, r"eps\[0\] = -1.0 is out of range; allowed: 0 <= "),
        ("Adafactor", {"beta2_decay": 0.5}, ValueError, "beta2_decay = 0.5 is out of range"),
        ("Adafactor", {"d": 0.5}, ValueError, "d = 0.5 is out of range; allowed: 1 <= d"),
        ("ScheduleFreeSGD", {"momentum": 0.0}, ValueError, "momentum = 0; allowed: 0 < momentum"),
        ("ScheduleFreeAdamW", {"betas": (0.0, 0.9)}, ValueError, r"betas\[0\] = 0; allowed: 0 < betas\[0\]"),
        ("Adam", {"amsgrad": "yes"}, TypeError, "amsgrad = 'yes' is not a bool; allowed: True, False"),
        (
            "Adam",
            {"lr": torch.tensor(0.1), "foreach": True},
            ValueError,
            "lr is a tensor with foreach = True",
        ),
        (
            "Adam",
            {"betas": (torch.tensor(0.9), torch.tensor(0.9)), "foreach": True},
            ValueError,
            "betas is a tensor with foreach = True",
        ),
    ],
    ids=str,
)
def test_bad_options(name, options, error, message):
    with pytest.raises(error, match=message):
        make(name, **options)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT_KERNEL])
@pytest.mark.parametrize(
    ("one", "other"), [("foreach", "differentiable"), ("fused", "foreach"), ("fused", "differentiable")]
)
def test_paths_exclude_each_other(name, one, other):
    with pytest.raises(ValueError, match=f"{one} = True with {other} = True.*allowed: one of the two"):
        make(name, **{one: True, other: True})


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_group_is_refused_and_leaves_the_others(name):
    optimizer = make(name)
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match="lr = -1 is out of range; allowed: 0 <= lr"):
        optimizer.add_param_group({"params": [torch.ones(3)], "lr": -1})
    with pytest.raises(TypeError, match="dict"):
        optimizer.add_param_group([torch.ones(3)])
    assert optimizer.state_dict() == before
    with pytest.raises(ValueError, match="lr = -1"):
        make(name, [{"params": [torch.ones(3)], "lr": -1}])
    with pytest.raises(ValueError, match="lr = -2"):  # a bad default, though no group falls back on it
        make(name, [{"params": [torch.ones(3)], "lr": 0.1}], lr=-2)


def snapshot(optimizer, params):
    return [p.detach().clone() for p in params], copy.deepcopy(optimizer.state_dict())


def assert_unchanged(optimizer, params, before):
    assert all(torch.equal(p, q) for p, q in zip(params, before[0], strict=True))
    state = optimizer.state_dict()
    assert state["param_groups"] == before[1]["param_groups"]
    assert state["state"].keys() == before[1]["state"].keys()
    for i, kept in state["state"].items():
        assert kept.keys() == before[1]["state"][i].keys()
        assert all(torch.equal(value, before[1]["state"][i][key]) for key, value in kept.items())


def two_groups(name, steps, **options):
    """An optimizer after some steps, and its parameters in two groups."""
    params = [torch.ones(3), torch.ones(2, 2), torch.ones(4)]
    optimizer = make(name, [{"params": params[:1]}, {"params": params[1:]}], **options)
    for _ in range(steps):
        for p in params:
            p.grad = torch.full_like(p, 0.5)
        optimizer.step()
    for p in params:
        p.grad = torch.full_like(p, 0.25)
    return optimizer, params


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize("name", NAMES)
def test_a_sparse_gradient_that_does_not_fit_changes_nothing(name, steps, foreach):
    options = {"weight_decay": 0.1} if name in ("SGD", "Adagrad") else {}
    optimizer, params = two_groups(name, steps, foreach=foreach, **options)
    params[1].grad = torch.ones(2, 2).to_sparse()
    before = snapshot(optimizer, params)
    message = (
        "weight_decay = 0.1 with a sparse gradient; allowed: 0"
        if options
        else "gradients of layout torch.sparse_coo"
    )
    with pytest.raises(RuntimeError, match=message):
        optimizer.step()
    assert_unchanged(optimizer, params, before)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_adagrad_refuses_complex_sparse_gradients():
    p = torch.ones(3, dtype=torch.complex64)
    p.grad = torch.ones(3, dtype=torch.complex64).to_sparse()
    with pytest.raises(RuntimeError, match="complex parameter with a sparse gradient"):
        make("Adagrad", [p]).step()


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_model_cast_under_the_optimizer_is_refused(name, foreach):
    options = {"momentum": 0.9} if name == "SGD" else {}
    optimizer, params = two_groups(name, 2, foreach=foreach, **options)
    params[1].grad = None
    params[1].data = params[1].data.double()
    params[1].grad = torch.ones(2, 2, dtype=torch.float64)
    before = snapshot(optimizer, params)
    with pytest.raises(RuntimeError, match=r"load the state_dict again"):
        optimizer.step()
    assert_unchanged(optimizer, params, before)


def test_a_gradient_of_another_dtype_is_refused():
    p = torch.ones(2, dtype=torch.bfloat16)
    if not hasattr(p, "grad_dtype"):
        pytest.skip("this torch keeps every gradient in its parameter's dtype")
    p.requires_grad_()
    p.grad_dtype = torch.float32
    p.grad = torch.ones(2)
    before = p.detach().clone()
    with pytest.raises(
        RuntimeError, match=r"a gradient is torch.float32, its parameter torch.bfloat16; allowed: the same"
    ):
        make("Adam", [p]).step()
    assert torch.equal(p, before)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("SGD", "Adagrad", "Adafactor")])
@pytest.mark.parametrize("foreach", [False, True])
def test_capturable_needs_an_accelerator(name, foreach):
    optimizer, params = two_groups(name, 0, capturable=True, foreach=foreach)
    before = snapshot(optimizer, params)
    with pytest.raises(RuntimeError, match="capturable = True, a parameter on cpu; allowed: cuda"):
        optimizer.step()
    assert_unchanged(optimizer, params, before)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "Adafactor"])
def test_differentiable_refuses_a_leaf_before_it_changes_anything(name):
    p = torch.ones(2, requires_grad=True)
    p.grad = torch.ones(2)
    optimizer = make(name, [p], differentiable=True)
    before = snapshot(optimizer, [p])
    with pytest.raises(RuntimeError, match="leaf and requires grad"):
        optimizer.step()
    assert_unchanged(optimizer, [p], before)


@pytest.mark.parametrize("name", ["Adafactor", "SophiaH"])
def test_complex_parameters_are_refused_where_they_mean_nothing(name):
    with pytest.raises(ValueError, match=rf"{name}: a complex parameter of shape \(2,\); allowed: real ones"):
        make(name, [torch.ones(2, dtype=torch.complex64)])
    optimizer = make(name)
    with pytest.raises(ValueError, match="a complex parameter"):
        optimizer.add_param_group({"params": [torch.ones(2, dtype=torch.complex64)]})
    assert len(optimizer.param_groups) == 1


def test_a_failing_closure_changes_nothing():
    optimizer, params = two_groups("Adam", 1)
    before = snapshot(optimizer, params)

    def closure():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        optimizer.step(closure)
    assert_unchanged(optimizer, params, before)


def test_a_step_that_fails_half_way_says_so(monkeypatch):
    optimizer, params = two_groups("Adam", 1)
    update = torch_optim.Adam.update

    def out_of_memory(self, theta, *rest):
        if theta.shape == (2, 2):
            raise MemoryError
        update(self, theta, *rest)

    monkeypatch.setattr(torch_optim.Adam, "update", out_of_memory)
    start = params[0].clone()
    with pytest.raises(MemoryError) as caught:
        optimizer.step()
    assert caught.value.__notes__ == ["Adam.step was under way; parameters or state may have changed"]
    assert not torch.equal(params[0], start)


def test_a_first_step_that_finds_no_memory_for_its_state_says_so(monkeypatch):
    optimizer, params = two_groups("Adam", 0)
    initial = torch_optim.Adam.initial

    def out_of_memory(self, name, p, group):
        if p.shape == (2, 2):
            raise MemoryError
        return initial(self, name, p, group)

    monkeypatch.setattr(torch_optim.Adam, "initial", out_of_memory)
    with pytest.raises(MemoryError) as caught:
        optimizer.step()
    assert caught.value.__notes__ == ["Adam.step was under way; parameters or state may have changed"]
    assert all(torch.equal(p, torch.ones_like(p)) for p in params)


def trained(name, shape=(3,), **options):
    p = torch.ones(shape)
    optimizer = getattr(torch_optim if hasattr(torch_optim, name) else torch.optim, name)([p], **options)
    p.grad = torch.ones(shape)
    optimizer.step()
    return optimizer


@pytest.mark.parametrize(
    ("name", "foreign", "message"),
    [
        ("Adam", trained("SGD", lr=0.1, momentum=0.9), "Adam needs 'betas'.*state_dict of another optimizer"),
        ("SGD", trained("Adam"), "SGD needs 'momentum'"),
        ("RMSprop", trained("Adam"), "RMSprop needs 'alpha'"),
        (
            "Adam",
            trained("NAdam"),
            r"holds \['exp_avg', 'exp_avg_sq', 'mu_product', 'step'\], but Adam keeps",
        ),
        ("Adam", trained("Adamax"), "holds .*'exp_inf'.*but Adam keeps"),
        ("AdamW", trained("Adam", (4,)), r"'exp_avg' of parameter 0 has shape \(4,\), the parameter \(3,\)"),
        ("Adagrad", trained("RMSprop"), "Adagrad needs 'lr_decay'"),
        ("Adam", torch.optim.Adam([torch.ones(3), torch.ones(3)]), "doesn't match the size"),
        (
            "Adam",
            torch.optim.Adam([{"params": [torch.ones(3)]}, {"params": [torch.ones(3)]}]),
            "number of parameter groups",
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else None,
)
def test_a_state_dict_of_something_else_is_refused(name, foreign, message):
    optimizer = trained(name)
    params = optimizer.param_groups[0]["params"]
    before = snapshot(optimizer, params)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(foreign.state_dict())
    assert_unchanged(optimizer, params, before)


def test_bad_numbers_in_a_state_dict_are_refused():
    optimizer = trained("Adam")
    before = snapshot(optimizer, optimizer.param_groups[0]["params"])
    loaded = copy.deepcopy(optimizer.state_dict())
    loaded["param_groups"][0]["lr"] = -1.0
    with pytest.raises(ValueError, match=r"lr = -1\.0 is out of range"):
        optimizer.load_state_dict(loaded)
    loaded["param_groups"][0].update(lr=0.1, fused=True, foreach=True)
    with pytest.raises(ValueError, match="fused = True with foreach = True"):
        optimizer.load_state_dict(loaded)
    assert_unchanged(optimizer, optimizer.param_groups[0]["params"], before)


def test_torchs_own_checks_still_stand():
    with pytest.raises(ValueError, match="empty parameter list"):
        make("Adam", [])
    with pytest.raises(TypeError, match="iterable of Tensors"):
        make("Adam", torch.ones(2))
    with pytest.raises(TypeError, match="can only optimize Tensors"):
        make("Adam", [1.0])
    with pytest.raises(ValueError, match="non-leaf"):
        make("Adam", [torch.ones(2, requires_grad=True) * 2])
    p = torch.ones(2)
    with pytest.raises(ValueError, match="more than one parameter group"):
        make("Adam", [{"params": [p]}, {"params": [p]}])
