"""Runs in the sandbox: executes a student's cells, then calls their functions for the grader.

It is started by its path, knows nothing of the package, and answers in lines of JSON; arrays cross as base64, never as
pickle, so that what a student returns can be nothing but a value.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
from typing import Any

LARGEST = 8_000_000  # bytes of one array that crosses
DEEPEST = 20


def encode(value: Any, depth: int = 0) -> Any:
    """Return a plain value as JSON can hold it. Raises TypeError for all else."""
    import numpy as np

    if depth > DEEPEST:
        raise TypeError(f"lists are nested more than {DEEPEST} deep")
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8 or array.nbytes > LARGEST:
            raise TypeError(f"an array of {array.dtype} with {array.size} numbers cannot be graded")
        text = base64.b64encode(array.tobytes()).decode()
        return {"array": text, "dtype": array.dtype.str, "shape": list(array.shape)}
    if isinstance(value, (tuple, list)):
        items = [encode(item, depth + 1) for item in list(value)]
        return {"tuple": items} if isinstance(value, tuple) else {"list": items}
    for kind in (bool, int, float, str):
        if type(value) is kind:
            return {"value": value}
    if value is None:
        return {"value": None}
    raise TypeError(f"a {type(value).__name__} cannot be graded; return numbers or arrays")


def decode(coded: Any, depth: int = 0) -> Any:
    """Return the value again. Raises ValueError for whatever is not of the right form."""
    import numpy as np

    if not isinstance(coded, dict) or depth > DEEPEST:
        raise ValueError("not a coded value")
    if "array" in coded:
        dtype, shape = np.dtype(str(coded["dtype"])), coded["shape"]
        if dtype.kind not in "fiub" or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError("not a coded array")
        return np.frombuffer(base64.b64decode(coded["array"]), dtype).reshape(shape).copy()
    for name, kind in (("tuple", tuple), ("list", list)):
        if name in coded:
            return kind(decode(item, depth + 1) for item in coded[name])
    if not (coded["value"] is None or isinstance(coded["value"], (bool, int, float, str))):
        raise ValueError("not a plain value")
    return coded["value"]


class TimeUp(BaseException):
    """A cell or a call has run too long. No Exception, so that `except Exception` does not swallow it."""


def said(error: BaseException) -> dict[str, str]:
    """What an error is and says, whatever its own text does."""
    text = ""
    with contextlib.suppress(BaseException):
        text = str(error)
    return {"error": text[:300], "kind": type(error).__name__}


def plain(source: str) -> str:
    """A cell as plain Python: %%time goes, other cell magics take their cell along, lines of % and ! do nothing."""
    if re.match(r"\s*%%(time|timeit|capture)\b", source):
        source = source.lstrip().partition("\n")[2]
    if source.lstrip().startswith("%%"):
        return ""
    source = re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.M)
    return re.sub(r"^\??[\w.]+\?{1,2}$", "", source, flags=re.M)


@contextlib.contextmanager
def at_most(seconds: float) -> Any:
    """Raise TimeUp in the body after that much work of the processor, on systems that can tell.

    The time of the clock is the grader's matter: on a busy machine it says little about a program.
    """
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGPROF, _time_up)
        signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, 0)


def _time_up(*_: Any) -> None:
    raise TimeUp


def limit(memory: int) -> None:
    """Set what the process may use, as far as the system can."""
    try:
        import resource
    except ImportError:
        return
    for kind, most in (("AS", memory), ("FSIZE", 2**24), ("CORE", 0), ("NOFILE", 256)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{kind}"), (most, most))


def run(cells: list[str], skip: list[int], seconds: float, answer: Any) -> dict[str, Any]:
    """Execute the cells one after the other, as a notebook does; return the names that they leave."""
    names: dict[str, Any] = {"__name__": "__main__", "display": lambda *_, **__: None}
    for i, source in enumerate(cells):
        if i in skip:
            continue
        answer(at=i)
        try:
            with at_most(seconds):
                exec(compile(plain(source), f"cell {i + 1}", "exec"), names)
        except TimeUp:
            answer(cell=i, error=f"stopped after {seconds:g} s", kind="TimeUp")
        except BaseException as error:
            answer(cell=i, **said(error))
    return names


def reply(question: dict[str, Any], names: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return what a name stands for, or what its function returns and which of its arguments it changed."""
    name = question["name"]
    if name not in names:
        return {"missing": True}
    if "args" not in question:
        return {"function": True} if callable(names[name]) else {"result": encode(names[name])}
    args = decode(question["args"])
    options = {key: decode(value) for key, value in question["options"].items()}
    before = [encode(value) for value in args]
    with at_most(seconds):
        result = encode(names[name](*args, **options))
    after = [encode(value) for value in args]
    return {"result": result, "changed": {str(i): new for i, new in enumerate(after) if new != before[i]}}


def main() -> None:
    # The lines to the grader go through descriptors of their own; what a student prints goes nowhere.
    questions, answers = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)

    def answer(**line: Any) -> None:
        print(json.dumps(line), file=answers, flush=True)

    order = json.loads(questions.readline())
    limit(order["memory"])
    answer(begun=True)
    seconds = order["seconds"]
    names = run(order["cells"], order["skip"], seconds, answer)
    answer(ready=True)
    for line in questions:
        question = json.loads(line)
        try:
            found = reply(question, names, seconds)
        except TimeUp:
            found = {"error": f"it was stopped after {seconds:g} s", "kind": "TimeUp"}
        except BaseException as error:
            found = said(error)
        answer(id=question["id"], **found)


if __name__ == "__main__":
    main()
