"""A sandbox for a student's program: it computes, and reaches nothing else."""

from __future__ import annotations

import builtins
import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import adambook
from adambook.course.child import decode, encode
from adambook.course.seccomp import no_new_processes

CHILD = Path(__file__).with_name("child.py")
START_UP = 30.0  # seconds until Python has begun, which is no fault of a student's
FILTER = "{the filter's descriptor}"
OUTPUT = 32_000_000  # bytes that a program may answer in all
UNSAFE = (
    "Grading runs your students' programs. With --unsafe they run with your own rights: they can read your files, the "
    "hidden tests and each other's work, change them, and use the network. Only time is limited."
)
ABSENT = (
    "Grading runs your students' programs, so it needs a sandbox: Linux with bubblewrap 0.7 or newer (on Debian "
    "and Ubuntu: apt install bubblewrap). {why} On another system use a virtual machine with Linux. "
    "With --unsafe it goes without: then programs can read your files, the hidden tests and each other's work."
)


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    ``seconds`` of the clock in all, ``step`` seconds of the processor for one cell or call (and four times as many of
    the clock), ``memory`` in bytes, and so many ``starts`` of a fresh program where one has ended.
    """

    seconds: float = 20.0
    step: float = 3.0
    memory: int = 2**31
    starts: int = 4

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ValueError(f"seconds is {self.seconds:g}; a submission needs a limit above 0")


class SandboxError(OSError):
    """The sandbox itself does not work, which is no student's fault."""


class Stopped(Exception):
    """The program has come to its end before it answered."""


class StudentError(Exception):
    """The student's function raised; the text is what it said."""

    @classmethod
    def of(cls, answer: dict[str, Any]) -> StudentError:
        """Return the error of an answer; one of Python's own kinds is of that kind here, too."""
        text, kind = str(answer.get("error"))[:300], getattr(builtins, str(answer.get("kind")), None)
        if isinstance(kind, type) and issubclass(kind, Exception):
            with contextlib.suppress(TypeError):  # some kinds mix with no other
                error: StudentError = type(kind.__name__, (cls, kind), {})(text)
                return error
        return cls(text)


def command(safe: bool) -> tuple[list[str], bytes]:
    """Return what starts the child, and the filter of system calls that goes with it."""
    python = [sys.executable, "-I", "-B"]
    if not safe:
        return [*python, str(CHILD)], b""
    system = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache")
    python_and_us = (os.path.realpath(sys.base_prefix), sys.prefix, str(Path(adambook.__file__).parent))
    filters = no_new_processes()
    wrap = ["bwrap", "--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534"]
    wrap += ["--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox"]
    for name, value in _environment().items():
        wrap += ["--setenv", name, value]
    for path in system + python_and_us:
        wrap += ["--ro-bind-try", path, path]
    wrap += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--size", str(2**26), "--tmpfs", "/tmp"]
    for fonts in _fonts():  # else every program would look for the fonts anew, a second each
        wrap += ["--ro-bind", str(fonts), f"/tmp/{fonts.name}"]
    wrap += ["--ro-bind", str(CHILD), "/child.py", "--remount-ro", "/", "--chdir", "/tmp"]
    return [*wrap, *(["--seccomp", FILTER] if filters else []), *python, "/child.py"], filters


@functools.cache
def _fonts() -> list[Path]:
    """Matplotlib's list of fonts, which its first use writes."""
    import matplotlib.font_manager

    return sorted(Path(matplotlib.get_cachedir()).glob("fontlist-*.json"))


def _environment() -> dict[str, str]:
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    plots = {"MPLBACKEND": "agg", "MPLCONFIGDIR": "/tmp"}
    return {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", **plots, **one}


class Program:
    """One process that runs a student's cells and answers for their names.

    Raises Stopped when it ends, or is ended by the clock; SandboxError when it never began. ``until`` turns the seconds
    of a step into the time of the clock at which it has to end.
    """

    def __init__(self, limits: Limits, until: Callable[[float], float], safe: bool) -> None:
        self.limits = limits
        self.errors: dict[int, StudentError] = {}
        self.late: set[int] = set()
        self.at = -1
        self._safe = safe
        self._until = until
        self._received = 0
        self._asked = 0
        order, filters = command(safe)
        with _readable(filters) as number:
            self._process = subprocess.Popen(
                [str(number) if part == FILTER else part for part in order],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=() if number is None else (number,),
                env=None if safe else {**_environment(), **_of_windows()},
                start_new_session=not safe and os.name != "nt",
            )
        self._ends = time.monotonic() + START_UP
        self._closed = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def run(self, cells: list[str], skip: list[int]) -> None:
        """Execute the cells, those to skip aside; ``at`` is the one that runs."""
        try:
            self._send({"cells": cells, "skip": skip, "seconds": self.limits.step, "memory": self.limits.memory})
            self._line()
        except Stopped:
            raise SandboxError(self._why()) from None
        self._ends = self._until(self.limits.step)
        while not (line := self._line()).get("ready"):
            if type(line.get("at")) is int:
                self.at, self._ends = line["at"], self._until(self.limits.step)
            elif type(line.get("cell")) is int:
                self.errors[line["cell"]] = StudentError.of(line)
                if line.get("kind") == "TimeUp":
                    self.late.add(line["cell"])

    def ask(self, name: str, **question: Any) -> dict[str, Any]:
        """Return the answer to a question about a name."""
        self._asked += 1
        self._ends = self._until(self.limits.step)
        self._send({"id": self._asked, "name": name, **question})
        while (line := self._line()).get("id") != self._asked:
            pass
        return line

    def close(self) -> None:
        """End the process and all that it may have started."""
        self._closed.set()
        self._kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]

    def _send(self, line: dict[str, Any]) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps(line).encode() + b"\n")
            stdin.flush()
        except OSError:
            raise Stopped(self._end()) from None

    def _line(self) -> dict[str, Any]:
        """Return the next line that is an object of JSON; a student may write others into the same pipe."""
        stdout = self._process.stdout
        assert stdout is not None
        while True:
            text = stdout.readline(OUTPUT)
            self._received += len(text)
            if not text.endswith(b"\n") or self._received > OUTPUT:
                raise Stopped("it wrote too much" if self._received >= OUTPUT else self._end())
            with contextlib.suppress(ValueError, RecursionError):
                line = json.loads(text)
                if isinstance(line, dict):
                    return line

    def _end(self) -> str:
        return "it did not end in time" if time.monotonic() >= self._ends else "the program ended by itself"

    def _watch(self) -> None:
        """Kill the process when its time is over: a read from it then comes to an end, too."""
        while not self._closed.wait(0.1):
            if time.monotonic() >= self._ends:
                self._kill()
                return

    def _kill(self) -> None:
        """End the process; bubblewrap takes the sandbox along, and without it the group of processes goes."""
        with contextlib.suppress(OSError):
            if self._safe or os.name == "nt":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)

    def _why(self) -> str:
        stderr = self._process.stderr
        assert stderr is not None
        self._kill()
        return stderr.read(2000).decode(errors="replace").strip() or "it did not start in time"


def _of_windows() -> dict[str, str]:
    """What Python on Windows cannot start without."""
    return {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP") if name in os.environ and os.name == "nt"}


@contextlib.contextmanager
def _readable(content: bytes) -> Iterator[int | None]:
    """A descriptor that gives the content to a child, if there is any."""
    if not content:
        yield None
        return
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        file.seek(0)
        yield file.fileno()


class Submission:
    """A student's functions, as the tests call them.

    A cell that never ends, or that ends the program, is left out, and the rest runs again in a fresh sandbox: one bad
    cell does not cost the others their points. The seconds in all go on meanwhile.
    """

    def __init__(self, cells: list[str], limits: Limits, safe: bool) -> None:
        self.cells = cells
        self.limits = limits
        self.safe = safe
        self.errors: dict[int, StudentError] = {}  # what each cell that failed has said
        self._skip: set[int] = set()
        self._starts = 0
        self._begun: float | None = None
        self._program: Program | None = None

    @property
    def seconds(self) -> float:
        """How long it has taken, its start-up aside."""
        return 0.0 if self._begun is None else time.monotonic() - self._begun

    def _until(self, seconds: float) -> float:
        """The time of the clock at which a step has to end."""
        now = time.monotonic()
        if self._begun is None:
            self._begun = now
        return min(now + 4 * seconds, self._begun + self.limits.seconds)

    def program(self) -> Program:
        """Return the running program, started again where it has ended."""
        while self._program is None:
            if self._starts == self.limits.starts:
                raise Stopped("it had to be started too often")
            if self.seconds >= self.limits.seconds:
                raise Stopped(f"its {self.limits.seconds:g} seconds are over")
            self._starts += 1
            program = Program(self.limits, self._until, self.safe)
            try:
                program.run(self.cells, sorted(self._skip))
                self._program = program
            except Stopped as stopped:
                if program.at < 0:
                    raise
                self._skip.add(program.at)
                self.errors[program.at] = StudentError(f"left out: {stopped}")
            finally:
                self._skip |= program.late
                self.errors |= program.errors
                if self._program is None:
                    program.close()
        return self._program

    def ask(self, name: str, **question: Any) -> dict[str, Any]:
        """Return the answer to a question about a name."""
        program = self.program()
        try:
            return program.ask(name, **question)
        except Stopped:
            self.close()
            raise

    def value(self, name: str) -> Any:
        """Return a plain value, or a `Function` for what can be called. Raises NameError for what is missing."""
        answer = self.ask(name)
        if answer.get("missing"):
            raise NameError(name)
        if answer.get("function"):
            return Function(self, name)
        if "error" in answer:
            raise StudentError.of(answer)
        return _decoded(answer.get("result"))

    def close(self) -> None:
        if self._program is not None:
            self._program.close()
            self._program = None


def _decoded(coded: Any) -> Any:
    try:
        return decode(coded)
    except Exception:
        raise StudentError("what it returned cannot be read") from None


@dataclass(frozen=True)
class Function:
    """A student's function, called in the sandbox. Plain values cross; arrays that it changes are changed here, too."""

    submission: Submission
    name: str

    def __call__(self, *args: Any, **options: Any) -> Any:
        coded = {key: encode(value) for key, value in options.items()}
        answer = self.submission.ask(self.name, args=encode(args), options=coded)
        if "error" in answer:
            raise StudentError.of(answer)
        changed = answer.get("changed")
        for i, argument in enumerate(args):
            if isinstance(changed, dict) and str(i) in changed and isinstance(argument, np.ndarray):
                new = _decoded(changed[str(i)])
                if np.shape(new) == argument.shape:
                    argument[...] = new
        return _decoded(answer.get("result"))


def probe(safe: bool) -> None:
    """Start a program once. Raises SandboxError, with what to do, where that does not work."""
    if safe and not (sys.platform == "linux" and shutil.which("bwrap")):
        raise SandboxError(ABSENT.format(why="It was not found here."))
    submission = Submission(["answer = 6 * 7"], Limits(), safe)
    try:
        if submission.value("answer") != 42:
            raise SandboxError("the sandbox does not answer")
    except (SandboxError, Stopped, NameError, StudentError) as error:
        raise SandboxError(ABSENT.format(why=f"It does not work here: {error}.") if safe else str(error)) from None
    finally:
        submission.close()
