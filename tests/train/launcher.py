"""One process of a training run, as `conftest.Launcher` starts it, with what it is to do in ``given``."""

import os
import signal
import sys
from typing import Any

from adambook.train.__main__ import main

given: dict[str, Any] = globals()["given"]
done = 0


def kill_before_operation(event: str, details: tuple[Any, ...]) -> None:
    """Count what is done to the run's files; removals name them relative to an open folder, if at all."""
    global done
    removes = event in ("os.remove", "os.rmdir")
    if removes or (event in ("open", "os.mkdir", "os.rename") and given["folder"] in str(details[0])):
        done += 1
        if done == given["kill_at"]:
            os.kill(os.getpid(), signal.SIGKILL)


os.environ.update(given["environment"])
with open(given["output"], "ab", buffering=0) as file:
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)
if given["kill_at"]:
    sys.addaudithook(kill_before_operation)
sys.exit(main(given["arguments"]))
