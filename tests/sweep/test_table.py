"""What a reader sees: the table, the figure, the bar, and what is wrong with an argument."""

from __future__ import annotations

import builtins
import io
import subprocess
import sys
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from adambook import tasks as bars
from adambook.sweep import Task, classification, sweep
from torch import nn

SETUP = {"seeds": 3, "steps": 4}


@pytest.fixture
def valley():
    """A task whose score is (log10 lr + 2)^2 + weight decay + seed / 100: the best is known."""
    parameter = nn.Parameter

    class One(nn.Module):
        def __init__(self, seed):
            super().__init__()
            self.x = parameter(torch.zeros(1))
            self.register_buffer("seed", torch.tensor(float(seed)))

    def task(score):
        return Task("valley", One, lambda seed, t: torch.ones(1), lambda m, b: (m.x * b).sum(), score)

    # One step of SGD on x brings x to -lr.
    return task(lambda m: {"score": (np.log10(max(-m.x.item(), 1e-9)) + 2) ** 2 + m.seed.item() / 100, "x": m.x.item()})


def test_the_table_has_a_row_a_member(task):
    result = sweep(task, "AdamW", {"lr": [1e-3, 1e-2], "weight_decay": [0, 0.1]}, **SETUP)
    assert isinstance(result, pd.DataFrame)
    assert list(result.columns[:6]) == ["lr", "weight_decay", "seed", "diverged_at", "loss", "held_out"]
    assert result["lr"].tolist() == [1e-3] * 6 + [1e-2] * 6
    assert result["seed"].tolist() == [0, 1, 2] * 4
    assert result["diverged_at"].dtype == "Int64"
    assert result["held_out"].nunique() == 12
    assert result.axes_ == ("lr", "weight_decay")
    assert result.metrics[0] == "held_out"


def test_marks_and_the_mean_of_the_losses(valley):
    """x_t = -lr t before step t + 1, so the loss of step t is -lr (t - 1)."""
    every = sweep(valley, "SGD", {"lr": [0.5]}, seeds=1, steps=7, every=3)
    assert every.curves["step"].tolist() == [0, 3, 6, 7]
    assert np.isnan(every.curves["loss"][0])
    np.testing.assert_allclose(every.curves["loss"][1:], [-0.5, -2.0, -3.0])
    np.testing.assert_allclose(every.curves["x"], [0, -1.5, -3, -3.5])
    last = sweep(valley, "SGD", {"lr": [0.5]}, seeds=1, steps=30)
    assert last["loss"].tolist() == [-0.5 * 28]  # a tenth of 30 steps: the mean of t - 1 over 28, 29, 30
    assert every["x"].tolist() == [-3.5]


def test_table_and_best(valley):
    result = sweep(valley, "SGD", {"lr": [1e-3, 1e-2, 1e-1, 1e300]}, seeds=2, steps=1)
    assert result["diverged_at"].isna().sum() == 6  # 1e300 is inf in float32
    table = result.table()
    assert table["mean"].tolist() == pytest.approx([1.005, 0.005, 1.005, np.inf], rel=1e-5)
    assert table["std"][:3].tolist() == pytest.approx([0.01 / 2**0.5] * 3, rel=1e-3)
    assert table["diverged"].tolist() == [0, 0, 0, 2]
    assert result.best() == {"lr": 1e-2}
    assert result.best("x") == {"lr": 1e-1}
    with pytest.raises(ValueError, match="metric = 'loss2' is unknown; allowed: 'score', 'x', 'loss'"):
        result.best("loss2")
    lost = sweep(valley, "SGD", {"lr": [3e38]}, seeds=2, steps=2)
    with pytest.raises(ValueError, match="at every point of the grid a seed diverged"):
        lost.best()


def test_the_row_with_a_ring_at_the_best(valley):
    ax = sweep(valley, "SGD", {"lr": [1e-3, 1e-2, 1e-1, 1e300]}, seeds=2, steps=1).plot()
    row, ring = ax.get_lines()
    np.testing.assert_allclose(row.get_xdata(), [1e-3, 1e-2, 1e-1])
    np.testing.assert_allclose(row.get_ydata(), [1.005, 0.005, 1.005], rtol=1e-5)
    assert (ring.get_xdata()[0], ring.get_markerfacecolor()) == (1e-2, "none")
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("lr", "score")
    plt.close("all")


def test_more_axes_are_lines_or_a_map(valley):
    grid = {"lr": [1e-3, 1e-2], "nesterov": [False, True], "momentum": 0.9}
    lines = sweep(valley, "SGD", grid, seeds=1, steps=1).plot()
    labels = [line.get_label() for line in lines.get_lines() if line.get_label()[0] != "_"]
    assert labels == ["nesterov = False", "nesterov = True"]
    grid = {"lr": [1e-3, 1e-2, 1e-1], "weight_decay": [0, 0.1, 0.2, 0.3]}
    picture = sweep(valley, "SGD", grid, seeds=1, steps=1).plot("x")
    (mesh,) = picture.collections
    assert mesh.get_array().shape == (3, 4)
    (ring,) = picture.get_lines()
    assert ring.get_ydata()[0] == 2.5  # x = -0.1 in the last row
    assert [text.get_text() for text in picture.get_yticklabels()] == ["0.001", "0.01", "0.1"]
    plt.close("all")


@pytest.mark.parametrize(("silenced", "shows"), [(False, True), (True, False)])
def test_the_bar(task, monkeypatch, silenced, shows):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(bars, "DELAY", 0)
    monkeypatch.delenv("ADAMBOOK_NO_PROGRESS", raising=False)
    sweep(task, "Adam", {"lr": [0.1, 0.2]}, **SETUP, progress=not silenced)
    assert ("Adam, tiny, 4 steps" in stream.getvalue()) is shows
    assert ("24/24" in stream.getvalue() or "/24" in stream.getvalue()) is shows


# Bad input.


def nothing(*_):
    raise AssertionError("the training has begun")


def normed(seed):
    return nn.Sequential(nn.Linear(64, 2), nn.BatchNorm1d(2), nn.Linear(2, 10))


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"task": "mnist"}, ValueError, "task = 'mnist' is unknown; allowed: 'digits-mlp', 'digits-cnn', 'text-tr"),
        ({"task": 3}, TypeError, "task = 3; allowed: 'digits-mlp'.*or a Task"),
        ({"optimizer": "Adan2"}, ValueError, "optimizer = 'Adan2' is unknown; allowed: 'LAMB', 'SGD'"),
        ({"optimizer": "SophiaG"}, ValueError, "optimizer = 'SophiaG' needs the Hessian's diagonal.*allowed: 'LAMB'"),
        ({"optimizer": int}, TypeError, "optimizer = <class 'int'>; allowed: a subclass of torch.optim.Optimizer"),
        ({"optimizer": lambda lr: "Adam"}, TypeError, "optimizer returned 'Adam'; allowed: .name or class, options."),
        ({"grid": {"lrr": [1]}}, ValueError, "'lrr' is no hyper-parameter of Adam; allowed: 'lr', 'betas', 'eps', 'w"),
        ({"grid": {"foreach": [True]}}, ValueError, "'foreach' is no hyper-parameter of Adam; allowed"),
        ({"grid": {}}, ValueError, "grid = {}; allowed: hyper-parameters with values"),
        ({"grid": [1e-3]}, ValueError, r"grid = \[0.001\]; allowed"),
        ({"grid": {"lr": []}}, ValueError, r"grid\['lr'\] is empty; allowed: one or more values"),
        ({"grid": {"lr": [0.1, 0.1]}}, ValueError, r"grid\['lr'\] holds 0.1 twice; allowed: different values"),
        ({"grid": {"seed": [1]}}, ValueError, "grid has an axis 'seed', a column that the result has anyway"),
        ({"grid": {"lr": [0.1, -1]}}, ValueError, "lr = -1 is out of range; allowed: 0 <= lr"),
        ({"optimizer": "Muon"}, ValueError, r"Muon: a parameter of shape \(2,\).*muon_and_adamw"),
        ({"seeds": 0}, ValueError, "seeds = 0 is out of range; allowed: a whole number, at least 1"),
        ({"seeds": ()}, ValueError, r"seeds = \(\); allowed: how many"),
        ({"seeds": (1, 1)}, ValueError, r"seeds = \(1, 1\); allowed: how many"),
        ({"seeds": 0.5}, TypeError, "seeds = 0.5"),
        ({"steps": 0}, ValueError, "steps = 0 is out of range; allowed: a whole number, at least 1"),
        ({"every": 5}, ValueError, "every = 5 is out of range; allowed: a whole number, at least 1, at most 4"),
        ({"workers": 0}, ValueError, "workers = 0"),
        ({"device": "gpu"}, ValueError, "device = 'gpu'; allowed here: 'cpu'"),
        ({"schedule": lambda t: float("nan")}, ValueError, r"schedule\(1\) = nan"),
        ({"task": "normed"}, ValueError, "normed has a batch norm and no inputs; set Task"),
    ],
    ids=lambda x: "",
)
def test_bad_input_is_named_before_the_training(task, tmp_path, change, error, says):
    change = dict(change)
    if change.get("task") == "normed":
        change["task"] = replace(classification("normed", normed), inputs=None)
    change = {"task": replace(task, loss=nothing), "optimizer": "Adam", "grid": {"lr": [0.1]}, **SETUP, **change}
    with pytest.raises(error, match=says):
        sweep(change.pop("task"), change.pop("optimizer"), change.pop("grid"), folder=tmp_path / "new", **change)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"metrics": lambda model: {}}, "metrics returned nothing; allowed: one or more numbers"),
        ({"metrics": lambda model: {"lr": 1.0}}, "a metric and an axis of the grid are called 'lr'; rename"),
        ({"loss": lambda model, batch: model(batch["x"])}, r"loss returned shape \(8, 1\); allowed: one number"),
        ({"loss": lambda model, batch: model(batch["x"]).sum() / 0}, "the first loss of seed 0 is not finite"),
        ({"model": lambda seed: nn.ParameterList()}, "parameters of dtype"),
    ],
    ids=lambda x: "",
)
def test_a_task_that_cannot_work_says_so(task, tmp_path, change, says):
    with pytest.raises(ValueError, match=f"tiny: .*{says}|{says}"):
        sweep(replace(task, **change), "Adam", {"lr": [0.1, 0.2]}, **SETUP, folder=tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("module", "arguments"),
    [("pyarrow.parquet", {"folder": "new"}), ("joblib", {"workers": 2}), ("distributed", {"scheduler": "tcp://a:1"})],
)
def test_what_is_missing_is_said(task, tmp_path, monkeypatch, module, arguments):
    original = builtins.__import__

    def without(name, *args, **kwargs):
        if name == module:
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImportError, match=r"install it with: pip install 'adambook\[sweep\]'"):
        sweep(task, "Adam", {"lr": [0.1]}, **SETUP, **arguments)
    assert not list(tmp_path.iterdir())


def test_pandas_is_asked_for_with_its_command():
    script = "import sys; sys.modules['pandas'] = None; import adambook.sweep"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "adambook.sweep needs pandas; install it with: pip install 'adambook[sweep]'" in run.stderr


def test_importing_adambook_loads_no_pandas():
    script = "import adambook, sys; print([m for m in ('torch', 'pandas', 'pyarrow', 'joblib') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
