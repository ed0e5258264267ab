"""`sweep`: the grid, its checks, and the way of its parts to processes and machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from os import PathLike
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from adambook._check import real, whole
from adambook.sweep import chunk
from adambook.sweep.result import OF_MEMBER, Sweep, frame
from adambook.sweep.rules import Optimizer, Resolved
from adambook.sweep.stack import build_model
from adambook.sweep.task import TASKS, Task, named
from adambook.tasks import progress_bar

Point = dict[str, Any]

# A stack holds so many parameters at a time: then the arrays of one step stay near the processor.
CHUNK = 2**20


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
    """Train every point of a grid with every seed at once, and return the table of what came of it."""
    points, seeds = points_of(grid), seeds_of(seeds)
    steps = whole("steps", steps, 1)
    every = None if every is None else whole("every", every, 1, steps)
    workers = whole("workers", workers, 1)
    check_device(device)
    built = task_of(task)
    resolved = [Resolved(optimizer, point) for point in points]
    check_model(built, resolved, seeds[0])
    multipliers = [1.0 if schedule is None else real(f"schedule({t})", schedule(t)) for t in range(1, steps + 1)]
    marks = sorted({steps, *range(0, steps + 1, every)} if every else {steps - -(-steps // 10), steps})

    size = sum(p.numel() for p in build_model(built, seeds[0]).parameters()) * len(seeds)
    chunks = chunks_of(resolved, range(len(points)), max(1, min(CHUNK // size, -(-len(points) // workers))))
    title = f"{optimizer if isinstance(optimizer, str) else optimizer.__name__}, {built.name}, {steps} steps"
    rows: list[chunk.Row] = []
    bar = progress_bar(len(points) * len(seeds) * steps, title) if progress else None
    for numbers in chunks:
        rows += chunk.train(
            task,
            optimizer,
            {n: points[n] for n in numbers},
            seeds,
            steps,
            multipliers,
            marks,
            device,
            bar.update if bar else lambda members: None,
        )
    if bar:
        bar.close()
    return frame(rows if every else [row for row in rows if row["step"] == steps], points, seeds, title)


def points_of(grid: Mapping[str, Any]) -> list[Point]:
    """Return every point of the grid, the last axis fastest; a value that is no list is an axis of one."""
    if not isinstance(grid, Mapping) or not grid:
        raise ValueError(f"grid = {grid!r}; allowed: hyper-parameters with values, such as {{'lr': [1e-3, 1e-2]}}")
    axes: dict[str, list[Any]] = {}
    for name, values in grid.items():
        if name in ("step", "point", *OF_MEMBER):
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


def check_model(task: Task, resolved: Sequence[Resolved], seed: int) -> None:
    """Build a model and every point's optimizer once: what is wrong with them is said before the training."""
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


def chunks_of(resolved: Sequence[Resolved], todo: Iterable[int], most: int) -> list[list[int]]:
    """Divide the points ``todo`` into stacks of at most ``most`` that may be trained together."""
    alike: dict[Any, list[int]] = {}
    for number in todo:
        alike.setdefault(resolved[number].together, []).append(number)
    return [group[i : i + most] for group in alike.values() for i in range(0, len(group), most)]
