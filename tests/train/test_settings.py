"""The command line, the schedule, the order of the data, and the logs: what needs no process of its own."""

from __future__ import annotations

import functools
import inspect
import math
import sys
import time
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from adambook import data, tasks, torch_optim
from adambook.train.__main__ import main
from adambook.train.log import CsvLog, Row, TensorBoardLog
from adambook.train.loop import OURS, THEIRS, averaged, optimizer_class, schedule, train
from adambook.train.settings import Refused, parse
from adambook.train.tasks import build


def read(line):
    return parse(line.split())


def run(line):
    return main(line.split())


def test_the_command_line_says_what_it_means():
    settings = read("digits-cnn --optimizer AdamW --lr 3e-3 --set betas=0.9,0.99 --set amsgrad=True --set eps=1e-7")
    assert settings.hyper == {"lr": 0.003, "betas": (0.9, 0.99), "amsgrad": True, "eps": 1e-7}
    assert (settings.task, settings.optimizer, settings.sharding) == ("digits-cnn", "AdamW", "none")
    assert settings.checkpoint is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("digits", "'digits-mlp', 'digits-cnn', 'text-transformer'"),
        ("digits-mlp --steps many", "--steps"),
        ("digits-mlp --sharding tensor", "'none', 'ddp', 'zero', 'fsdp'"),
        ("digits-mlp --steps 0", "--steps = 0 is out of range"),
        ("digits-mlp --steps 10 --warmup 10", "--warmup = 10 is out of range; allowed: a whole number, at least 0"),
        ("digits-mlp --dropout 1", "--dropout = 1.0 is out of range"),
        ("digits-mlp --clip 0", "--clip = 0"),
        ("digits-mlp --batch-size 2000", "--batch-size = 2000 is out of range"),
        ("digits-mlp --log csv", "add --checkpoint DIR"),
        ("digits-mlp --set betas", "--set betas is not understood"),
        ("digits-mlp --set beta=0.9,0.99", "Adam has no option 'beta'; allowed: lr, betas, eps"),
        ("digits-mlp --set betas=0.9,1.5", "betas[1] = 1.5 is out of range"),
        ("digits-mlp --lr -1", "lr = -1.0 is out of range"),
        ("digits-mlp --set amsgrad=1", "amsgrad = 1 is not a bool"),
        ("digits-mlp --optimizer torch.optim.Adam --lr -1", "Invalid learning rate: -1.0"),
        ("digits-mlp --optimizer Adamm", "--optimizer Adamm is unknown; allowed: AMSGrad, "),
        ("digits-mlp --optimizer torch.optim.Muon", "Muon only supports 2D parameters"),
        ("digits-mlp --optimizer torch.optim.LBFGS", "torch.optim. followed by ASGD, Adadelta"),
        ("digits-mlp --optimizer Optimizer", "--optimizer Optimizer is unknown"),
        ("digits-mlp --sharding fsdp", "--sharding fsdp needs the processes of torchrun"),
        pytest.param(
            "digits-mlp --device cuda",
            "--device cuda: this PyTorch sees no CUDA device",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here"),
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(arguments, said, capsys):
    try:
        status = run(arguments)
    except SystemExit as stop:  # argparse's
        status = stop.code
    assert status == 2
    output = capsys.readouterr()
    assert said in output.err and output.out == ""
    assert "Traceback" not in output.err


@pytest.mark.parametrize(
    ("processes", "arguments", "said"),
    [
        (2, "digits-mlp", "--sharding none is for one process, and here are 2"),
        (3, "digits-mlp --sharding ddp", "--batch-size 64 cannot be shared by 3 processes; allowed: multiples of 3"),
    ],
)
def test_a_mistake_is_said_by_the_first_process_alone(processes, arguments, said, capsys, monkeypatch):
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    for rank in range(processes):
        monkeypatch.setenv("RANK", str(rank))
        assert run(arguments) == 2
        assert (said in capsys.readouterr().err) == (rank == 0)
        assert len(waited) == rank  # the others give it time to speak


def test_a_folder_that_cannot_be_written_to(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert run(f"digits-mlp --checkpoint {tmp_path / 'file' / 'run'}") == 2
    assert "cannot be written to" in capsys.readouterr().err


def test_a_checkpoint_of_other_settings_is_refused_with_the_difference(tmp_path, capsys):
    command = f"digits-mlp --batch-size 8 --steps 2 --checkpoint {tmp_path}"
    assert run(command) == 0
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert run(f"{command} --lr 0.5 --clip 1") == 2
    said = capsys.readouterr().err
    assert "clip was None, is 1.0; lr was 0.001, is 0.5." in said and "batch_size" not in said
    assert run(f"{command} --optimizer SGD") == 2
    assert "optimizer was Adam, is SGD" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != "lock"} == {
        path: time for path, time in kept.items() if path.name != "lock"
    }
    # What the weights do not depend on may change: how often it is looked at, and how long a constant rate goes on.
    assert run(f"{command} --every 1 --steps 4") == 0
    assert "continues after step 2" in capsys.readouterr().out


def test_what_a_checkpoint_must_agree_with():
    """All that the weights depend on, and nothing else: the text depends on the version of Python."""
    digits = read("digits-mlp --schedule cosine --sharding ddp --compile --every 7").identity({"lr": 0.1})
    assert {"steps", "lr", "seed", "batch_size"} <= set(digits)
    assert not set(digits) & {"sharding", "device", "compile", "checkpoint", "every", "log", "python"}
    text = read("text-transformer").identity({})
    assert "python" in text and "steps" not in text


def test_every_optimizer_can_be_named():
    assert {"SGD", "Adam", "AdamW"} <= set(OURS) and {"SGD", "Adam", "NAdam"} <= set(THEIRS)
    assert optimizer_class("Adam") is torch_optim.Adam
    assert optimizer_class("torch.optim.Adam") is torch.optim.Adam
    with pytest.raises(Refused):
        optimizer_class("builtins.dict")


EVERY = [*OURS, *(f"torch.optim.{name}" for name in THEIRS)]


@pytest.mark.parametrize("name", [name for name in EVERY if not name.endswith("Muon")])  # it takes matrices only
def test_every_optimizer_continues_as_if_it_had_not_stopped(name, tmp_path, tensors_of):
    arguments = f"digits-mlp --batch-size 8 --optimizer {name} --every 2"
    for option, value in (("weight_decay", 0.1), ("momentum", 0.9)):
        if option in inspect.signature(optimizer_class(name)).parameters:
            arguments += f" --set {option}={value}"
    for folder, steps in (("whole", 4), ("halves", 2), ("halves", 4)):
        assert run(f"{arguments} --steps {steps} --checkpoint {tmp_path / folder}") == 0
    whole, halves = (tensors_of(tmp_path / folder / "step-00000004") for folder in ("whole", "halves"))
    assert whole.keys() == halves.keys() and len(whole) >= 4
    for key in whole:
        assert torch.equal(whole[key], halves[key]), key


def test_sophia_looks_at_the_curvature_at_every_tenth_step(tmp_path, tensors_of):
    h = []
    for step in (1, 10, 11, 12):  # each goes on from the last
        assert run(f"digits-mlp --batch-size 8 --optimizer SophiaG --steps {step} --checkpoint {tmp_path}") == 0
        h.append(tensors_of(tmp_path / f"step-{step:08}")[".optimizer.state.0.weight.hessian"])
    # B = 8 and beta2 = 0.99: one percent of 8 squares, the rest of them 0 where a pixel is black
    assert torch.equal(h[0], h[1]) and torch.equal(h[2], h[3]) and not torch.equal(h[1], h[2])
    assert 0 < h[0].max() < 0.01 * 8  # gradients of a mean of losses are below 1 here


def test_sophia_refuses_fp16():
    with pytest.raises(Refused, match=r"fp16 does not go with SophiaG.*allowed: fp32, bf16"):
        train(read("digits-mlp --optimizer SophiaG --precision fp16 --steps 1"))


def test_a_checkpoint_before_the_first_step_that_fp16_does_not_skip(tmp_path, tensors_of, monkeypatch):
    """With a loss scale of 2^40 every gradient overflows until the scale has been halved some twenty times."""
    monkeypatch.setattr(torch.amp, "GradScaler", functools.partial(torch.amp.GradScaler, init_scale=2.0**40))
    arguments = "digits-mlp --batch-size 8 --precision fp16 --every 2"
    for folder, steps in (("whole", 40), ("parts", 2), ("parts", 40)):
        assert run(f"{arguments} --steps {steps} --checkpoint {tmp_path / folder}") == 0
        if steps == 2:
            assert {name.split(".")[1] for name in tensors_of(tmp_path / folder / "step-00000002")} == {"model"}
    whole, parts = (tensors_of(tmp_path / folder / "step-00000040") for folder in ("whole", "parts"))
    assert 0 < whole[".optimizer.state.0.weight.step"] < 39
    for key in whole:
        assert torch.equal(whole[key], parts[key]), key


def test_the_schedule():
    constant = read("digits-mlp --steps 8 --warmup 3")
    assert [schedule(constant, step) for step in range(1, 9)] == [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]
    cosine = read("digits-mlp --steps 8 --warmup 4 --schedule cosine")
    expected = [0.2, 0.4, 0.6, 0.8, *(0.5 + 0.5 * math.cos(math.pi * k / 4) for k in range(4))]
    assert [schedule(cosine, step) for step in range(1, 9)] == pytest.approx(expected, rel=1e-15)


def test_digits_come_in_the_order_of_the_books_tasks():
    """A run in torch and one in NumPy with the same seed see the same rows at each step."""
    batch = build(read("digits-mlp --seed 3 --batch-size 100")).batch
    numbers = tasks.MLP(data.digits(), hidden=4, batch=100, seeds=3)
    for step in (40, 1, 13, 14, 1):  # in any order: 13 batches make an epoch
        rows = numbers.batch_rows(step)
        x, y = batch(step)
        assert y.tolist() == numbers.data.y_train[rows].tolist()
        assert torch.equal(x, torch.tensor(numbers.data.x_train[rows], dtype=torch.float32))


def test_text_batches_depend_on_seed_and_step_and_never_show_the_test(monkeypatch):
    # A text in which every character tells its place.
    text = data.Tokens(np.arange(20_000), tuple(map(str, range(20_000))))
    monkeypatch.setattr("adambook.train.tasks.characters", lambda: text)
    task, again = (build(read("text-transformer --batch-size 200")) for _ in range(2))
    other = build(read("text-transformer --batch-size 200 --seed 1"))
    x, y = task.batch(7)
    assert x.shape == (200, 64) and torch.equal(y, x + 1)
    assert torch.equal(x, again.batch(7)[0])
    assert not torch.equal(x, task.batch(8)[0]) and not torch.equal(x, other.batch(7)[0])
    for ours, theirs in zip(task.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    shown = {place for step in range(1, 100) for part in task.batch(step) for place in part.flatten().tolist()}
    held_out = {place for part in task.test for place in part.flatten().tolist()}
    assert len(held_out) == 10 * 65 and len(shown) > 17_000 and not held_out & shown


def test_the_csv_log_is_cut_where_the_run_continues(tmp_path):
    log = CsvLog(tmp_path, start=0)
    log.write([Row(1, 0.1, 2.5), Row(2, 0.1, 2.0, 2.1, 0.5), Row(3, 0.1, 1.5)])
    with log.place(tmp_path).open("a") as file:
        file.write("4,0.")  # killed here
    log = CsvLog(tmp_path, start=2)
    log.write([Row(3, 0.1, 1.5)])
    assert log.place(tmp_path).read_text().splitlines()[1:] == ["1,0.1,2.5,,", "2,0.1,2.0,2.1,0.5", "3,0.1,1.5,,"]


def test_the_tensorboard_log_says_where_it_continues(tmp_path, monkeypatch):
    written = []

    class SummaryWriter:
        def __init__(self, folder, purge_step):
            written.append((folder, purge_step))

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

        def flush(self):
            written.append("flushed")

    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, module.__name__, module)
    TensorBoardLog(tmp_path, start=5).write([Row(6, 0.1, 2.0), Row(7, 0.1, 1.0, 1.5, 0.9)])
    assert written == [
        (tmp_path / "tensorboard", 6),
        ("lr", 0.1, 6), ("train_loss", 2.0, 6),
        ("lr", 0.1, 7), ("train_loss", 1.0, 7), ("test_loss", 1.5, 7), ("test_accuracy", 0.9, 7),
        "flushed",
    ]  # fmt: skip


def test_tensorboard_is_asked_for_only_where_it_is_wanted(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    arguments = f"digits-mlp --steps 1 --checkpoint {tmp_path}"
    assert run(arguments) == 0
    assert run(f"{arguments} --log tensorboard") == 2
    assert "pip install tensorboard" in capsys.readouterr().err


def test_without_torch_there_is_a_sentence(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("adambook.train.") or name == "adambook.torch_optim"]:
        if name not in ("adambook.train.settings", "adambook.train.__main__"):
            monkeypatch.delitem(sys.modules, name)
    assert main(["digits-mlp"]) == 2
    assert "pip install 'adambook[torch]'" in capsys.readouterr().err


def test_a_compiled_model_takes_the_steps(tmp_path, monkeypatch, capsys):
    compiled = []

    def compile(model):
        def forward(x):
            compiled.append(len(x))
            return model(x)

        return forward

    monkeypatch.setattr(torch, "compile", compile)
    assert run(f"digits-mlp --batch-size 8 --steps 3 --every 1 --compile --checkpoint {tmp_path}") == 0
    assert compiled == [8, 8, 8]
    # Its checkpoint continues without it.
    assert run(f"digits-mlp --batch-size 8 --steps 4 --checkpoint {tmp_path}") == 0
    assert "continues after step 3" in capsys.readouterr().out


def test_without_tqdm_lines_are_printed(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert run("digits-mlp --steps 2") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("done after step 2: test loss")


def test_a_bar_is_shown_to_the_first_process(monkeypatch):
    bars = []

    def tqdm(steps, name, total, **options):
        bars.append((steps, name, total, options["initial"]))
        return steps

    tqdm.write = print
    monkeypatch.setitem(sys.modules, "tqdm", SimpleNamespace(tqdm=tqdm))
    assert run("digits-mlp --steps 2") == 0 and not bars  # tests ask for none
    monkeypatch.delenv("ADAMBOOK_NO_PROGRESS")
    assert run("digits-mlp --steps 2") == 0
    assert bars == [(range(1, 3), "digits-mlp", 2, 0)]


def test_schedule_free_is_tested_at_its_average():
    """And a test leaves the parameters bit for bit as they were."""
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = torch_optim.ScheduleFreeSGD(model.parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        model(torch.randn(4, 3)).square().sum().backward()
        optimizer.step()
    were = [p.detach().clone() for p in model.parameters()]
    optimizer.eval()
    averages = [p.detach().clone() for p in model.parameters()]
    optimizer.train()
    with torch.no_grad():
        for p, was in zip(model.parameters(), were, strict=True):
            p.copy_(was)
    with averaged(model, optimizer):
        for p, average, was in zip(model.parameters(), averages, were, strict=True):
            assert torch.equal(p, average) and not torch.equal(p, was)
    assert all(torch.equal(p, was) for p, was in zip(model.parameters(), were, strict=True))
    with averaged(model, torch_optim.SGD(model.parameters())):
        assert all(torch.equal(p, was) for p, was in zip(model.parameters(), were, strict=True))
