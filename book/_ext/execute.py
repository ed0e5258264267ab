"""Run notebooks and keep their outputs where MyST-NB finds them: ``execute.py CACHE NOTEBOOK...``

MyST-NB runs one notebook after another while it reads them. Here several run at once beforehand, each in a
kernel of its own. Failures are printed, and the exit status is 1; what succeeded is kept.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution

CELL_SECONDS = 600  # ends a cell that hangs; how long a chapter may take is measured elsewhere


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def execute(path: Path) -> ExecutionResult:
    """Run one notebook in its own folder."""
    return single_nb_execution(read(path), cwd=str(path.parent), timeout=CELL_SECONDS, allow_errors=False)


def main(arguments: list[str]) -> int:
    """Run what the cache does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("cache", type=Path)
    parser.add_argument("notebooks", type=Path, nargs="*")
    options = parser.parse_args(arguments)
    cache = get_cache(str(options.cache))

    def is_new(path: Path) -> bool:
        try:
            cache.match_cache_notebook(read(path))
        except KeyError:
            return True
        return False

    new = [path.resolve() for path in options.notebooks if is_new(path)]
    failures: list[str] = []
    # Threads suffice: the work is done in the kernels.
    with ThreadPoolExecutor(options.workers) as pool:
        jobs = {pool.submit(execute, path): path for path in new}
        for job in as_completed(jobs):
            path, result = jobs[job], job.result()
            name = f"{path.parent.name}/{path.name}"
            if result.err is not None:
                failures.append(f"{name} failed:\n{result.exc_string}")
                print(f"{name}: failed after {result.time:.1f} s", flush=True)
                continue
            bundle = CacheBundleIn(result.nb, str(path), data={"execution_seconds": result.time})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            print(f"{name}: {result.time:.1f} s", flush=True)
    print(f"{len(options.notebooks) - len(new)} taken from the cache, {len(new) - len(failures)} run")
    print(*failures, sep="\n", end="")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
