"""NumPy still takes the golden paths of tests/golden, to which the explorers' TypeScript is held as well."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

GOLDEN = Path(__file__).parent / "golden"
spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
assert spec is not None and spec.loader is not None
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)

# Another libm or another order of summation changes the last bits of a step, 2e-16 of it. In these runs a
# change of the start by 1e-12 of its size is never stretched by more than STRETCH (test_the_stretch), so 50
# steps with a few changed bits each stay below 50 * 4 * 2e-16 * STRETCH.
STRETCH = 1e4
TOLERANCE = 50 * 4 * 2.2e-16 * STRETCH


def golden(name: str) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = json.loads((GOLDEN / f"{name}.json").read_text())["runs"]
    return runs


def distance(a: Any, b: Any) -> float:
    """The largest difference, in units of the largest value."""
    b = np.asarray(b, float)
    return float(np.abs(np.asarray(a, float) - b).max() / max(1e-300, np.abs(b).max()))


def test_every_case_is_on_file() -> None:
    keys = ("optimizer", "objective", "hyper", "schedule")
    stored = [{k: run[k] for k in keys} for name in make.CLASSES for run in golden(name)]
    assert stored == sorted(make.cases(), key=lambda case: list(make.CLASSES).index(case["optimizer"]))
    assert {path.stem for path in GOLDEN.glob("*.json")} - {"explorers"} == set(make.CLASSES)


@pytest.mark.parametrize("name", list(make.CLASSES))
def test_numpy_takes_the_golden_path(name: str) -> None:
    for stored in golden(name):
        now = make.result(make.run(stored))
        assert len(stored["theta"]) == make.STEPS + 1
        for what in ("theta", "loss"):
            assert distance(now[what], stored[what]) < TOLERANCE, (what, stored["objective"], stored["hyper"])
        for field, value in stored["state"].items():
            assert distance(now["state"][field], value) < TOLERANCE, (field, stored["objective"])


@pytest.mark.parametrize("name", list(make.CLASSES))
def test_every_golden_run_moves(name: str) -> None:
    for stored in golden(name):
        steps = np.abs(np.diff(np.array(stored["theta"]), axis=0)).max(axis=1)
        assert np.count_nonzero(steps) >= 5, (stored["objective"], stored["hyper"])


def test_the_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    worst = 0.0
    for case in make.cases():
        objective = make.OBJECTIVES[case["objective"]]
        before = make.run(case).theta
        monkeypatch.setattr(objective, "start", objective.start * (1 + 1e-12))
        after = make.run(case).theta
        monkeypatch.undo()
        worst = max(worst, distance(after, before) / 1e-12)
    assert worst < STRETCH
