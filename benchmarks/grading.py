"""How long a class of a hundred takes, with the hostile ones of the tests among them, and how long a checker takes.

The rival of an honest submission is the least that any grader pays: starting Python and importing NumPy.
Run: python benchmarks/grading.py [--record]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _record import write

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "course"))
from adambook import checks, cli
from adambook.checks.rules import EXERCISES
from adambook.course.master import readable
from classroom import Student, fill, honest, hostile, master

CLASS = 100


def grade(students: list[Student], top: Path) -> float:
    """Return the seconds that `adambook grade` takes; see that each has the right mark."""
    folder = top / "submissions"
    folder.mkdir()
    (top / "master.ipynb").write_text(json.dumps(master()), encoding="utf-8")
    fill(folder, students)
    began = time.perf_counter()
    cli.main(["grade", str(top / "master.ipynb"), str(folder), "--out", str(top / "grades.csv")])
    seconds = time.perf_counter() - began
    lines = (top / "grades" / "progress.jsonl").read_text(encoding="utf-8").splitlines()
    results = [json.loads(line.partition(" ")[2]) for line in lines]
    marks = {one["student"]: sum(mark["points"] or 0 for mark in one["marks"]) for one in results}
    wrong = [one.name for one in students if marks[readable(one.name)] != one.earns]
    assert not wrong, f"wrong marks: {wrong}"
    return seconds


def bare_start() -> float:
    """Return the seconds until Python has imported NumPy: the median of nine."""
    times = []
    for _ in range(9):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", "import numpy"], check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def checker() -> float:
    """Return the longest that a checker takes to name a mistake."""
    longest = 0.0
    for name, exercise in EXERCISES.items():
        for wrong in exercise.wrong.values():
            began = time.perf_counter()
            assert not getattr(checks, name)(wrong)
            longest = max(longest, time.perf_counter() - began)
    return longest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true")
    record = parser.parse_args().record
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        bad = hostile(Path(one), 9)
        whole = grade(honest(CLASS - len(bad)) + bad, Path(one))
        good = grade(honest(20), Path(two)) / 20
    results: dict[str, Any] = {
        f"{CLASS} submissions, {len(bad)} of them hostile [s]": round(whole, 1),
        "an honest one, over a bare start of Python with NumPy": round(good / bare_start(), 2),
        "the slowest answer of a checker [s]": round(checker(), 3),
    }
    for name, value in results.items():
        print(f"{name:<60} {value}")
    if record:
        write("grading", "Grading a class", results)


if __name__ == "__main__":
    main()
