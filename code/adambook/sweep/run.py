"""`sweep`: the grid, its checks, and the way of its parts to processes and machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import product
from os import PathLike
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from adambook._check import real, whole
from adambook.sweep import chunk
from adambook.sweep.folder import Folder
from adambook.sweep.result import Sweep, frame
from adambook.sweep.rules import Optimizer, Options, Resolved
from adambook.sweep.stack import build_model
from adambook.sweep.task import Task, named
from adambook.tasks import progress_bar
from adambook.train.settings import TASKS

# A stack holds so many parameters at a time: then the arrays of one step stay near the processor.
CHUNK = 2**20
CONNECT = 10  # seconds to wait for a scheduler


def sweep(
    task: str | Task,
    optimizer: Optimizer,
    grid: Mapping[str, Any],
    *,
    seeds: int | Iterable[int] = 3,
    steps: int,
    schedule: Callable[[int], float] | None = None,
    every: int | None = None,
    folder: str | PathLike[str] | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    device: str = "cpu",
    progress: bool = True,
) -> Sweep:
    """Train every point of a grid with every seed at once, and return the table of what came of it.

    ``task`` is a name (digits-mlp, digits-cnn, text-transformer) or a `Task`. ``optimizer`` is the name of a class of
    `adambook.torch_optim` (all but SophiaG and SophiaH, which need a Hessian), any subclass of torch.optim.Optimizer,
    or, for another convention, a function of the grid's axes: it returns (name or class, options), or a function of a
    model that returns its optimizer or several. ``grid`` maps hyper-parameters to their values; all combinations are
    run. ``seeds`` is how many, or which. ``schedule(t)`` multiplies the learning rate at t = 1, 2, ....

    The members of a grid are trained as one stack, (points, seeds, d): rules that look at one number at a time as one
    parameter, Muon, LAMB, Adafactor and classes from elsewhere member by member. A member whose loss or parameters
    are no longer finite has ``diverged_at``, the step; it disturbs no other.

    ``every`` measures also at steps 0, every, 2 every, ..., in ``result.curves``. ``folder`` keeps every finished
    part as a Parquet file; the same call continues a sweep that was killed, and another is refused. ``workers`` are
    processes of this machine, through joblib; ``scheduler`` is the address of a Dask scheduler, whose workers need
    the same versions installed (one thread each: a process trains one stack at a time) and may die. ``progress``
    shows a bar after 2 s, as `adambook.tasks.tune` does.

    What is promised: start, batches and noise are functions of the seeds and the step, the same for all points and
    methods. (Noise is drawn for all seeds of a sweep together: another set of seeds draws other noise.) The same
    call on the same machine with as many threads gives the same numbers, bit for bit. In other stacks (other points,
    workers, or a sweep that was continued) sums may be taken in another order: they agree to rounding, which training
    amplifies as it does any other difference.

    Errors, all before the training: TypeError or ValueError that names the argument, its value and what is allowed;
    ImportError that says what to install; OSError if no scheduler answers.
    """
    points, seeds = points_of(grid), seeds_of(seeds)
    steps = whole("steps", steps, 1)
    every = None if every is None else whole("every", every, 1, steps)
    workers = whole("workers", workers, 1)
    check_device(device)
    multipliers = [1.0 if schedule is None else real(f"schedule({t})", schedule(t)) for t in range(1, steps + 1)]
    built = task_of(task)
    resolved = [Resolved(optimizer, point) for point in points]
    size, loss, metrics = check_task(built, resolved, seeds[0], points[0])
    name = optimizer if isinstance(optimizer, str) else getattr(optimizer, "__name__", type(optimizer).__name__)
    title = f"{name}, {built.name}, {steps} steps"

    runner = Runner(workers, scheduler)
    kept = None
    if folder is not None:
        identity = {
            "task": built.name,
            "parameters": size,
            "first loss": loss,
            "optimizer": name,
            "points": [repr(each) for each in resolved],
            "seeds": seeds,
            "steps": steps,
            "schedule": None if schedule is None else sha256(repr(multipliers).encode()).hexdigest()[:12],
            "every": every,
        }
        kept = Folder(folder, identity, points, len(seeds) * len(chunk.marks_of(steps, every)))
    rows = kept.rows() if kept else []
    done = {row["point"] for row in rows}
    todo = [number for number in range(len(points)) if number not in done]
    most = max(1, CHUNK // (len(seeds) * size))
    if runner.workers > 1:
        most = min(most, max(1, -(-len(todo) // runner.workers)))
    same = {"task": task, "optimizer": optimizer, "seeds": seeds, "steps": steps, "multipliers": multipliers}
    jobs = [
        {**same, "points": {n: points[n] for n in numbers}, "every": every, "device": device}
        for numbers in chunks_of(resolved, todo, most)
    ]
    bar = progress_bar(len(todo) * len(seeds) * steps, title) if progress else None
    try:
        for found in runner.run(jobs, bar.update if bar else lambda members: None):
            rows += found
            if kept:
                kept.add(found)
    finally:
        if bar:
            bar.close()
        runner.close()
    if kept:
        kept.compact(rows)
    return frame(rows, points, seeds, metrics, title)


class Runner:
    """Where the parts of a sweep are run: in this process, in others, or on the machines of a Dask scheduler."""

    def __init__(self, workers: int, scheduler: str | None) -> None:
        self.workers, self.client = workers, None
        if scheduler is not None:
            try:
                self.client = distributed().Client(scheduler, set_as_default=False, timeout=CONNECT)
            except (OSError, ValueError) as error:
                raise OSError(
                    f"scheduler = {scheduler!r} does not answer ({error}); allowed: the address that `dask scheduler` "
                    "prints, such as tcp://host:8786"
                ) from error
            self.workers = max(workers, len(self.client.scheduler_info(n_workers=-1)["workers"]))
        elif workers > 1:
            joblib()

    def run(self, jobs: Sequence[Options], tick: Callable[[int], Any]) -> Iterator[list[chunk.Row]]:
        """Yield what `chunk.train` makes of each job, in the order in which they are finished."""
        if self.client is not None:
            # Not through joblib's Dask backend, which waits for ever for a part whose workers died again and again.
            futures = [self.client.submit(chunk.train, **job, pure=False) for job in jobs]
            done = (future.result() for future in distributed().as_completed(futures, loop=self.client.loop))
        elif self.workers > 1:
            parallel = joblib().Parallel(n_jobs=self.workers, backend="loky", return_as="generator_unordered")
            done = parallel(joblib().delayed(chunk.train)(**job) for job in jobs)
        else:
            yield from (chunk.train(**job, tick=tick) for job in jobs)
            return
        for found in done:
            members = {(row["point"], row["seed"]) for row in found}
            tick(len(members) * found[-1]["step"])
            yield found

    def close(self) -> None:
        if self.client is not None:
            self.client.close()


def joblib() -> Any:
    try:
        import joblib
    except ImportError as error:
        raise ImportError("workers= needs joblib; install it with: pip install 'adambook[sweep]'") from error
    return joblib


def distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise ImportError("scheduler= needs dask; install it with: pip install 'adambook[sweep]'") from error
    return distributed


def points_of(grid: Mapping[str, Any]) -> list[Options]:
    """Return every point of the grid, the last axis fastest; a value that is no list is an axis of one."""
    if not isinstance(grid, Mapping) or not grid:
        raise ValueError(f"grid = {grid!r}; allowed: hyper-parameters with values, such as {{'lr': [1e-3, 1e-2]}}")
    axes: dict[str, list[Any]] = {}
    for name, values in grid.items():
        if name in chunk.OF_ROW:
            raise ValueError(f"grid has an axis {name!r}, a column that the result has anyway; allowed: another name")
        if hasattr(values, "tolist"):
            values = values.tolist()
        axes[name] = values if isinstance(values, list) else list(values) if isinstance(values, range) else [values]
        if not axes[name]:
            raise ValueError(f"grid[{name!r}] is empty; allowed: one or more values")
        for i, value in enumerate(axes[name]):
            if value in axes[name][:i]:
                raise ValueError(f"grid[{name!r}] holds {value!r} twice; allowed: different values")
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def seeds_of(seeds: int | Iterable[int]) -> tuple[int, ...]:
    """Return the seeds: the first so many, or those given; ValueError for none, or one twice."""
    if not isinstance(seeds, Iterable):
        return tuple(range(whole("seeds", seeds, 1)))
    found = tuple(whole("seeds", seed) for seed in seeds)
    if not found or len(set(found)) < len(found):
        raise ValueError(f"seeds = {found}; allowed: how many, or one or more different whole numbers")
    return found


def task_of(task: str | Task) -> Task:
    if isinstance(task, Task):
        return task
    if not isinstance(task, str):
        raise TypeError(f"task = {task!r}; allowed: {', '.join(map(repr, TASKS))}, or a Task")
    return named(task)


def check_device(device: str) -> None:
    kinds = ("cpu", *(("cuda",) if torch.cuda.is_available() else ()))
    if not isinstance(device, str) or device.split(":")[0] not in kinds:
        raise ValueError(f"device = {device!r}; allowed here: {', '.join(map(repr, kinds))}")


def check_task(task: Task, resolved: Sequence[Resolved], seed: int, axes: Iterable[str]) -> tuple[int, str, list[str]]:
    """Try a model, every point's optimizer, the first loss and the metrics: each says what is wrong with it.

    Returns the number of parameters; the first loss to five digits, by which a sweep knows another model, loss or
    data; and the metrics' names.
    """
    model = build_model(task, seed)
    trained = [p for p in model.parameters() if p.requires_grad]
    dtypes = {p.dtype for p in trained}
    if len(dtypes) != 1 or not trained[0].is_floating_point():
        raise ValueError(f"{task.name}: parameters of dtype {sorted(map(str, dtypes))}; allowed: one real dtype")
    if task.inputs is None and any(isinstance(m, _BatchNorm) for m in model.modules()):
        raise ValueError(
            f"{task.name} has a batch norm and no inputs; set Task(inputs=...) to all inputs of the training part, "
            "whose statistics it is evaluated with"
        )
    for each in resolved:
        each.of(model)
    first = chunk.train(task, "SGD", {0: {"lr": 0.0}}, (seed,), 1, [1.0], None, "cpu")[0]
    if first["diverged_at"]:
        raise ValueError(f"{task.name}: the first loss of seed {seed} is not finite")
    metrics = [name for name in first if name not in chunk.OF_ROW]
    if not metrics:
        raise ValueError(f"{task.name}: metrics returned nothing; allowed: one or more numbers, by name")
    for name in metrics:
        if name in axes:
            raise ValueError(f"{task.name}: a metric and an axis of the grid are called {name!r}; rename the metric")
    return sum(p.numel() for p in trained), f"{first['loss']:.5g}", metrics


def chunks_of(resolved: Sequence[Resolved], todo: Iterable[int], most: int) -> list[list[int]]:
    """Divide the points ``todo`` into stacks of at most ``most`` that may be trained together."""
    alike: dict[Any, list[int]] = {}
    for number in todo:
        alike.setdefault(resolved[number].together, []).append(number)
    return [group[i : i + most] for group in alike.values() for i in range(0, len(group), most)]
