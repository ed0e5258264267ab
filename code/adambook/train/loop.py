"""The training loop.

Everything in it that could differ between a run and its continuation (the batch, the learning rate, dropout)
is a function of the step. So a checkpoint is weights, optimizer state and loss scale, and a run that was
killed ends with the same bits as one that was not.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from adambook import torch_optim
from adambook._check import changes
from adambook.schedules import constant, cosine
from adambook.train.checkpoint import Checkpoints, about
from adambook.train.log import LOGS, Log, Row
from adambook.train.processes import Processes
from adambook.train.settings import Refused, Settings
from adambook.train.tasks import Task, build

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
DROPOUT = 4  # what a random stream is for, after those of adambook.tasks
CURVATURE_EVERY = 10  # steps between two of Sophia's estimates, as in its paper


@contextmanager
def averaged(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Put an average of the parameters in their place where the optimizer keeps one (Schedule-Free).

    Afterwards the parameters are bit for bit what they were, so that a test changes nothing in a run.
    """
    if not hasattr(optimizer, "eval"):
        yield
        return
    were = [p.detach().clone() for p in model.parameters()]
    optimizer.eval()
    try:
        yield
    finally:
        optimizer.train()  # type: ignore[attr-defined]
        with torch.no_grad():
            for p, was in zip(model.parameters(), were, strict=True):
                p.copy_(was)


def _optimizers(module: Any, *unfit: str) -> list[str]:
    kinds = (kind for kind in vars(module).values() if inspect.isclass(kind))
    return sorted(
        kind.__name__ for kind in kinds if issubclass(kind, torch.optim.Optimizer) and kind.__name__ not in unfit
    )


# SophiaH takes a second derivative at some steps, which DDP, FSDP2 and a compiled model do not give.
OURS = _optimizers(torch_optim, "Optimizer", "SophiaH")
# LBFGS evaluates the model several times a step; SparseAdam takes no dense gradients.
THEIRS = _optimizers(torch.optim, "Optimizer", "LBFGS", "SparseAdam")


class Tested(NamedTuple):
    """Mean cross-entropy and share of right answers on the test data."""

    loss: float
    accuracy: float

    def __str__(self) -> str:
        return f"test loss {self.loss:.4f}, accuracy {self.accuracy:.4f}"


def train(settings: Settings) -> int:
    """Train as the settings say, from the last checkpoint if there is one; return the exit status.

    Raises `Refused`, before anything is written, for settings that do not work.
    """
    kind = optimizer_class(settings.optimizer)
    if kind is torch_optim.SophiaG and settings.precision == "fp16":
        raise Refused("--precision fp16 does not go with SophiaG, whose squares overflow; allowed: fp32, bf16")
    try:
        task = build(settings)
        defaults = kind(task.model.parameters(), **settings.hyper).defaults
    except (ImportError, NotImplementedError, TypeError, ValueError, RuntimeError) as error:
        raise Refused(_hyper_sentence(kind, settings) or str(error)) from error
    with ExitStack() as stack:
        processes = stack.enter_context(Processes(settings))
        stop = stack.enter_context(Signals())
        return Run(settings, task, kind, defaults, processes, stop).train()


def optimizer_class(name: str) -> Any:
    """Return the class of that name, ours or, with ``torch.optim.`` before it, torch's."""
    module, _, last = name.rpartition(".")
    if module == "" and last in OURS:
        return getattr(torch_optim, last)
    if module == "torch.optim" and last in THEIRS:
        return getattr(torch.optim, last)
    raise Refused(
        f"--optimizer {name} is unknown; allowed: {', '.join(OURS)}, or torch.optim. followed by {', '.join(THEIRS)}"
    )


def _hyper_sentence(kind: Any, settings: Settings) -> str | None:
    """Return a sentence for an option that the optimizer does not have."""
    allowed = [name for name in inspect.signature(kind).parameters if name != "params"]
    unknown = [name for name in settings.hyper if name not in allowed]
    return f"{settings.optimizer} has no option {unknown[0]!r}; allowed: {', '.join(allowed)}" if unknown else None


def schedule(settings: Settings, step: int) -> float:
    """Return the factor of the learning rate at a step, counted from 1."""
    if settings.schedule == "constant":
        return constant(settings.warmup)(step)
    return cosine(settings.steps, settings.warmup)(step)


class Signals:
    """Remembers SIGTERM or Ctrl-C until the step is over."""

    def __init__(self) -> None:
        self.number = 0

    def __enter__(self) -> Self:
        self.before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: object) -> None:
        self.number = number


class Run:
    """One run: a task, an optimizer, and where they stand."""

    def __init__(
        self,
        settings: Settings,
        task: Task,
        kind: Any,
        defaults: dict[str, Any],
        processes: Processes,
        stop: Signals,
    ) -> None:
        self.settings, self.task, self.processes, self.stop = settings, task, processes, stop
        self.lr = defaults["lr"]
        self.identity = json.loads(json.dumps(settings.identity(defaults), default=str))
        self.checkpoints = Checkpoints(settings.checkpoint, processes) if settings.checkpoint else None
        latest = self.checkpoints.latest() if self.checkpoints else None
        known = about(latest) if latest else {"step": 0, "settings": self.identity}
        self._check_same(known["settings"])
        self.start = known["step"]
        self.log: Log | None = None  # on the first process only
        processes.first(self._open_log)

        self.model = processes.spread(task.model.to(processes.device))
        self.forward = torch.compile(self.model) if settings.compile else self.model
        if processes.sharding in ("ddp", "zero"):
            # DDP arranges its buffers after the first backward pass, and a sum of three is rounded according to
            # its place in a buffer: after this pass, a run and its continuation have the same arrangement.
            F.cross_entropy(*self._predict(task.batch(1))).backward()  # type: ignore[no-untyped-call]
        self.optimizer = processes.optimizer(kind, self.model, settings.hyper)
        inner = getattr(self.optimizer, "optim", self.optimizer)  # what ZeRO wraps
        self.sophia = inner if isinstance(inner, torch_optim.SophiaG) else None
        self.scaler = torch.amp.GradScaler(processes.device.type, enabled=settings.precision == "fp16")
        if self.checkpoints and latest:
            self.checkpoints.load(latest, self.model, self.optimizer)
            self.scaler.load_state_dict(known["scaler"])
            self._say(f"continues after step {self.start} from {latest}")

    def _check_same(self, then: dict[str, Any]) -> None:
        changed = changes(then, self.identity)
        if changed:
            raise Refused(
                f"{self.settings.checkpoint} holds a run of other settings: {changed}. "
                "Use its settings, or another folder for --checkpoint"
            )

    def _open_log(self) -> None:
        if self.settings.checkpoint is not None:
            self.log = LOGS[self.settings.log](self.settings.checkpoint, self.start)

    def train(self) -> int:
        """Take the steps that are left; return the exit status."""
        last, tested, losses = self.settings.steps, None, list[Tensor]()
        for step in self._steps():
            losses.append(self._step(step))
            stopped = self.processes.largest(self.stop.number)
            due = step % self.settings.every == 0 or step == last
            if due or stopped:
                tested = self.test() if due else None
                if not self._keep(step, losses, tested):
                    return 1
                losses.clear()
            if stopped and step < last:
                self._say(f"stopped by {signal.Signals(stopped).name} after step {step}; {self._where(step)}")
                return 128 + stopped
        tested = tested or self.test()
        at = max(self.start, last)
        self._say(f"done after step {at}: {tested}; {self._where(at)}")
        return 0

    def _steps(self) -> Iterable[int]:
        """Return the steps that are left, under a progress bar where somebody looks."""
        steps = range(self.start + 1, self.settings.steps + 1)
        tqdm = _tqdm()
        if tqdm is None or self.processes.rank or "ADAMBOOK_NO_PROGRESS" in os.environ:
            return steps
        total = self.settings.steps
        bar: Iterable[int] = tqdm(steps, self.settings.task, total, initial=self.start, leave=False, disable=None)
        return bar

    def _step(self, step: int) -> Tensor:
        """Take one step; return the training loss of this process's share."""
        self.model.train()
        stream = np.random.SeedSequence((DROPOUT, self.settings.seed, step, self.processes.rank))
        torch.manual_seed(int(stream.generate_state(1, np.uint64)[0]))
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * schedule(self.settings, step)
        if self.sophia and step % CURVATURE_EVERY == 1:
            self._look_at_curvature(self.sophia, step)
        self.optimizer.zero_grad()
        logits, y = self._predict(self.task.batch(step))
        loss = F.cross_entropy(logits, y)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        if self.settings.clip is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach()

    def _look_at_curvature(self, sophia: torch_optim.SophiaG, step: int) -> None:
        """Give Sophia the gradient for labels that are drawn from the model's own prediction."""
        batch = self.task.batch(step)
        logits, _ = self._predict(batch)
        drawn = torch.multinomial(logits.detach().softmax(-1), 1)[:, 0]
        self.optimizer.zero_grad()
        F.cross_entropy(logits, drawn).backward()  # type: ignore[no-untyped-call]
        sophia.update_hessian(batch[1].numel())

    @torch.no_grad()
    def test(self) -> Tested:
        """Return loss and accuracy on all of the test data; each process looks at its share."""
        self.model.eval()
        with averaged(self.model, self.optimizer):
            logits, y = self._predict(self.task.test)
        loss, right = F.cross_entropy(logits, y, reduction="sum"), (logits.argmax(-1) == y).sum()
        sums = self.processes.sum(torch.stack([loss.double(), right.double()]))
        loss_mean, accuracy = (sums / self.task.test[1].numel()).tolist()
        return Tested(loss_mean, accuracy)

    def _predict(self, pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Return logits (n, classes) in float32 and the right classes (n,) of this process's share."""
        x, y = map(self.processes.share, pair)
        precision = self.settings.precision
        with torch.autocast(self.processes.device.type, DTYPES[precision], enabled=precision != "fp32"):
            # A test has another shape and no gradient: not worth compiling a second time.
            logits = self.forward(x) if self.model.training else self.model(x)
        return logits.float().flatten(0, -2), y.flatten()

    def _keep(self, step: int, losses: list[Tensor], tested: Tested | None) -> bool:
        """Report, log and checkpoint what was reached; False if the loss is no longer finite."""
        means = (self.processes.sum(torch.stack(losses)) / self.processes.world).tolist()
        first = step - len(means) + 1
        for at, loss in enumerate(means, first):
            if not math.isfinite(loss):
                self._say(f"the training loss is {loss} at step {at}; a smaller --lr, --warmup or --clip may help")
                return False
        if tested:
            self._say(f"step {step}: train loss {sum(means) / len(means):.4f}, {tested}")
        if self.checkpoints:
            rows = [Row(at, self.lr * schedule(self.settings, at), loss) for at, loss in enumerate(means, first)]
            if tested:
                rows[-1] = rows[-1]._replace(test_loss=tested.loss, test_accuracy=tested.accuracy)
            if self.log:
                self.log.write(rows)
            facts = {"step": step, "settings": self.identity, "scaler": self.scaler.state_dict()}
            self.checkpoints.save(step, self.model, self.optimizer, facts)
        return True

    def _where(self, step: int) -> str:
        if self.checkpoints is None:
            return "nothing was kept; --checkpoint DIR keeps weights and log"
        log = LOGS[self.settings.log].place(self.checkpoints.folder)
        return f"weights in {self.checkpoints.place(step)}, log in {log}"

    def _say(self, line: str) -> None:
        if self.processes.rank == 0:
            tqdm = _tqdm()
            (tqdm.write if tqdm else print)(line)
            sys.stdout.flush()


def _tqdm() -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm
