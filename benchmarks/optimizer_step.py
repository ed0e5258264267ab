"""What one optimizer step costs: ours against torch.optim on the same path, as ratios in one run.

Rivals: torch.optim's for-loop (foreach=False), multi-tensor path (foreach=True), fused path (fused=True) and loop
under torch.compile, and torch-optimi where it is installed. Steps of both take turns, and the ratio is the median
over the pairs, so that a busy machine weighs on both alike. Below 1, ours is faster. On a GPU the fused path is also
held to the bandwidth of a device copy.
Run: python benchmarks/optimizer_step.py [--quick] [--compile] [--device cuda] [--record] [--plot FILE]
"""

from __future__ import annotations

import argparse
import functools
import importlib
import importlib.util
import itertools
import json
import math
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import torch
from adambook import torch_optim

OPTIMIZERS: list[tuple[str, str, dict[str, Any]]] = [
    ("SGD", "SGD", {"momentum": 0.9}),
    ("Adagrad", "Adagrad", {}),
    ("RMSprop", "RMSprop", {}),
    ("Adam", "Adam", {}),
    ("AMSGrad", "Adam", {"amsgrad": True}),
    ("AdamW", "AdamW", {}),
]
PATHS: dict[str, dict[str, Any]] = {
    "loop": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "compiled": {"foreach": False},
}
NOT_FUSED_IN_TORCH = {"cpu": ("RMSprop",), "cuda": ("RMSprop", "Adagrad")}
Make = Callable[[list[torch.Tensor]], Any]  # from parameters to an optimizer


def resnet50() -> list[tuple[int, ...]]:
    """Return the shapes of ResNet-50's parameters."""
    shapes: list[tuple[int, ...]] = [(64, 3, 7, 7), (64,), (64,)]
    channels = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            out = 4 * width
            for shape in ((width, channels, 1, 1), (width, width, 3, 3), (out, width, 1, 1)):
                shapes += [shape, (shape[0],), (shape[0],)]
            if block == 0:
                shapes += [(out, channels, 1, 1), (out,), (out,)]
            channels = out
    return [*shapes, (1000, 2048), (1000,)]


def gpt2() -> list[tuple[int, ...]]:
    """Return the shapes of GPT-2 small's parameters."""
    d = 768
    block = [
        (d,),
        (d,),
        (d, 3 * d),
        (3 * d,),
        (d, d),
        (d,),
        (d,),
        (d,),
        (d, 4 * d),
        (4 * d,),
        (4 * d, d),
        (d,),
    ]
    return [(50257, d), (1024, d), *(block * 12), (d,), (d,)]


def lists(quick: bool, device: str) -> dict[str, list[tuple[int, ...]]]:
    """Return the parameter lists by name: realistic models, one large tensor, and a thousand tiny ones."""
    tiny = {"1,000 tensors of 64": [(64,)] * 1000}
    if quick:
        return {**tiny, "one tensor of 4 M": [(4_000_000,)]}
    if device == "cpu":
        return {**tiny, "one tensor of 4 M": [(4_000_000,)], "ResNet-50": resnet50()}
    return {**tiny, "ResNet-50": resnet50(), "GPT-2 small": gpt2(), "one tensor of 1 G": [(1_000_000_000,)]}


def parameters(shapes: list[tuple[int, ...]], device: str) -> list[torch.Tensor]:
    """Return parameters of these shapes, with gradients."""
    generator = torch.Generator(device).manual_seed(0)
    params = [torch.randn(shape, generator=generator, device=device) for shape in shapes]
    for p in params:
        p.grad = torch.randn(p.shape, generator=generator, device=device)
    return params


def stepper(make: Make, shapes: list[tuple[int, ...]], device: str, compiled: bool) -> Callable[[], float]:
    """Return a function that takes one step and returns its seconds; three steps have warmed it up."""
    optimizer = make(parameters(shapes, device))
    step = torch.compile(optimizer.step) if compiled else optimizer.step
    # On one CPU thread, processor time is wall time without whatever else the machine does.
    clock = time.process_time if device == "cpu" else time.perf_counter

    def timed() -> float:
        if device != "cpu":
            torch.cuda.synchronize()
        start = clock()
        step()
        if device != "cpu":
            torch.cuda.synchronize()
        return clock() - start

    for _ in range(3):
        timed()
    return timed


def take_turns(
    ours: Callable[[], float], theirs: Callable[[], float], limit: float
) -> list[tuple[float, float]]:
    """Return the seconds of both, in pairs, for ``limit`` seconds and at least 10 pairs."""
    pairs: list[tuple[float, float]] = []
    end = time.perf_counter() + limit
    while time.perf_counter() < end or len(pairs) < 10:
        if len(pairs) % 2:  # neither always comes second, to a cache that the first has filled
            other, own = theirs(), ours()
        else:
            own, other = ours(), theirs()
        pairs.append((own, other))
    return pairs


def rivals(
    name: str, torchs: str, path: str, options: dict[str, Any], device: str
) -> Iterator[tuple[str, Make]]:
    """Yield the same rule in other libraries, on the same path or else on their fastest."""
    if path == "fused" and name in NOT_FUSED_IN_TORCH[device]:
        yield "torch foreach", functools.partial(getattr(torch.optim, torchs), foreach=True, **options)
    else:
        yield "torch", functools.partial(getattr(torch.optim, torchs), **PATHS[path], **options)
    if path == "foreach" and name in ("Adam", "AdamW") and importlib.util.find_spec("optimi"):
        other = getattr(importlib.import_module("optimi"), name)
        yield "optimi", functools.partial(other, lr=1e-3, foreach=True)


def copy_bandwidth(device: str) -> float:
    """Return the bytes a second, read and written, of copying 1 GiB on the device."""
    source = torch.ones(2**28, device=device)
    target = torch.empty_like(source)

    def copy() -> float:
        torch.cuda.synchronize()
        start = time.perf_counter()
        target.copy_(source)
        torch.cuda.synchronize()
        return time.perf_counter() - start

    return 2 * source.nbytes / statistics.median(copy() for _ in range(20))


def least_bytes(make: Make, size: int) -> int:
    """Return what a step must move in float32: the gradient in, parameters and state in and out."""
    p = torch.zeros(10, requires_grad=True)
    p.grad = torch.ones(10)
    optimizer = make([p])
    optimizer.step()
    kept = sum(value is not None and value.shape == p.shape for value in optimizer.state[p].values())
    return size * 4 * (3 + 2 * kept)


def measure(paths: list[str], quick: bool, device: str) -> list[dict[str, Any]]:
    """Return a row for every list, optimizer, path and rival."""
    bandwidth = copy_bandwidth(device) if device != "cpu" else None
    rows = []
    for list_name, shapes in lists(quick, device).items():
        for (name, torchs, options), path in itertools.product(OPTIMIZERS, paths):
            if path == "fused" and device == "cpu" and name == "RMSprop":
                continue  # there is no such kernel to hand over to
            if path == "compiled" and (len(shapes) > 200 or name not in ("SGD", "AdamW")):
                continue  # compilers take minutes over a thousand tensors
            ours = getattr(torch_optim, name)
            own_options = {} if name == "AMSGrad" else options
            make = functools.partial(ours, **PATHS[path], **own_options)
            for library, rival in rivals(name, torchs, path, options, device):
                steppers = [stepper(m, shapes, device, path == "compiled") for m in (make, rival)]
                pairs = take_turns(*steppers, limit=0.5 if quick else 3.0)
                seconds = statistics.median(own for own, _ in pairs)
                row = {
                    "list": list_name,
                    "optimizer": name,
                    "path": path,
                    "rival": library,
                    "ours, ms": round(seconds * 1e3, 4),
                    "rival, ms": round(statistics.median(other for _, other in pairs) * 1e3, 4),
                    "ours / rival": round(statistics.median(own / other for own, other in pairs), 3),
                    "pairs": len(pairs),
                }
                if bandwidth:
                    size = sum(map(math.prod, shapes))
                    least = least_bytes(functools.partial(ours, **own_options), size)
                    row["share of copy bandwidth"] = round(least / seconds / bandwidth, 3)
                rows.append(row)
                print(f"{list_name:20}  {name:8} {path:8} {library:14}", row["ours / rival"], flush=True)
    return rows


def medians(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the median ratio to torch.optim over the optimizers, by list and path."""
    out: dict[str, dict[str, float]] = {}
    for what in ("all lists", *dict.fromkeys(row["list"] for row in rows)):
        for path in PATHS:
            ratios = [
                row["ours / rival"]
                for row in rows
                if row["path"] == path and row["rival"] == "torch" and what in ("all lists", row["list"])
            ]
            if ratios:
                out.setdefault(what, {})[path] = round(statistics.median(ratios), 3)
    return out


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the milliseconds of our steps by list, optimizer and path."""
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(row["list"] for row in rows))
    fig, axes = plt.subplots(1, len(names), figsize=(4 * len(names), 3.2), squeeze=False, layout="constrained")
    for ax, name in zip(axes[0], names, strict=True):
        for at, way in enumerate(PATHS):
            mine = [row for row in rows if row["list"] == name and row["path"] == way and row["rival"] == "torch"]
            x = [[o for o, _, _ in OPTIMIZERS].index(row["optimizer"]) + 0.2 * at - 0.3 for row in mine]
            ax.bar(x, [row["ours, ms"] for row in mine], 0.18, label=way, color=f"C{at}")
            ax.plot(x, [row["rival, ms"] for row in mine], "_", color="black")
        ax.set_xticks(range(len(OPTIMIZERS)), [o for o, _, _ in OPTIMIZERS], rotation=30)
        ax.set(title=name, ylabel="ms a step (dash: torch.optim)", yscale="log")
    axes[0, 0].legend()
    fig.savefig(path)


def main() -> None:
    """Measure, print, and with --record write benchmarks/recorded/optimizer_step.json (or ..._cuda.json)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small lists and little time: two minutes")
    parser.add_argument("--compile", action="store_true", help="torch.compile too; needs a C++ compiler")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--record", action="store_true", help="write the result to benchmarks/recorded")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the times into this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    paths = [path for path in PATHS if path != "compiled" or arguments.compile]
    rows = measure(paths, arguments.quick, arguments.device)
    results = medians(rows)
    for what, by_path in results.items():
        print(f"{what:20} ", *(f"{path} {ratio:.3f} " for path, ratio in by_path.items()))
    if arguments.plot:
        plot(rows, arguments.plot)
    if arguments.record:
        cuda = arguments.device == "cuda"
        machine = torch.cuda.get_device_name() if cuda else f"{platform.machine()} CPU, one thread"
        record = {
            "title": "One optimizer step, ours / torch.optim on the same path (float32, median over optimizers)",
            "command": "python benchmarks/" + " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "date": date.today().isoformat(),
            "machine": f"{machine}, torch {torch.__version__}, Python {platform.python_version()}",
            "clock": "wall time, synchronized" if cuda else "processor time",
            "results": results,
            "rows": rows,
        }
        name = "optimizer_step_cuda.json" if cuda else "optimizer_step.json"
        path = Path(__file__).parent / "recorded" / name
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
