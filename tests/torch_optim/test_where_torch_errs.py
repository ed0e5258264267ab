"""Where torch.optim 2.13 is wrong and ours is right: both are shown, so that we hear when a later torch mends it."""

import warnings

import pytest
import torch
from adambook import torch_optim


def torch_errs(errs, what):
    """Hold that the torch we examined errs; a later one that does not gives a warning, never a failure."""
    if not errs:
        assert not torch.__version__.startswith("2.13."), f"torch {torch.__version__} was said to err: {what}"
        warnings.warn(
            f"torch {torch.__version__} has mended this, ours need not depart: {what}", stacklevel=2
        )


def theirs(name):
    return torch.optim.Adam if name == "AMSGrad" else getattr(torch.optim, name)


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("name", ["Adagrad", "RMSprop", "Adam", "AMSGrad", "AdamW"])
def test_half_precision_survives_small_gradients(name, foreach):
    """In float16 the usual eps is 0, and so is the square of a gradient below 2e-4."""
    options = {"foreach": foreach, **({"eps": 1e-8} if name == "Adagrad" else {})}
    gradient = torch.tensor([0.0, 1e-6, 1e-3, 1.0, 300.0], dtype=torch.float16)

    def steps(make, dtype, count):
        p = torch.ones_like(gradient, dtype=dtype)
        optimizer = make([p], **options)
        for _ in range(count):
            p.grad = gradient.to(dtype)
            optimizer.step()
        return p

    reference = steps(theirs(name), torch.float16, 1)
    torch_errs(not reference.isfinite().all(), f"{name} in float16 gives {reference}")
    # Computed in float32 from state that is still zero, and rounded once.
    make = getattr(torch_optim, name)
    assert torch.equal(steps(make, torch.float16, 1), steps(make, torch.float32, 1).half())
    later = steps(make, torch.float16, 20)
    assert later.isfinite().all()
    assert later[0] == 1.0  # AdamW's decay of 1e-5 a step is below the spacing of float16
    assert (later[1:] < 1).all()


def end_loss(make, options, key, value):
    p = torch.tensor([1.0, -2.0], dtype=torch.float64).requires_grad_().clone()
    optimizer = make([p], **{"lr": 0.05, **options, key: value, "differentiable": True})
    for _ in range(3):
        p.grad = 0.4 * p.clone() ** 3
        optimizer.step()
    return p.square().sum()


@pytest.mark.parametrize(
    ("name", "options", "key"),
    [
        ("SGD", {"momentum": 0.9}, "lr"),  # raises: the buffer it needs has changed
        ("SGD", {"momentum": 0.9}, "weight_decay"),  # cuts the first buffer off: a wrong number
        ("SGD", {"momentum": 0.9, "nesterov": True}, "momentum"),
        ("Adagrad", {}, "lr"),
        ("Adagrad", {}, "weight_decay"),
        ("RMSprop", {}, "lr"),
        ("RMSprop", {"momentum": 0.9, "centered": True}, "momentum"),
        ("RMSprop", {}, "alpha"),
        ("AMSGrad", {}, "lr"),  # raises at the second step
        ("Adamax", {}, "lr"),  # raises at the second step
        ("Adadelta", {}, "weight_decay"),
    ],
    ids=str,
)
def test_differentiable_steps_have_the_derivative(name, options, key):
    value = {"lr": 0.05, "weight_decay": 0.01}.get(key, 0.9)

    def derivative(make, options):
        x = torch.tensor(value, dtype=torch.float64, requires_grad=True)
        return torch.autograd.grad(end_loss(make, options, key, x), x)[0].item()

    make, h = getattr(torch_optim, name), 1e-6
    ends = [end_loss(make, options, key, torch.tensor(value + d, dtype=torch.float64)) for d in (h, -h)]
    # Central differences err by h^2 and by a rounding (1e-16) over h: 1e-9 of numbers of order 1 to 100.
    expected = (ends[0] - ends[1]).item() / (2 * h)
    assert derivative(make, options) == pytest.approx(expected, rel=1e-6, abs=1e-8)
    try:
        reference = derivative(theirs(name), {**options, **({"amsgrad": True} if name == "AMSGrad" else {})})
    except (RuntimeError, TypeError):
        reference = float("nan")
    torch_errs(reference != pytest.approx(expected, rel=1e-4), f"derivative of {name} by {key}")


def test_nesterov_in_lists_leaves_the_gradient():
    left = {}
    for make in (torch_optim.SGD, torch.optim.SGD):
        p = torch.ones(2)
        p.grad = torch.ones(2)
        make([p], momentum=0.9, nesterov=True, foreach=True).step()
        left[make] = p.grad
    assert torch.equal(left[torch_optim.SGD], torch.ones(2))
    torch_errs(
        not torch.equal(left[torch.optim.SGD], torch.ones(2)), "SGD(nesterov, foreach) writes into p.grad"
    )


def test_a_group_of_adagrad_has_its_own_start():
    started = {}
    for make in (torch_optim.Adagrad, torch.optim.Adagrad):
        p = torch.ones(2)
        p.grad = torch.zeros(2)
        optimizer = make([{"params": [p], "initial_accumulator_value": 4.0}])
        optimizer.step()
        started[make] = optimizer.state[p]["sum"][0].item()
    assert started[torch_optim.Adagrad] == 4.0
    torch_errs(started[torch.optim.Adagrad] != 4.0, "Adagrad ignores a group's initial_accumulator_value")


def test_a_refused_gradient_in_one_group_leaves_the_other():
    after = {}
    for make in (torch_optim.Adam, torch.optim.Adam):
        p, q = torch.ones(2), torch.ones(2)
        optimizer = make([{"params": [p]}, {"params": [q]}])
        p.grad, q.grad = torch.ones(2), torch.ones(2).to_sparse()
        with pytest.raises(RuntimeError, match="sparse"):
            optimizer.step()
        after[make] = p
    assert torch.equal(after[torch_optim.Adam], torch.ones(2))
    torch_errs(
        not torch.equal(after[torch.optim.Adam], torch.ones(2)), "a step that is refused has moved a group"
    )


def test_the_state_of_another_shape_is_refused():
    def trained(make, size):
        p = torch.ones(size)
        p.grad = torch.ones(size)
        optimizer = make([p])
        optimizer.step()
        return optimizer

    state = trained(torch.optim.Adam, 3).state_dict()
    with pytest.raises(ValueError, match=r"shape \(3,\), the parameter \(4,\)"):
        trained(torch_optim.Adam, 4).load_state_dict(state)
    try:
        trained(torch.optim.Adam, 4).load_state_dict(state)
    except (ValueError, RuntimeError):
        torch_errs(False, "load_state_dict takes the state of another shape")


def test_a_checkpoint_of_nadam_keeps_its_product():
    """torch rounds it to the parameter's dtype, bfloat16: three digits are left of it."""
    products = {}
    for make in (torch_optim.NAdam, torch.optim.NAdam):
        p = torch.ones(2, dtype=torch.bfloat16)
        p.grad = torch.ones_like(p)
        optimizer, other = make([p]), make([p])
        for _ in range(3):
            optimizer.step()
        other.load_state_dict(optimizer.state_dict())
        products[make] = optimizer.state[p]["mu_product"], other.state[p]["mu_product"]
    before, after = products[torch_optim.NAdam]
    assert before.dtype == after.dtype == torch.float32 and before == after
    before, after = products[torch.optim.NAdam]
    torch_errs(before != after, "NAdam's mu_product loses digits where a checkpoint is loaded")


def test_adafactors_eps_is_each_dtypes_own():
    """torch takes what None means for the first parameter's dtype for all others, too."""
    moved = {}
    for make in (torch_optim.Adafactor, torch.optim.Adafactor):
        for dtypes in ((torch.float32,), (torch.bfloat16, torch.float32)):
            params = [torch.ones(3, dtype=dtype) for dtype in dtypes]
            for p in params:
                p.grad = torch.tensor([1e-4, 1e-3, 1e-2]).to(p.dtype)
            make(params).step()
            moved[make, len(dtypes)] = params[-1]
    assert torch.equal(moved[torch_optim.Adafactor, 1], moved[torch_optim.Adafactor, 2])
    reference = [moved[torch.optim.Adafactor, i] for i in (1, 2)]
    assert torch.equal(moved[torch_optim.Adafactor, 1], reference[0])
    torch_errs(not torch.equal(*reference), "Adafactor's eps of one parameter's dtype is the others', too")


def test_adafactor_takes_a_parameter_without_elements():
    p = torch.ones(0)
    p.grad = torch.ones(0)
    torch_optim.Adafactor([p]).step()
    try:
        torch.optim.Adafactor([p]).step()
    except ZeroDivisionError:
        errs = True
    else:
        errs = False
    torch_errs(errs, "Adafactor divides by the number of elements, zero")


def test_muons_momentum_is_not_scaled_with_the_matrix_made_of_it():
    """torch divides the momentum itself by its norm, where it is bfloat16 and Nesterov's step is not taken."""
    kept = {}
    for make in (torch_optim.Muon, torch.optim.Muon):
        p = torch.ones(2, 3, dtype=torch.bfloat16)
        p.grad = torch.full_like(p, 64.0)
        optimizer = make([p], momentum=0.5, nesterov=False)
        optimizer.step()
        kept[make] = optimizer.state[p]["momentum_buffer"]
    assert torch.equal(kept[torch_optim.Muon], torch.full((2, 3), 32.0, dtype=torch.bfloat16))
    torch_errs(not torch.equal(kept[torch.optim.Muon], kept[torch_optim.Muon]), "Muon scales its own momentum")
