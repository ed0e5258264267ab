"""The command line: what it may say, and what it says."""

from __future__ import annotations

import argparse
import ast
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adambook._check import real, whole

TASKS = ("digits-mlp", "digits-cnn", "text-transformer")
SCHEDULES = ("constant", "cosine")
PRECISIONS = ("fp32", "bf16", "fp16")
SHARDINGS = ("none", "ddp", "zero", "fsdp")

EXAMPLES = """\
examples:
  python -m adambook.train digits-mlp --optimizer AdamW --lr 3e-3 --set betas=0.9,0.99 --steps 500
  torchrun --nproc-per-node 2 -m adambook.train text-transformer --sharding fsdp --checkpoint runs/a

The same command continues a run from its last checkpoint, on as many processes as you like.
exit status: 0 done, 1 the loss is not finite, 2 refused, 128 + n stopped by signal n after writing a checkpoint"""


class Refused(Exception):
    """Ends the program with one sentence, before anything has started."""


@dataclass(frozen=True)
class Settings:
    """One run, as the command line describes it."""

    task: str
    optimizer: str
    hyper: dict[str, Any]
    steps: int
    batch_size: int
    schedule: str
    warmup: int
    dropout: float
    clip: float | None
    seed: int
    precision: str
    device: str
    sharding: str
    compile: bool
    checkpoint: Path | None
    every: int
    log: str

    def identity(self, hyper: dict[str, Any]) -> dict[str, Any]:
        """Return what a checkpoint must agree with to be continued: all that the weights depend on.

        Left out is how the work is spread and run (processes, sharding, device, compile), and how many
        steps there are where the learning rate does not depend on it.
        """
        same = ("task", "optimizer", "batch_size", "schedule", "warmup", "dropout", "clip", "seed", "precision")
        of_schedule = ("steps",) if self.schedule == "cosine" else ()
        # The text is that of Python's own help, which each version writes anew.
        of_text = {"python": platform.python_version()} if self.task == "text-transformer" else {}
        return {name: getattr(self, name) for name in (*same, *of_schedule)} | of_text | hyper


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """Return the settings of a command line; SystemExit 2 or `Refused` if it makes no sense."""
    options = _parser().parse_args(arguments)
    hyper = dict(_assignment(text) for text in options.set)
    if options.lr is not None:
        hyper["lr"] = options.lr
    try:
        whole("--steps", options.steps, 1)
        whole("--batch-size", options.batch_size, 1)
        whole("--warmup", options.warmup, 0, options.steps - 1)
        whole("--every", options.every, 1)
        whole("--seed", options.seed, 0)
        real("--dropout", options.dropout, 0, 1, open_high=True)
        if options.clip is not None and real("--clip", options.clip, 0) == 0:
            raise ValueError("--clip = 0 would stop the weights; allowed: more than 0")
    except (TypeError, ValueError) as error:
        raise Refused(str(error)) from error
    if options.log and options.checkpoint is None:
        raise Refused(f"--log {options.log} needs a folder to write to; add --checkpoint DIR")
    options.log = options.log or "csv"
    del options.lr, options.set
    return Settings(hyper=hyper, **vars(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="adambook.train",
        description="Train a network of the book with one of its optimizers.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("task", choices=TASKS)
    add("--optimizer", default="Adam", help="a class of adambook.torch_optim, or torch.optim.NAME (default: Adam)")
    add("--lr", type=float, help="learning rate (default: the optimizer's)")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="any other option of the optimizer")
    add("--steps", type=int, default=500)
    add("--batch-size", type=int, default=64, help="rows of one step, over all processes (default: 64)")
    add("--schedule", choices=SCHEDULES, default="constant", help="how the learning rate goes (default: constant)")
    add("--warmup", type=int, default=0, metavar="STEPS", help="steps of a linear rise before that")
    add("--dropout", type=float, default=0.0, metavar="P")
    add("--clip", type=float, metavar="NORM", help="the largest norm of the gradient")
    add("--seed", type=int, default=0, help="of the first weights, the order of the data and dropout")
    add("--precision", choices=PRECISIONS, default="fp32", help="autocast; fp16 scales the loss (default: fp32)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--sharding", choices=SHARDINGS, default="none", help="over the processes of torchrun (default: none)")
    add("--compile", action="store_true", help="compile the model with torch.compile")
    add("--checkpoint", type=Path, metavar="DIR", help="keep checkpoints and the log there, and continue from there")
    add("--every", type=int, default=100, metavar="STEPS", help="evaluate, log and checkpoint so often (default: 100)")
    add("--log", choices=("csv", "tensorboard"), help="how the log is written (default: csv)")
    return parser


def _assignment(text: str) -> tuple[str, Any]:
    """Return name and value of ``name=value``; ``0.9,0.99`` is a tuple."""
    name, equals, value = text.partition("=")
    try:
        if not (equals and name.isidentifier()):
            raise ValueError
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        raise Refused(
            f"--set {text} is not understood; allowed: NAME=VALUE, such as weight_decay=0.1, betas=0.9,0.99 "
            "or amsgrad=True"
        ) from None
