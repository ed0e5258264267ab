"""DDP, ZeRO, FSDP2 and distributed checkpoints: two processes do what one does, to the last bit.

Why to the last bit: two processes each take half of a batch, and their mean gradient is (g_0 + g_1) / 2. One process
that adds g_0 / 2 and g_1 / 2 gets the same number, as a sum of two does not depend on its order and halving does
not round. What follows is elementwise, so that a shard holds what the whole would.

One pair of processes runs all checks of `work` (this file as a script) and reports each by its name.
"""

import copy
import json
import os
import subprocess
import sys
import time
import traceback
from datetime import timedelta
from pathlib import Path

import adambook
import pytest
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from adambook import torch_optim
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    get_state_dict,
    set_optimizer_state_dict,
    set_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import Shard, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

CASES = {
    "SGD": {},
    "SGD momentum": {"momentum": 0.9, "dampening": 0.1, "weight_decay": 0.1},
    "SGD nesterov": {"momentum": 0.9, "nesterov": True},
    "Adagrad": {"lr_decay": 0.1, "initial_accumulator_value": 0.1},
    "RMSprop": {"momentum": 0.9, "centered": True, "weight_decay": 0.1},
    "Adam": {"weight_decay": 0.1},
    "AMSGrad": {"weight_decay": 0.1},
    "AdamW": {"weight_decay": 0.1},
    "NAdam": {"weight_decay": 0.1},
    "Lion": {"weight_decay": 0.1},
    "Adan": {"weight_decay": 0.1},
    "ScheduleFreeAdamW": {"weight_decay": 0.1},
}
# These take lengths, or products of matrices, of the whole: processes add up in another order than one process does.
WHOLE = {
    "LAMB": {"weight_decay": 0.1},
    "Adafactor": {"weight_decay": 0.1},
    "Muon": {},
}
LR = 0.0625  # exact in binary, so that a float32 tensor holds it too
HALVES = (slice(0, 4), slice(4, 8))
STEPS, PAUSE = 6, 3
# A process that another one waits for must not hold up the tests for longer than this.
COLLECTIVE_TIMEOUT, TOTAL_TIMEOUT = 30, 150


def build():
    """Two shards of these have 2 and 1 rows, or 1 and none."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1)).double()


def ours(case, params, **options):
    params = [p for p in params if case != "Muon" or p.ndim == 2]
    return getattr(torch_optim, case.split()[0])(params, **{"lr": LR, **(CASES | WHOLE)[case], **options})


def theirs(case, params):
    name, options = case.split()[0], {"lr": LR, **CASES[case]}
    if name == "AMSGrad":
        return torch.optim.Adam(params, amsgrad=True, **options)
    if name == "NAdam" or not hasattr(torch.optim, name):  # torch's rounds its product otherwise after a checkpoint
        return ours(case, params)
    return getattr(torch.optim, name)(params, **options)


def train(model, optimizer, start, stop, halves=HALVES):
    """Train on the mean over ``halves`` of each step's batch."""
    generator = torch.Generator().manual_seed(1)
    batches = torch.randn(STEPS, 8, 6, generator=generator, dtype=torch.float64)
    for batch in batches[start:stop]:
        for half in halves:
            x, y = batch[half].split([5, 1], dim=1)
            ((model(x) - y).square().mean() / len(halves)).backward()
        optimizer.step()
        optimizer.zero_grad()


def alone(case, steps=STEPS):
    """The model and its optimizer after one process has trained them without a pause."""
    model = build()
    optimizer = ours(case, model.parameters(), foreach=False)
    train(model, optimizer, 0, steps)
    return model, optimizer


def whole(tensor):
    """A DTensor's value on all processes together."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def assert_equal(params, others):
    for p, q in zip(params, others, strict=True):
        assert torch.equal(whole(p), whole(q))


# What the two processes run.


class Checks:
    """One process of two. Its public methods are checks, which both run in the same order."""

    def __init__(self, rank, folder):
        self.rank, self.folder = rank, folder
        self.halves = HALVES[rank : rank + 1]
        self.mesh = init_device_mesh("cpu", (2,))

    def _sharded(self):
        model = build()
        for module in (model[0], model):
            fully_shard(module, mesh=self.mesh)
        return model

    def ddp(self, case):
        for foreach in (False, True):
            model = DistributedDataParallel(build(), gradient_as_bucket_view=foreach)
            optimizer = ours(case, model.parameters(), foreach=foreach)
            train(model, optimizer, 0, STEPS, self.halves)
            assert_equal(model.parameters(), alone(case)[0].parameters())

    def zero(self, case):
        model = DistributedDataParallel(build())
        optimizer = ZeroRedundancyOptimizer(
            model.parameters(), getattr(torch_optim, case.split()[0]), lr=LR, **CASES[case]
        )
        train(model, optimizer, 0, PAUSE, self.halves)
        optimizer.consolidate_state_dict(to=0)
        if self.rank == 0:  # one process goes on with the state of both
            moved = build()
            moved.load_state_dict(model.module.state_dict())
            resumed = ours(case, moved.parameters())
            resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
            train(moved, resumed, PAUSE, STEPS)
            assert_equal(moved.parameters(), alone(case)[0].parameters())
        train(model, optimizer, PAUSE, STEPS, self.halves)
        assert_equal(model.parameters(), alone(case)[0].parameters())

    def fsdp(self, case):
        expected, reference = alone(case)
        for foreach in (None, False, True):
            model = self._sharded()
            optimizer = ours(case, model.parameters(), foreach=foreach)
            train(model, optimizer, 0, STEPS, self.halves)
            assert_equal(model.parameters(), expected.parameters())
            for p, q in zip(model.parameters(), expected.parameters(), strict=True):
                assert optimizer.state[p].keys() == reference.state[q].keys()
                for name, kept in optimizer.state[p].items():
                    assert torch.equal(whole(kept), reference.state[q][name])
                    assert name in optimizer.scalars or (type(kept) is type(p) and kept.placements == p.placements)
        shards = [p.to_local().numel() for p in model.parameters()]
        assert shards == [[10, 2, 3, 1], [5, 1, 0, 0]][self.rank]

    def fsdp_of_what_needs_the_whole(self, case):
        if case != "SGD":
            return  # once is enough
        for case in WHOLE:
            expected, reference = alone(case)
            for foreach in (False, True):
                model = self._sharded()
                optimizer = ours(case, model.parameters(), foreach=foreach)
                train(model, optimizer, 0, PAUSE, self.halves)
                options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
                resumed = ours(case, model.parameters(), lr=0.5, foreach=foreach)
                if case == "Muon":  # torch finds no state for the parameters that Muon does not have
                    resumed.load_state_dict(optimizer.state_dict())
                else:
                    kept = get_optimizer_state_dict(model, optimizer, options=StateDictOptions(full_state_dict=True))
                    set_optimizer_state_dict(model, resumed, {} if self.rank else kept, options=options)
                train(model, resumed, PAUSE, STEPS, self.halves)
                # Six steps in float64 whose norms differ by a rounding, of numbers below 1.
                for p, q, p0 in zip(model.parameters(), expected.parameters(), build().parameters(), strict=True):
                    torch.testing.assert_close(whole(p), q, rtol=0, atol=1e-14)
                    assert case == "Muon" or not torch.allclose(q, p0, rtol=1e-3)
                    for name, kept in resumed.state[p].items() if p in resumed.state else ():
                        torch.testing.assert_close(whole(kept), reference.state[q][name], rtol=1e-12, atol=1e-15)

    def fsdp_compiled(self, case):
        if case not in ("SGD momentum", "AMSGrad"):
            return  # a compilation takes a second
        model = self._sharded()
        optimizer = ours(case, model.parameters(), foreach=True)
        optimizer.step = torch.compile(optimizer.step, backend="eager")
        train(model, optimizer, 0, STEPS, self.halves)
        # Compiled, 1 - beta2^t is computed in float32: 6e-8 of 1, or 6e-5 of 1 - 0.999, and of each step's length.
        for p, q in zip(model.parameters(), alone(case)[0].parameters(), strict=True):
            torch.testing.assert_close(whole(p), q, rtol=0, atol=6e-5 * STEPS * LR)

    def fsdp_beside_plain_parameters(self, case):
        """A multi-tensor operation refuses a list of both, and before torch 2.13 one of two meshes."""
        other = init_device_mesh("cpu", (2,), mesh_dim_names=("other",))
        plain, reference, scattered = torch.ones(3, 3, dtype=torch.float64).unbind()
        scattered = distribute_tensor(scattered, other, [Shard(0)])
        for p in (plain, scattered, reference):
            p.requires_grad_()
        optimizer = ours(case, [reference], foreach=False)
        model = self._sharded()
        everything = [*model.parameters(), plain, scattered]
        beside = ours(case, everything, foreach=True)
        update, meshes = beside.update_foreach, []

        def spy(theta, *rest):
            meshes.append({getattr(p, "device_mesh", None) for p in theta})
            update(theta, *rest)

        beside.update_foreach = spy
        for t in range(STEPS):
            for p in (plain, scattered, reference):
                p.square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            train(model, beside, t, t + 1, self.halves)
        assert_equal(everything, [*alone(case)[0].parameters(), reference, reference])
        assert {len(each) for each in meshes} == {1} and len(set.union(*meshes)) == 3

    def fsdp_with_tensor_lr(self, case):
        model = self._sharded()
        optimizer = ours(case, model.parameters(), lr=torch.tensor(LR))
        train(model, optimizer, 0, STEPS, self.halves)
        assert_equal(model.parameters(), alone(case)[0].parameters())

    def full_state_dict(self, case):
        """Gathered on process 0, and handed out again from there."""
        model = self._sharded()
        optimizer = ours(case, model.parameters())
        train(model, optimizer, 0, PAUSE, self.halves)
        kept = get_optimizer_state_dict(model, optimizer, options=StateDictOptions(full_state_dict=True))
        reference_model, reference = alone(case, PAUSE)
        names = {p: name for name, p in reference_model.named_parameters()}
        for p, state in reference.state.items():
            assert state.keys() == kept["state"][names[p]].keys()
            for name, value in state.items():
                assert torch.equal(kept["state"][names[p]][name], value)
        if not kept["state"]:
            return  # torch itself then finds no device to load to
        options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
        after = ours(case, model.parameters(), lr=0.5)
        set_optimizer_state_dict(model, after, {} if self.rank else kept, options=options)
        train(model, after, PAUSE, STEPS, self.halves)
        assert_equal(model.parameters(), alone(case)[0].parameters())

    def flat_state_dict(self, case):
        options = StateDictOptions(flatten_optimizer_state_dict=True)
        model = self._sharded()
        optimizer = ours(case, model.parameters())
        train(model, optimizer, 0, PAUSE, self.halves)
        kept = get_optimizer_state_dict(model, optimizer, options=options)
        after = ours(case, model.parameters(), lr=0.5)
        set_optimizer_state_dict(model, after, kept, options=options)
        train(model, after, PAUSE, STEPS, self.halves)
        assert_equal(model.parameters(), alone(case)[0].parameters())

    def checkpoint_of_two(self, case):
        model = self._sharded()
        optimizer = ours(case, model.parameters())
        train(model, optimizer, 0, PAUSE, self.halves)
        save(model, optimizer, self.folder / "two" / case)

    def checkpoint_of_one_resumed_by_two(self, case):
        for foreach in (False, True):
            model = self._sharded()
            optimizer = ours(case, model.parameters(), lr=0.5, foreach=foreach)
            load(model, optimizer, self.folder / "one" / case)
            train(model, optimizer, PAUSE, STEPS, self.halves)
            assert_equal(model.parameters(), alone(case)[0].parameters())

    def state_made_before_the_first_step(self, case):
        """A checkpoint of a fresh optimizer makes it step with zero gradients and lr = 0."""
        model = self._sharded()
        for lr in (LR, torch.tensor(LR)):
            optimizer = ours(case, model.parameters(), lr=lr)
            kept = get_optimizer_state_dict(model, optimizer)
            assert_equal(model.parameters(), build().parameters())
            _, reference = alone(case, 1)
            assert [set(state) for state in optimizer.state.values()] == [
                set(state) for state in reference.state.values()
            ]
            assert all(group["lr"] == LR for group in kept["param_groups"])


WHAT = [name for name in vars(Checks) if not name.startswith("_")]


def save(model, optimizer, folder):
    model_state, optimizer_state = get_state_dict(model, optimizer)
    dcp.save({"model": model_state, "optimizer": optimizer_state}, checkpoint_id=folder)


def load(model, optimizer, folder):
    model_state, optimizer_state = get_state_dict(model, optimizer)
    state = {"model": model_state, "optimizer": optimizer_state}
    dcp.load(state, checkpoint_id=folder)
    set_state_dict(model, optimizer, model_state_dict=state["model"], optim_state_dict=state["optimizer"])


def work(folder, rank):
    """Run every check and write one line each; the first that fails is the last, as the other process may wait."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=(folder / "store").as_uri(),
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=COLLECTIVE_TIMEOUT),
    )
    checks = Checks(rank, folder)
    with open(folder / f"rank{rank}", "w", encoding="utf-8") as report:
        for what in WHAT:
            for case in CASES:
                try:
                    getattr(checks, what)(case)
                except Exception:
                    print(json.dumps([what, case, traceback.format_exc()]), file=report)
                    report.close()
                    os._exit(1)  # without the goodbyes that another process would have to answer
                print(json.dumps([what, case, "ok"]), file=report, flush=True)
    dist.destroy_process_group()


# The test.


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_two_processes_do_what_one_does(tmp_path):
    for case in CASES:
        save(*alone(case, PAUSE), tmp_path / "one" / case)
    environment = {**os.environ, "PYTHONPATH": str(Path(adambook.__file__).parents[1])}
    command = [sys.executable, __file__, str(tmp_path)]
    processes = [subprocess.Popen([*command, str(rank)], env=environment) for rank in (0, 1)]
    end = time.monotonic() + TOTAL_TIMEOUT
    try:
        codes = [None]
        while None in codes and not any(codes) and time.monotonic() < end:
            time.sleep(0.1)
            codes = [process.poll() for process in processes]
    finally:  # whoever is left waits for one that has failed
        for process in processes:
            process.kill()
            process.wait()
    paths = [tmp_path / f"rank{rank}" for rank in (0, 1)]
    reports = [
        [json.loads(line) for line in path.read_text("utf-8").splitlines()] for path in paths if path.exists()
    ]
    errors = ["\n".join(check) for report in reports for check in report if check[2] != "ok"]
    assert not errors, "\n".join(errors)
    assert reports == [[[what, case, "ok"] for what in WHAT for case in CASES]] * 2
    # One process, with ours and with torch.optim's class, goes on where two have saved.
    for case in CASES:
        for make in (ours, theirs):
            model = build()
            optimizer = make(case, model.parameters())
            optimizer.param_groups[0]["lr"] = 0.5  # the checkpoint's takes its place
            load(model, optimizer, tmp_path / "two" / case)
            train(model, optimizer, PAUSE, STEPS)
            assert_equal(model.parameters(), alone(case)[0].parameters())


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]))
