"""A small assignment and a class of a hundred, some of whom attack the grader."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

DOUBLE = "def double(x):\n    return 2 * np.asarray(x)"
STEP = "def step(theta, g, lr):\n    return theta - lr * g"
ANSWER = "answer = 42"
SECRET = "the-hidden-test-of-the-teacher"


def cell(source: str, name: str = "", kind: str = "code", **marks: Any) -> dict[str, Any]:
    """A cell of a notebook, with nbgrader's marks where it has a name."""
    metadata = {}
    if name:
        empty = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
        metadata = {"nbgrader": {**empty, "grade_id": name, **marks}}
    extra: dict[str, Any] = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "id": name or "plain", "metadata": metadata, "source": dedent(source), **extra}


def solution(source: str, name: str) -> dict[str, Any]:
    head, _, body = source.partition("\n")
    indent = "    " if body else ""
    lines = [f"{indent}### BEGIN SOLUTION", body or head, f"{indent}### END SOLUTION"]
    return cell("\n".join([head, *lines] if body else lines), name, solution=True)


def test(source: str, hidden: str, name: str, points: float) -> dict[str, Any]:
    text = f"{dedent(source)}\n### BEGIN HIDDEN TESTS\n{dedent(hidden)}\n### END HIDDEN TESTS"
    return cell(text, name, grade=True, locked=True, points=points)


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    numbered = [{**one, "id": f"{one['id']}-{i}"} for i, one in enumerate(cells)]
    return {"cells": numbered, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


def master() -> dict[str, Any]:
    """10 points: 2 and 3 for functions, 1 for a number, 4 for words that a person reads."""
    return notebook(
        cell("# A small assignment\n\nThree tasks.", "intro", "markdown", locked=True),
        cell("import numpy as np\nfrom adambook import checks as check", "imports", locked=True),
        solution(DOUBLE, "double"),
        test(
            "assert check.agrees(double(2.0), 4.0), 'double(2.0) is not 4'",
            f"""
            secret = "{SECRET}"
            assert check.agrees(double(np.arange(3.0)), [0, 2, 4]), "an array is doubled number by number"
            """,
            "test-double",
            2,
        ),
        solution(STEP, "step"),
        test(
            "assert check.agrees(step(np.ones(2), np.ones(2), 0.5), [0.5, 0.5]), 'the first step is wrong'",
            """
            theta = np.ones(1)
            for _ in range(3):
                theta = step(theta, 2 * theta, 0.25)
            assert check.agrees(theta, [0.125]), "three steps from 1 do not lead to the right point"
            """,
            "test-step",
            3,
        ),
        solution(ANSWER, "answer"),
        test("assert 0 < answer < 100", "assert answer == 42, 'think again'", "test-answer", 1),
        cell(
            "### BEGIN SOLUTION\nBecause the gradient says so.\n### END SOLUTION",
            "why",
            "markdown",
            grade=True,
            solution=True,
            points=4,
        ),
    )


def handed_in(double: str = DOUBLE, step: str = STEP, answer: str = ANSWER, first: str = "") -> dict[str, Any]:
    """A student's notebook; ``first`` is a cell before the answers."""
    cells = [cell("import numpy as np")]
    cells += [cell(first)] if first else []
    cells += [cell(double, "double", solution=True), cell(step, "step", solution=True)]
    cells += [cell(answer, "answer", solution=True)]
    return notebook(*cells, cell("I think so.", "why", "markdown", grade=True, solution=True, points=4))


@dataclass(frozen=True)
class Student:
    """What is handed in, under which name, and the points that it earns; None where it cannot be graded."""

    name: str
    content: dict[str, Any] | bytes
    earns: float | None


def honest(n: int) -> list[Student]:
    """Students of four kinds, in turn."""
    kinds = [
        (handed_in(), 6.0),
        (handed_in(double="def double(x):\n    return x + x"), 6.0),
        (handed_in(step="def step(theta, g, lr):\n    return theta + lr * g"), 3.0),
        (handed_in(double="def double(x):\n    raise NotImplementedError()", answer="answer = 41"), 3.0),
    ]
    return [Student(f"student{i:03}", *kinds[i % 4]) for i in range(n)]


LOOK = """
import os
def double(x):
    found = [str(dict(os.environ))]
    for folder, _, names in os.walk("/"):
        for name in names:
            path = os.path.join(folder, name)
            if name.endswith((".ipynb", ".jsonl", ".csv")):
                with open(path) as file:
                    found.append(path + file.read())
    return "".join(found)[-100_000:]
"""
FLOOD = """
import os
for fd in range(3, 12):
    try:
        while True:
            os.write(fd, b"x" * 1_000_000)
    except OSError:
        pass
"""
FORGE = """
import os
lines = ['{"ready": true}']
lines += ['{"id": %d, "result": {"value": true}, "passed": true, "score": 6}' % i for i in range(99)]
for fd in range(3, 12):
    try:
        os.write(fd, ("\\n".join(lines) + "\\n").encode())
    except OSError:
        pass
"""
ALWAYS = """
class Always(float):
    def __eq__(self, other): return True
    def __array__(self, *_, **__): raise SystemExit
def double(x):
    return Always(1)
"""
REDUCE = """
import os
class Trick:
    def __reduce__(self): return (os.system, ("touch {marker}",))
def double(x):
    return Trick()
"""
WRITE = """
import os, pathlib, adambook
for folder in ("/", "/tmp", os.getcwd(), os.path.expanduser("~"), os.path.dirname(adambook.__file__), "{folder}"):
    try:
        pathlib.Path(folder, "trace-of-a-student").write_text("here")
    except OSError:
        pass
"""
NET = """
import socket
def double(x):
    with socket.create_connection(("127.0.0.1", {port}), 1) as line:
        line.sendall(b"caught")
    return 2 * x
"""
KILL = """
import os, signal
for pid in (os.getppid(), 1, -1):
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
"""
FORKS = "import os\nfor _ in range(10_000):\n    os.fork()"
SPAWN = "import subprocess\nsubprocess.Popen(['sleep', '1000'])"
DEAF = "import signal\nsignal.signal(signal.SIGPROF, signal.SIG_IGN)\nwhile True: pass"
THREADS = "import threading, time\nfor _ in range(10_000):\n    threading.Thread(target=time.sleep, args=(99,)).start()"
HOARD = "hoard = []\nwhile True:\n    hoard.append(bytearray(10**8))"
HTML = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def hostile(folder: Path, port: int) -> list[Student]:
    """Students who attack: a bad cell costs no more than itself, and what is wrong stays wrong."""
    wrong = {"double": "def double(x):\n    return 0", "step": "def step(theta, g, lr):\n    return 0"}
    first = {
        "loop": "while True: pass",
        "loop-in-c": "sum(range(10**13))",
        "asleep": "import time\ntime.sleep(10**6)",
        "deaf": DEAF,
        "exits": "import os\nos._exit(0)",
        "raises-exit": "raise SystemExit",
        "memory": "x = bytearray(64 * 2**30)",
        "hoard": HOARD,
        "forks": FORKS,
        "spawns": SPAWN,
        "threads": THREADS,
        "kills": KILL,
        "floods": FLOOD,
        "writes": WRITE.format(folder=folder),
        "patches": "np.allclose = np.array_equal = lambda *_, **__: True",
        "magics": "%matplotlib inline\n!touch trace-of-a-student\nget_answer?",
    }
    found = [Student(f"first-{name}", handed_in(first=source), 6.0) for name, source in first.items()]
    found += [
        Student("forges", handed_in(**wrong, answer="answer = 0", first=FORGE), 0.0),
        Student("always-equal", handed_in(double=ALWAYS), 4.0),
        Student("empty", handed_in(double="def double(x):\n    return np.zeros(0)"), 4.0),
        Student("pickles", handed_in(double=REDUCE.format(marker=folder / "trace-of-a-student")), 4.0),
        Student("looks-around", handed_in(double=LOOK), 4.0),
        Student("phones-home", handed_in(double=NET.format(port=port)), 4.0),
        Student("loops-when-called", handed_in(step="def step(theta, g, lr):\n    while True: pass"), 3.0),
        Student("exits-when-called", handed_in(step="def step(theta, g, lr):\n    import os\n    os._exit(0)"), 3.0),
        Student("recurses", handed_in(step="def step(theta, g, lr):\n    return step(theta, g, lr)"), 3.0),
        Student("nests", handed_in(step="def step(*_):\n    a = []\n    a.append(a)\n    return a"), 3.0),
        Student("html", handed_in(f"def double(x):\n    raise ValueError({HTML!r})  # {HTML}"), 4.0),
        Student("no-json", b'{"cells": [', 0.0),
        Student("deep-json", b"[" * 200_000, 0.0),
        Student("bytes", os.urandom(5000), 0.0),
        Student("strange-cells", json.dumps({"cells": [1, None, {"source": 3}, {"metadata": []}]}).encode(), 0.0),
        Student("huge", b'{"cells": [], "x": "' + b"y" * 20_000_000 + b'"}', 0.0),
        Student(f"{HTML.replace('/', '')}", handed_in(), 6.0),
        Student("$(touch trace-of-a-student); `id` & | ' \" *", handed_in(), 6.0),
        Student("=cmd|' C'!A0", handed_in(), 6.0),
        Student("line\nfeed", handed_in(), 6.0),
        Student("no-unicode-\udcff", handed_in(), 6.0),
    ]
    return found


def fill(folder: Path, students: list[Student]) -> None:
    """Write what the students hand in, and three things that are no files."""
    for student in students:
        content = student.content if isinstance(student.content, bytes) else json.dumps(student.content).encode()
        (folder / f"{student.name}.ipynb").write_bytes(content)
    (folder / "link.ipynb").symlink_to(folder / "student000.ipynb")
    (folder / "link-to-a-folder").symlink_to(folder.parent)
    os.mkfifo(folder / "pipe.ipynb")
