"""What one optimizer step costs: ours against torch.optim on the same path, as ratios in one run.

Rivals: torch.optim's for-loop (foreach=False) and multi-tensor path (foreach=True). Steps of both take turns, and
the ratio is the median over the pairs, so that a busy machine weighs on both alike. Below 1, ours is faster.
Run: python benchmarks/optimizer_step.py [--quick] [--device cuda] [--record]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
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


def stepper(make: Callable[[list[torch.Tensor]], Any], shapes: list[tuple[int, ...]], device: str) -> Any:
    """Return a function that takes one step and returns its seconds."""
    generator = torch.Generator(device).manual_seed(0)
    params = [torch.randn(shape, generator=generator, device=device) for shape in shapes]
    for p in params:
        p.grad = torch.randn(p.shape, generator=generator, device=device)
    optimizer = make(params)
    # On one CPU thread, processor time is wall time without whatever else the machine does.
    clock = time.process_time if device == "cpu" else time.perf_counter

    def step() -> float:
        if device != "cpu":
            torch.cuda.synchronize()
        start = clock()
        optimizer.step()
        if device != "cpu":
            torch.cuda.synchronize()
        return clock() - start

    return step


def measure(
    name: str,
    rival: str,
    options: dict[str, Any],
    shapes: list[tuple[int, ...]],
    foreach: bool,
    device: str,
    limit: float,
) -> dict[str, Any]:
    """Take turns for ``limit`` seconds, at least 10 pairs; return the medians and the median ratio."""
    ours_options = {} if name == "AMSGrad" else options
    ours = stepper(lambda p: getattr(torch_optim, name)(p, foreach=foreach, **ours_options), shapes, device)
    theirs = stepper(lambda p: getattr(torch.optim, rival)(p, foreach=foreach, **options), shapes, device)
    for _ in range(3):
        ours(), theirs()
    pairs: list[tuple[float, float]] = []
    end = time.perf_counter() + limit
    while time.perf_counter() < end or len(pairs) < 10:
        if len(pairs) % 2:  # neither always comes second, to a cache that the first has filled
            reference, own = theirs(), ours()
        else:
            own, reference = ours(), theirs()
        pairs.append((own, reference))
    return {
        "ours, ms": round(statistics.median(a for a, _ in pairs) * 1e3, 4),
        "torch, ms": round(statistics.median(b for _, b in pairs) * 1e3, 4),
        "ours / torch": round(statistics.median(a / b for a, b in pairs), 3),
        "pairs": len(pairs),
    }


def main() -> None:
    """Measure, print, and with --record write benchmarks/recorded/optimizer_step.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small lists and little time: a minute")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--record", action="store_true", help="write benchmarks/recorded/optimizer_step.json")
    arguments = parser.parse_args()
    device, limit = arguments.device, 0.5 if arguments.quick else 3.0
    torch.set_num_threads(1)

    rows = []
    for list_name, shapes in lists(arguments.quick, device).items():
        for name, rival, options in OPTIMIZERS:
            for foreach in (False, True):
                row = measure(name, rival, options, shapes, foreach, device, limit)
                path = "foreach" if foreach else "loop"
                rows.append({"list": list_name, "optimizer": name, "path": path, **row})
                print(
                    f"{list_name:22} {name:8} {path:8}", *(f"{k} {v:<9}" for k, v in row.items()), flush=True
                )
    results = {
        f"time of a step, ours / torch.optim, {path}, median over {what}": statistics.median(ratios)
        for path in ("loop", "foreach")
        for what in ("all", *dict.fromkeys(row["list"] for row in rows))
        if (ratios := [r["ours / torch"] for r in rows if r["path"] == path and what in ("all", r["list"])])
    }
    for what, ratio in results.items():
        print(f"{what}: {ratio:.3f}")
    if arguments.record:
        machine = torch.cuda.get_device_name() if device != "cpu" else f"{platform.machine()} CPU, one thread"
        record = {
            "title": "One optimizer step, ours against torch.optim on the same path (float32)",
            "command": "python benchmarks/" + " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "date": date.today().isoformat(),
            "machine": f"{machine}, torch {torch.__version__}, Python {platform.python_version()}",
            "clock": "processor time" if device == "cpu" else "wall time, synchronized",
            "results": {what: round(ratio, 3) for what, ratio in results.items()},
            "rows": rows,
        }
        path = Path(__file__).parent / "recorded" / "optimizer_step.json"
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
