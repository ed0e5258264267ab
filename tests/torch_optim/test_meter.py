"""The meter counts what can be counted by hand, and steps need no more memory than torch's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from adambook import torch_optim
from adambook.torch_optim.meter import Meter

N = 1000  # elements; in float32 a tensor has 4,000 bytes


def test_counts_by_hand():
    x, y = torch.ones(N), torch.ones(N)
    with Meter() as meter:
        x.mul_(2)  # reads and writes x
        x.addcmul_(y, y)  # reads x and y, once each, and writes x
        z = x + y  # reads two, writes a third
        z.view(10, -1).neg_()  # a view moves nothing; neg_ reads and writes z
    assert meter.operations == {"mul_": 1, "addcmul_": 1, "add": 1, "neg_": 1}
    assert meter.moved == {"mul_": 8 * N, "addcmul_": 12 * N, "add": 12 * N, "neg_": 8 * N}


def test_temporary_memory_is_the_peak_and_not_the_sum():
    x = torch.ones(N)
    with Meter() as meter:
        for _ in range(3):
            y = x + 1
            del y
    assert meter.temporary == 4 * N
    with Meter() as meter:
        kept = [x + 1 for _ in range(3)]
    assert meter.temporary == 4 * N * len(kept)


def step_of(cls: type[torch.optim.Optimizer], tensors: int, **options: Any) -> Meter:
    """Return what the second step costs; the first makes the state."""
    params = [torch.ones(N, requires_grad=True) for _ in range(tensors)]
    for p in params:
        p.grad = torch.ones(N)
    optimizer = cls(params, **options)
    optimizer.step()
    with Meter() as meter:
        optimizer.step()
    return meter


OPTIMIZERS = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adagrad", {}),
    ("RMSprop", {}),
    ("RMSprop", {"centered": True, "momentum": 0.9}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    ("Adam", {"maximize": True, "weight_decay": 0.1}),
    ("AdamW", {}),
]


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_step_needs_no_more_memory_than_torchs(name, options, foreach):
    ours = step_of(getattr(torch_optim, name), 5, foreach=foreach, **options)
    theirs = step_of(getattr(torch.optim, name), 5, foreach=foreach, **options)
    scalars = 100  # bytes for numbers that are tensors of one element
    assert ours.temporary <= theirs.temporary + scalars
    assert sum(ours.moved.values()) <= sum(theirs.moved.values()) + scalars


def test_adam_moves_72_bytes_a_parameter_and_fused_28():
    assert sum(step_of(torch_optim.Adam, 1, foreach=False).moved.values()) // N == 72
    assert sum(step_of(torch_optim.Adam, 1, foreach=True).moved.values()) // N == 72
    assert sum(step_of(torch.optim.Adam, 1, fused=True).moved.values()) // N == 28
    unscaled = step_of(torch.optim.AdamW, 1, fused=True)
    assert sum(unscaled.moved.values()) // N == 28
    assert unscaled.temporary == 0
