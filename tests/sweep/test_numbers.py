"""A stack is what its members are alone: every optimizer, every kind of model, whatever becomes of the neighbours."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from adambook import torch_optim
from adambook.sweep import classification, named, run, sweep
from adambook.sweep.rules import NAMES
from torch import nn

# The same operations in another order: some 20 roundings of 1.1e-16 in each of 20 steps, amplified less than 20 times.
ROUNDING = {"rtol": 1e-12, "atol": 1e-13}
LR = {"Adadelta": 0.5, "SGD": 0.05, "ScheduleFreeSGD": 0.05}
MORE = {
    "AdaBound": {"final_lr": [0.05, 0.1], "gamma": [1e-2, 1e-1]},
    "Adadelta": {"rho": [0.9, 0.95], "eps": [1e-6, 1e-4]},
    "Adagrad": {"lr_decay": [0, 0.1], "initial_accumulator_value": [0, 0.1]},
    "Adam": {"betas": [(0.9, 0.99), (0.8, 0.999)], "eps": [1e-8, 1e-3], "amsgrad": [False, True]},
    "Adan": {"betas": [(0.98, 0.92, 0.99), (0.9, 0.9, 0.95)]},
    "NAdam": {"betas": [(0.9, 0.99), (0.8, 0.999)], "momentum_decay": [4e-3, 0.1]},
    "RAdam": {"betas": [(0.9, 0.99), (0.8, 0.999)], "decoupled_weight_decay": [False, True]},
    "RMSprop": {"momentum": [0, 0.9], "centered": [False, True], "alpha": [0.9, 0.99]},
    "SGD": {"momentum": [0, 0.9], "dampening": [0, 0.5], "maximize": [False, True]},
    "ScheduleFreeSGD": {"momentum": [0.9, 0.8]},
    "Adafactor": {"beta2_decay": [-0.8, -0.5]},
    "Muon": {"momentum": [0.9, 0.95]},
}


def alone(task, make, seed, steps, schedule=lambda t: 1.0):
    """One member, trained as anybody would."""
    torch.manual_seed(seed)
    model = task.model(seed)
    optimizer = make(model.parameters())
    lr = optimizer.param_groups[0]["lr"]
    for t in range(1, steps + 1):
        optimizer.param_groups[0]["lr"] = lr * schedule(t)
        optimizer.zero_grad()
        task.loss(model, task.batch(seed, t)).backward()
        optimizer.step()
    getattr(optimizer, "eval", lambda: None)()
    return torch.cat([p.detach().flatten() for p in model.parameters()]).numpy()


@pytest.mark.parametrize("name", NAMES)
def test_a_stack_is_the_loop_over_its_members(name, tasks, parameters):
    matrices = lambda: nn.Sequential(nn.Linear(3, 2, bias=False), nn.Tanh(), nn.Linear(2, 1, bias=False))  # noqa: E731
    task = tasks(layers=matrices if name == "Muon" else None)
    lr = LR.get(name, 0.02)
    grid = {"lr": [lr, lr / 3], **MORE.get(name, {}), "weight_decay": [0, 0.1]}
    result = sweep(task, name, grid, seeds=2, steps=20, schedule=lambda t: 1 / t**0.5)
    kind = getattr(torch_optim, name)
    for row, found in zip(result.to_dict("records"), parameters(result), strict=True):
        options = {axis: row[axis] for axis in grid}
        expected = alone(task, lambda ps, o=options: kind(ps, **o), row["seed"], 20, lambda t: 1 / t**0.5)
        np.testing.assert_allclose(found, expected, **ROUNDING, err_msg=str(options))


def test_every_optimizer_of_the_book_has_its_place():
    theirs = {n for n in torch_optim.__all__ if isinstance(getattr(torch_optim, n), type)}
    assert theirs - set(NAMES) == {"Optimizer", "SophiaG", "SophiaH"}


def test_float32_numbers_are_rounded_once(tasks, parameters):
    """1 - beta2 must not come from beta2 in float32, which is 1e-5 off."""
    task, betas = tasks(dtype=torch.float32), [(0.9, 0.999), (0.9, 0.9999)]
    result = sweep(task, "Adam", {"lr": 1e-2, "betas": betas}, seeds=1, steps=5)
    for found, pair in zip(parameters(result), betas, strict=True):
        expected = alone(with_float32_batches(task), lambda ps, b=pair: torch_optim.Adam(ps, 1e-2, b), 0, 5)
        # Some 20 roundings of 6e-8 a step, 5 steps.
        np.testing.assert_allclose(found, expected, rtol=6e-6, atol=6e-8)


def with_float32_batches(task):
    from dataclasses import replace

    return replace(task, batch=lambda seed, t: {name: x.float() for name, x in task.batch(seed, t).items()})


def test_conventions_are_functions_of_the_axes(task, parameters):
    """The paper's decay is the schedule's multiplier times lambda, without lr."""

    def paper(lr, decay):
        return "AdamW", {"lr": lr, "weight_decay": decay / lr}

    result = sweep(task, paper, {"lr": [0.02, 0.05], "decay": [0, 0.01]}, seeds=1, steps=20)
    for row, found in zip(result.to_dict("records"), parameters(result), strict=True):
        torch.manual_seed(0)
        model = task.model(0)
        adam = torch.optim.Adam(model.parameters(), lr=row["lr"])
        for t in range(1, 21):
            adam.zero_grad()
            task.loss(model, task.batch(0, t)).backward()
            with torch.no_grad():
                for p in model.parameters():
                    p.mul_(1 - row["decay"])
            adam.step()
        expected = torch.cat([p.detach().flatten() for p in model.parameters()])
        np.testing.assert_allclose(found, expected, **ROUNDING)


def test_optimizers_from_elsewhere_go_member_by_member(task, parameters):
    result = sweep(task, torch.optim.Rprop, {"lr": [0.01, 0.02]}, seeds=2, steps=10)
    for row, found in zip(result.to_dict("records"), parameters(result), strict=True):
        expected = alone(task, lambda ps, lr=row["lr"]: torch.optim.Rprop(ps, lr), row["seed"], 10)
        np.testing.assert_allclose(found, expected, **ROUNDING)


def test_muon_and_adamw_share_a_model(task, parameters):
    def both(lr):
        return lambda model: torch_optim.muon_and_adamw(model, [model[-1]], muon={"lr": lr}, adamw={"lr": 1e-2})

    result = sweep(task, both, {"lr": [0.01, 0.1]}, seeds=1, steps=5)
    torch.manual_seed(0)
    model = task.model(0)
    pair = torch_optim.muon_and_adamw(model, [model[-1]], muon={"lr": 0.1}, adamw={"lr": 1e-2})
    for t in range(1, 6):
        model.zero_grad()
        task.loss(model, task.batch(0, t)).backward()
        for optimizer in pair:
            optimizer.step()
    expected = torch.cat([p.detach().flatten() for p in model.parameters()])
    np.testing.assert_allclose(parameters(result)[1], expected, **ROUNDING)


def test_digits_have_the_start_and_the_batches_of_the_trainer():
    from adambook.train.settings import parse
    from adambook.train.tasks import build

    result = sweep("digits-mlp", "AdamW", {"lr": [1e-3, 1e-2]}, seeds=(3, 1), steps=30)
    task = build(parse(["digits-mlp", "--seed", "1"]))
    optimizer = torch.optim.AdamW(task.model.parameters(), lr=1e-2)
    for t in range(1, 31):
        x, y = task.batch(t)
        optimizer.zero_grad()
        F.cross_entropy(task.model(x), y).backward()
        optimizer.step()
    x, y = task.test
    with torch.no_grad():
        expected = F.cross_entropy(task.model(x), y).item()
    found = result[(result["lr"] == 1e-2) & (result["seed"] == 1)]["test_loss"].item()
    # float32: some 100 roundings of 6e-8 a step, 30 steps, and no chaos yet.
    assert found == pytest.approx(expected, rel=2e-4)


# What is drawn, and in which stack.


def dropout():
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 1))


@pytest.mark.parametrize("drawn", [{"layers": dropout}, {"noise": 0.5}], ids=["dropout", "noise in the loss"])
def test_noise_belongs_to_seed_and_step(tasks, drawn, parameters, monkeypatch):
    task, grid = tasks(**drawn), {"lr": [1e-3, 1e-2, 3e-2]}
    torch.manual_seed(1)
    first = parameters(sweep(task, "Adam", grid, seeds=2, steps=10))
    torch.manual_seed(2)  # the reader's generator is neither asked ...
    before = torch.random.get_rng_state()
    second = parameters(sweep(task, "Adam", grid, seeds=2, steps=10))
    assert torch.equal(before, torch.random.get_rng_state())  # ... nor changed
    np.testing.assert_array_equal(first, second)
    monkeypatch.setattr(run, "CHUNK", 1)  # each point for itself
    np.testing.assert_allclose(parameters(sweep(task, "Adam", grid, seeds=2, steps=10)), first, **ROUNDING)

    plain = parameters(sweep(task, "SGD", {"lr": [1e-12, 2e-12]}, seeds=2, steps=1))
    start = parameters(sweep(task, "SGD", {"lr": [0.0]}, seeds=2, steps=1))
    slopes = (plain.reshape(2, 2, -1) - start) / np.array([1e-12, 2e-12])[:, None, None]
    # Differences of 1e-12 between numbers of 1: four digits are left of a slope. All points see one noise ...
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=0.01, atol=2e-3)


def test_seeds_and_steps_have_noise_of_their_own(tasks):
    def loss(model, batch):
        return model[0].weight.sum() * 0 + torch.randn((), dtype=torch.float64)

    from dataclasses import replace

    drawn = sweep(replace(tasks(), loss=loss), "SGD", {"lr": [0.1, 0.2]}, seeds=3, steps=4, every=1).curves
    drawn = drawn[drawn["step"] > 0].pivot_table(index=["seed", "step"], columns="lr", values="loss")
    np.testing.assert_array_equal(drawn[0.1], drawn[0.2])  # the points have it in common
    assert drawn[0.1].nunique() == 12


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_recurrent_networks_run_stacked(tasks, kind, parameters):
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.cells, self.out = kind(1, 4, batch_first=True), nn.Linear(4, 1)

        def forward(self, x):
            return self.out(self.cells(x[..., None])[0][:, -1])

    stacked, loop = (
        parameters(sweep(tasks(layers=Recurrent, stacked=way), "Adam", {"lr": [1e-2, 3e-2]}, seeds=2, steps=5))
        for way in (True, False)
    )
    np.testing.assert_allclose(stacked, loop, **ROUNDING)


def test_convolutions_may_be_taken_one_by_one():
    def cnn(seed):
        return nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 10)).double()

    both = [
        sweep(classification("cnn", cnn, stacked=way), "Adam", {"lr": [1e-3, 1e-2]}, seeds=2, steps=10)
        for way in (True, False)
    ]
    np.testing.assert_allclose(both[0]["train_loss"], both[1]["train_loss"], **ROUNDING)


def test_the_transformer_runs_stacked():
    result = sweep("text-transformer", "AdamW", {"lr": [1e-3, 3e-3]}, seeds=1, steps=2)
    task = named("text-transformer")
    torch.manual_seed(0)
    model = task.model(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for t in (1, 2):
        optimizer.zero_grad()
        task.loss(model, task.batch(0, t)).backward()
        optimizer.step()
    with torch.no_grad():
        expected = task.metrics(model.eval())
    # float32, 2 steps; Adam's first step is lr times the sign of slopes that may be as small as their rounding.
    assert result["test_loss"].iloc[1] == pytest.approx(expected["test_loss"], rel=1e-3)


# Batch norm.


def normed(seed=0):
    return nn.Sequential(nn.Linear(64, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 10)).double()


def test_batch_norm_is_evaluated_with_the_statistics_of_the_training_part():
    task = classification("normed", normed)
    found = sweep(task, "SGD", {"lr": [0.1, 0.0]}, seeds=1, steps=1)
    torch.manual_seed(0)
    model = normed().eval()
    x, _ = task.metrics.parts["train"]
    with torch.no_grad():
        hidden = model[0](x.double())
        model[1].running_mean.copy_(hidden.mean(0))
        model[1].running_var.copy_(hidden.var(0))
        expected = task.metrics(model)
    for name in found.metrics:
        # At lr 0 the model is as it began: a few roundings of float64.
        assert found[name].iloc[1] == pytest.approx(expected[name], rel=1e-12)
    assert found["train_loss"].iloc[0] != found["train_loss"].iloc[1]


def test_batch_norm_trains_with_the_batch():
    """Without dropout, a stack of batch norms is the loop over models in training."""

    def without(seed):
        return nn.Sequential(nn.Linear(64, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 10)).double()

    task = classification("normed", without)
    result = sweep(task, "Adam", {"lr": [0.01, 0.03]}, seeds=2, steps=20, every=1).curves
    torch.manual_seed(1)
    model = without(1).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    losses = []
    for t in range(1, 21):
        optimizer.zero_grad()
        x, y = task.batch(1, t)
        losses.append(F.cross_entropy(model(x.double()), y))
        losses[-1].backward()
        optimizer.step()
    found = result[(result["lr"] == 0.03) & (result["seed"] == 1) & (result["step"] > 0)]["loss"]
    np.testing.assert_allclose(found, [x.item() for x in losses], rtol=1e-11)  # 1e-12, and ten more for ReLU's kinks


# Divergence.


@pytest.mark.parametrize("name", ["AdamW", "SGD", "LAMB"])
def test_who_diverges_disturbs_nobody(task, name, parameters):
    calm = sweep(task, name, {"lr": [1e-2, 2e-2, 3e-2]}, seeds=2, steps=30)
    wild = sweep(task, name, {"lr": [1e-2, 1e300, 3e-2]}, seeds=2, steps=30)
    assert wild["diverged_at"].isna().tolist() == [True, True, False, False, True, True]
    assert calm["diverged_at"].isna().all()
    for place in (0, 1, 4, 5):
        np.testing.assert_array_equal(parameters(wild)[place], parameters(calm)[place])
    assert np.isnan(parameters(wild)[2:4]).all()
    absent = sweep(task, name, {"lr": [1e-2, 3e-2]}, seeds=2, steps=30)
    np.testing.assert_array_equal(parameters(wild)[[0, 1, 4, 5]], parameters(absent))


def test_the_step_is_the_first_that_is_not_finite(tasks):
    """theta <- theta - 1e200 grad of a quartic: the parameter is 1e200 after one step, and infinite after two."""
    from dataclasses import replace

    task = replace(
        tasks(layers=lambda: nn.Linear(1, 1, bias=False), measured="one"),
        loss=lambda model, batch: (model.weight**4).sum(),
        metrics=lambda model: {"weight": model.weight.item()},
    )
    result = sweep(task, "SGD", {"lr": [1e-3, 1e200]}, seeds=1, steps=5, every=1)
    assert result["diverged_at"].tolist() == [pd.NA, 2]
    curve = result.curves[result.curves["lr"] == 1e200]
    assert curve["diverged_at"].fillna(0).tolist() == [0, 0, 2, 2, 2, 2]
    assert curve["weight"].notna().tolist() == [True, True, False, False, False, False]


def test_a_loss_that_refuses_nan_does_not_stop_the_others(tasks):
    """binary_cross_entropy raises for NaN on the CPU."""
    from dataclasses import replace

    def loss(model, batch):
        weights = sum(p.square().sum() for p in model.parameters())
        return F.binary_cross_entropy(torch.sigmoid(model(batch["x"])), (batch["y"] > 0).double()) + weights

    task = replace(tasks(layers=lambda: nn.Linear(3, 1)), loss=loss)
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        loss(nn.Linear(3, 1).double().apply(lambda m: m.weight.data.fill_(torch.nan)), task.batch(0, 1))
    result = sweep(task, "SGD", {"lr": [0.1, 1e308]}, seeds=1, steps=10)
    assert result["diverged_at"].isna().tolist() == [True, False]
