"""How fast `descend` runs 10,000 descents at once, as ratios in one run.

Rivals: a loop over torch.optim (timed on a few runs and scaled up), and optax under jit, scan and vmap,
recording the same.
Run: python benchmarks/descend.py [--record]   (optax is measured where it is installed)
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from _record import write
from adambook.descent import descend
from adambook.numpy_optim import Adam
from adambook.objectives import Rosenbrock

RUNS, STEPS, SAMPLE, LR = 10_000, 500, 20, 0.01


def seconds(work: Callable[[], Any]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rosenbrock(theta: Any) -> Any:
    """Rosenbrock's function for any array library."""
    x, y = theta[..., 0], theta[..., 1]
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def torch_loop(starts: np.ndarray) -> np.ndarray:
    """Run torch.optim.Adam from each start in turn; return the last points."""
    final = np.empty_like(starts)
    for i, start in enumerate(starts):
        theta = torch.tensor(start, requires_grad=True)
        optimizer = torch.optim.Adam([theta], lr=LR)
        for _ in range(STEPS):
            optimizer.zero_grad()
            rosenbrock(theta).backward()
            optimizer.step()
        final[i] = theta.detach().numpy()
    return final


def optax_descent(record: str) -> Callable[[np.ndarray], Any] | None:
    """Return a compiled function from starts to (last points, losses or None), or None without optax."""
    try:
        import jax
        import optax
    except ImportError:
        return None
    jax.config.update("jax_enable_x64", True)
    rule = optax.adam(LR)
    value_and_grad = jax.value_and_grad(rosenbrock)

    def one(theta: Any) -> Any:
        def step(carry: Any, _: None) -> Any:
            theta, state = carry
            value, grad = value_and_grad(theta)
            delta, state = rule.update(grad, state)
            new = optax.apply_updates(theta, delta)
            return (new, state), {"last": None, "loss": value, "all": (value, new, grad, delta, state[0])}[
                record
            ]

        (theta, _), kept = jax.lax.scan(step, (theta, rule.init(theta)), None, STEPS)
        return theta, kept

    compiled = jax.jit(jax.vmap(one))
    return lambda starts: jax.block_until_ready(compiled(starts))


def compare(record: str, starts: np.ndarray, loop: float) -> dict[str, Any]:
    """Return one row: the seconds of `descend` keeping ``record``, and the ratios to the rivals."""

    def ours() -> np.ndarray:
        return descend(Adam(lr=LR), Rosenbrock(), starts, STEPS, record=record).final

    rival = optax_descent(record)
    row: dict[str, Any] = {"record": record}
    if rival is None:
        mine = statistics.median(seconds(ours) for _ in range(5))
    else:
        np.testing.assert_allclose(rival(starts)[0], ours(), rtol=1e-6)
        pairs = [(seconds(ours), seconds(lambda: rival(starts))) for _ in range(5)]
        mine = statistics.median(a for a, _ in pairs)
        row["descend / optax"] = round(statistics.median(a / b for a, b in pairs), 2)
    row |= {"descend, s": round(mine, 3), "torch loop / descend": round(loop / mine)}
    print(row)
    return row


def main() -> None:
    """Measure, print, and with --record write benchmarks/recorded/descend.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true")
    record = parser.parse_args().record
    torch.set_num_threads(1)
    starts = np.random.default_rng(0).uniform(-2, 2, size=(RUNS, 2))

    loop = statistics.median(seconds(lambda: torch_loop(starts[:SAMPLE])) for _ in range(3)) * RUNS / SAMPLE
    np.testing.assert_allclose(
        torch_loop(starts[:3]), descend(Adam(lr=LR), Rosenbrock(), starts[:3], STEPS).final, rtol=1e-8
    )
    rows = [compare(kept, starts, loop) for kept in ("last", "loss", "all")]
    results = {f"recording {row.pop('record')}": row for row in rows}
    if record:
        write("descend", f"{RUNS:,} descents of {STEPS} steps at once (Adam on Rosenbrock, float64)", results)


if __name__ == "__main__":
    main()
