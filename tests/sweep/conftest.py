"""Tasks small enough that a sweep takes a moment. All is local to a function, so that other processes can have it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from adambook.sweep import Task
from torch import nn


def make_task(name="tiny", layers=None, noise=0.0, dtype=torch.float64, measured="all", **more):
    """Regression with two hidden units. Its metrics are the loss on held-out data and, for tests, all parameters."""

    def model(seed):
        built = layers() if layers else nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1))
        return built.to(dtype)

    def batch(seed, t):
        x = torch.from_numpy(np.random.default_rng((seed, t)).standard_normal((8, 3)))
        return {"x": x, "y": x.prod(-1, keepdim=True)}

    def loss(model, batch):
        x = batch["x"] + noise * torch.randn_like(batch["x"]) if noise else batch["x"]
        return (model(x) - batch["y"]).square().mean()

    def metrics(model):
        held_out = batch(999, 0)
        flat = torch.cat([p.flatten() for p in model.parameters()]).tolist()
        x, y = held_out["x"].to(dtype), held_out["y"].to(dtype)
        parameters = {f"p{i}": value for i, value in enumerate(flat)} if measured == "all" else {}
        return {"held_out": float((model(x) - y).square().mean()), **parameters}

    return Task(name, model, batch, loss, metrics, **more)


@pytest.fixture
def task():
    return make_task()


@pytest.fixture
def tasks():
    return make_task


def parameters(result):
    """The members' parameters, (members, d)."""
    return result[[name for name in result.metrics if name[0] == "p"]].to_numpy()


@pytest.fixture(name="parameters")
def _parameters():
    return parameters
