"""Whole runs: killed and continued, on one process and on several."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from adambook.data import characters

KILLED = -signal.SIGKILL
#: Everything that a continuation could get wrong: dropout, the order of the data, the schedule, optimizer state.
SMALL = (
    "digits-mlp --batch-size 32 --dropout 0.2 --schedule cosine --warmup 5 --clip 0.5 "
    "--optimizer AdamW --lr 0.01 --every 10"
)


def last(folder):
    """The last checkpoint, None if there is none."""
    return max(folder.glob("step-*"), default=None)


def wait_for_a_checkpoint(run, folder):
    """Return when there is a further one."""
    before = last(folder)
    while last(folder) == before:
        assert all(p.is_alive() for p in run.processes), run.output.read_text()
        time.sleep(0.002)


def assert_same(folder, other, tensors_of):
    """Both runs have kept the same steps, bits and rows, and nothing else."""
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in other.iterdir())
    ours, theirs = tensors_of(last(folder)), tensors_of(last(other))
    assert ours.keys() == theirs.keys() and any("exp_avg" in name for name in ours)
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name
    assert (last(folder) / "run.json").read_text() == (last(other) / "run.json").read_text()
    assert (folder / "log.csv").read_bytes() == (other / "log.csv").read_bytes()


def assert_log_is_whole(folder, steps, every, last):
    """A row for each of the steps in order, with test results where they are due: so often, and after the last."""
    header, *rows = (folder / "log.csv").read_text().splitlines()
    assert header == "step,lr,train_loss,test_loss,test_accuracy"
    fields = [row.split(",") for row in rows]
    assert [int(row[0]) for row in fields] == list(range(1, steps + 1))
    tested = [int(row[0]) for row in fields if row[3] and row[4]]
    assert tested == [step for step in range(1, steps + 1) if step % every == 0 or step == last]


def kill_at_random_moments(launcher, arguments, folder, world, kills, seed):
    """Kill a run so many times, each time a random moment after it has written a further checkpoint."""
    rng = random.Random(seed)
    for kill in range(1, kills + 1):
        run = launcher.start(arguments, folder, world)
        wait_for_a_checkpoint(run, folder)
        time.sleep(rng.uniform(0, 0.05))
        run.kill()
        codes, output = run.wait()
        assert codes == [KILLED] * world, output
        assert ("continues after step" in output) == (kill > 1)


@pytest.mark.parametrize(
    ("arguments", "steps", "world"),
    [(f"{SMALL} --precision fp16", 300, 1), (f"{SMALL} --sharding fsdp", 80, 2)],
    ids=["fp16 on one process", "fsdp on two"],
)
def test_killed_at_random_moments_equals_uninterrupted(launcher, tensors_of, tmp_path, arguments, steps, world):
    arguments, folder = f"{arguments} --steps {steps}", tmp_path / "killed"
    launcher.run(arguments, tmp_path / "whole", world)
    kill_at_random_moments(launcher, arguments, folder, world, kills=3, seed=steps)
    assert "continues after step" in launcher.run(arguments, folder, world)
    assert_same(folder, tmp_path / "whole", tensors_of)
    assert_log_is_whole(folder, steps, 10, last=steps)


def test_killed_at_every_file_operation_equals_uninterrupted(launcher, tensors_of, tmp_path):
    """The n-th process is killed before its n-th operation on a file, until one gets through to the end."""
    arguments, folder, left = f"{SMALL} --steps 40", tmp_path / "killed", set[str]()
    launcher.run(arguments, tmp_path / "whole")
    for kills in range(100):
        codes, output = launcher.start(arguments, folder, kill_at=kills + 1).wait()
        if codes != [KILLED]:
            break
        left |= {str(path.relative_to(folder)) for path in folder.rglob("*")}
    assert codes == [0], output
    # Kills fell into the writing of the log, of tensors, of their index, and of what stands beside them.
    assert {"log.partial", "partial/__0_0.distcp", "partial/.metadata.tmp", "partial/run.json"} <= left
    assert_same(folder, tmp_path / "whole", tensors_of)
    assert_log_is_whole(folder, 40, 10, last=40)


def test_killed_while_several_processes_write_a_checkpoint(launcher, tensors_of, tmp_path):
    arguments, folder = f"{SMALL} --sharding zero --steps 20", tmp_path / "killed"
    launcher.run(arguments, tmp_path / "whole", world=2)
    left = set[str]()
    for kill_at in (10, 14):
        codes, output = launcher.start(arguments, folder, world=2, kill_at=kill_at).wait()
        assert codes[0] == KILLED, output
        left |= {path.name for path in (folder / "partial").glob("*")}
    assert "__0_0.distcp" in left
    launcher.run(arguments, folder, world=2)
    assert_same(folder, tmp_path / "whole", tensors_of)


@pytest.mark.parametrize(
    ("arguments", "steps", "world"),
    [(SMALL, 300, 1), (f"{SMALL} --sharding ddp", 100, 2)],
    ids=["one process", "ddp on two"],
)
def test_sigterm_finishes_the_step_and_writes_a_checkpoint(launcher, tensors_of, tmp_path, arguments, steps, world):
    arguments, folder = f"{arguments} --steps {steps}", tmp_path / "stopped"
    launcher.run(arguments, tmp_path / "whole", world)
    run = launcher.start(arguments, folder, world)
    wait_for_a_checkpoint(run, folder)
    os.kill(run.processes[-1].pid, signal.SIGTERM)  # the last one only: all must stop at the same step
    codes, output = run.wait()
    assert codes == [128 + signal.SIGTERM] * world, output
    step = int(re.search(r"stopped by SIGTERM after step (\d+)", output)[1])
    assert 10 <= step < steps and f"weights in {folder / f'step-{step:08d}'}" in output
    assert_log_is_whole(folder, step, 10, last=steps)
    assert f"continues after step {step} " in launcher.run(arguments, folder, world)
    assert_same(folder, tmp_path / "whole", tensors_of)
    assert_log_is_whole(folder, steps, 10, last=steps)


# What sharding may change: gradients are sums in another order. Over 64 rows and 128 units a sum in float32 is
# off by at most 200 * 2^-24 = 1.2e-5 of the sum of the magnitudes, and gradients here are below 1. Adam with
# eps = 0.1 turns a difference d of a gradient into at most 2 d / 0.1 of a step: 2.4e-4 lr. With lr = 0.01, 20 steps
# sum up to 4.8e-5, and the differences so far change the gradients by less than as much again.
SMOOTH = "digits-mlp --batch-size 64 --set eps=0.1 --lr 0.01 --clip 1 --steps 20 --every 10"
BOUND = 1e-4


def assert_near(folder, other, tensors_of):
    ours, theirs = tensors_of(last(folder)), tensors_of(last(other))
    assert ours.keys() == theirs.keys() and last(folder).name == last(other).name
    for name, tensor in ours.items():
        assert (tensor - theirs[name]).abs().max() < BOUND, name


@pytest.fixture(scope="module")
def alone(launcher_for_all):
    """A run on one process, to compare with."""
    folder = launcher_for_all.folder / "alone"
    launcher_for_all.run(SMOOTH, folder)
    return folder


def test_the_bound_is_far_below_what_moves(launcher, alone, tensors_of, tmp_path):
    launcher.run(f"{SMOOTH} --seed 1", tmp_path / "other")
    before, after = (tensors_of(alone / f"step-000000{step}") for step in (10, 20))
    other = tensors_of(last(tmp_path / "other"))
    for name in after:
        if name.startswith(".model"):
            assert (after[name] - before[name]).abs().max() > 30 * BOUND
            assert (after[name] - other[name]).abs().max() > 30 * BOUND


@pytest.mark.parametrize("sharding", ["ddp", "zero", "fsdp"])
def test_sharding_changes_nothing_but_the_order_of_sums(launcher, alone, tensors_of, tmp_path, sharding):
    launcher.run(f"{SMOOTH} --sharding {sharding}", tmp_path / "run", world=2)
    assert_near(tmp_path / "run", alone, tensors_of)
    assert_log_is_whole(tmp_path / "run", 20, 10, last=20)


@pytest.mark.parametrize(
    ("first", "world", "then", "new_world"),
    [("fsdp", 2, "none", 1), ("zero", 2, "fsdp", 1), ("none", 1, "zero", 2), ("ddp", 1, "fsdp", 2)],
)
def test_continues_on_another_number_of_processes(
    launcher, alone, tensors_of, tmp_path, first, world, then, new_world
):
    launcher.run(f"{SMOOTH} --steps 10 --sharding {first}", tmp_path / "run", world)
    output = launcher.run(f"{SMOOTH} --sharding {then}", tmp_path / "run", new_world)
    assert "continues after step 10" in output
    assert_near(tmp_path / "run", alone, tensors_of)


@pytest.mark.parametrize(("sharding", "world"), [("ddp", 3), ("fsdp", 3), ("zero", 5)])
def test_many_processes_continue_with_the_same_bits(launcher, tensors_of, tmp_path, sharding, world):
    """A sum of more than two depends on their order. With five processes, ZeRO leaves one without parameters."""
    arguments = f"digits-mlp --batch-size 15 --every 2 --sharding {sharding}"
    for folder, steps in (("whole", 4), ("halves", 2), ("halves", 4)):
        launcher.run(f"{arguments} --steps {steps}", tmp_path / folder, world)
    for step in ("step-00000002", "step-00000004"):
        whole, halves = (tensors_of(tmp_path / folder / step) for folder in ("whole", "halves"))
        assert whole.keys() == halves.keys()
        for name in whole:
            assert torch.equal(whole[name], halves[name]), (step, name)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_reduced_precision_trains_as_float32_does(launcher, alone, tmp_path, precision):
    """bfloat16 keeps 8 bits of a logit below 8: 2^-8 * 8 = 0.03 of loss, and less in the mean over 64 rows."""
    launcher.run(f"{SMOOTH} --precision {precision}", tmp_path / "run")
    losses, reference = (
        [float(line.split(",")[2]) for line in (folder / "log.csv").read_text().splitlines()[1:]]
        for folder in (tmp_path / "run", alone)
    )
    assert losses != reference
    assert max(abs(a - b) for a, b in zip(losses, reference, strict=True)) < 0.03
    scaler = json.loads((last(tmp_path / "run") / "run.json").read_text())["scaler"]
    assert bool(scaler) == (precision == "fp16")


@pytest.mark.parametrize("task", ["digits-mlp", "digits-cnn"])
def test_digits_are_learned(launcher, task):
    """A linear classifier gets some 95 % of these digits right; 450 test rows make that uncertain by 1 %."""
    output = launcher.run(f"{task} --optimizer torch.optim.Adam --lr 0.003 --schedule cosine --steps 250 --every 250")
    accuracy = float(re.search(r"done after step 250: .*accuracy ([\d.]+)", output)[1])
    assert accuracy > 0.95
    assert "nothing was kept" in output


def test_the_text_is_learned_beyond_its_letters_frequencies(launcher):
    """Better than knowing how often each character occurs takes a look at the characters before."""
    counts = np.bincount(characters().ids)
    entropy = -(counts / counts.sum() * np.log(counts / counts.sum())).sum()
    output = launcher.run("text-transformer --batch-size 16 --lr 0.003 --optimizer AdamW --steps 60")
    assert float(re.search(r"done after step 60: test loss ([\d.]+)", output)[1]) < entropy - 0.2


def test_a_loss_that_is_not_finite_ends_the_run(launcher, tmp_path):
    arguments = "digits-mlp --optimizer SGD --lr 1e30 --steps 40 --every 10"
    codes, output = launcher.start(arguments, tmp_path / "run").wait()
    assert codes == [1]
    assert re.search(r"the training loss is (nan|inf) at step \d", output) and "Traceback" not in output
    assert not list((tmp_path / "run").glob("step-*"))


def test_two_runs_do_not_share_a_folder(launcher, tmp_path):
    first = launcher.start(f"{SMALL} --steps 100000", tmp_path / "run")
    while not (tmp_path / "run" / "log.csv").exists():
        time.sleep(0.002)
    codes, output = launcher.start(f"{SMALL} --steps 10", tmp_path / "run").wait()
    assert codes == [2] and "another run is writing" in output
    first.kill()


def test_torchrun(tmp_path):
    """The command of the README, as one types it."""
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    arguments = f"text-transformer --sharding fsdp --batch-size 4 --steps 4 --every 2 --checkpoint {folder}"
    command += ["adambook.train", *arguments.split()]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("done after step 4") == 1
    assert_log_is_whole(folder, 4, 2, last=4)
