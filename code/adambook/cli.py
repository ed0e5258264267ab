"""The `adambook` command: releasing, checking and grading assignments."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    """Return what the command line takes."""
    top = argparse.ArgumentParser(prog="adambook", description="Release, check and grade the book's assignments.")
    commands = top.add_subparsers(dest="command", required=True)

    assignment = commands.add_parser("assignment", help="release or check a master")
    what = assignment.add_subparsers(dest="what", required=True)
    release = what.add_parser("release", help="write the student's notebook: no answers, no hidden tests")
    release.add_argument("master", type=Path, metavar="MASTER")
    release.add_argument("--out", type=Path, help="the notebook to write (default: released/NAME beside the master)")
    check = what.add_parser("check", help="see that the master earns all points, and its stubs none")
    check.add_argument("master", type=Path, metavar="MASTER")

    grade = commands.add_parser("grade", help="grade a folder of notebooks, each in a sandbox")
    grade.add_argument("master", type=Path, metavar="MASTER")
    grade.add_argument("submissions", type=Path, metavar="SUBMISSIONS", help="a folder: NAME.ipynb, or NAME/*.ipynb")
    grade.add_argument("--out", type=Path, default=Path("grades.csv"), help="the gradebook (default: grades.csv)")
    grade.add_argument("--by-hand", type=Path, metavar="CSV", help="your points: student, grade_id, points, comment")
    grade.add_argument("--seconds", type=float, default=20.0, help="what a submission may take (default: 20)")
    grade.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="at a time (default: one a core)")
    grade.add_argument("--again", action="store_true", help="grade all, also those that were graded before")
    for one in (grade, check):
        one.add_argument("--unsafe", action="store_true", help="without a sandbox: programs can read your files")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks for; return 0 where all went well."""
    options = parser().parse_args(arguments)
    try:
        return grade(options) if options.command == "grade" else assignment(options)
    except ModuleNotFoundError as missing:
        print(f"{missing}. Install what the command needs: pip install 'adambook[course]'", file=sys.stderr)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        print("\nStopped. The next call goes on from here.", file=sys.stderr)
    return 1


def assignment(options: argparse.Namespace) -> int:
    """Release or check a master."""
    from adambook.course.grade import check
    from adambook.course.master import Master, release, write
    from adambook.course.sandbox import probe

    master = Master.load(options.master)
    if options.what == "release":
        out = options.out or options.master.parent / "released" / options.master.name
        if out.resolve() == options.master.resolve():
            raise ValueError(f"--out is {out}, the master itself; name another file")
        write(release(master), out)
        print(f"{out}: {len(master.graded)} graded cells, {master.points:g} points")
        return 0
    probe(not options.unsafe)
    faults = check(master, not options.unsafe)
    print("\n".join(faults) or f"{master.path.name}: the master earns its {master.points:g} points, the stubs none")
    return 1 if faults else 0


def grade(options: argparse.Namespace) -> int:
    """Grade a folder, with a bar of progress; what was graded before is kept."""
    from tqdm import tqdm

    from adambook.course.folder import Progress, grade_folder, submissions
    from adambook.course.master import Master
    from adambook.course.report import by_hand, write_all
    from adambook.course.sandbox import UNSAFE, Limits, probe

    safe = not options.unsafe
    if options.workers < 1:
        raise ValueError(f"--workers is {options.workers}; at least 1 is needed")
    if not options.submissions.is_dir():
        raise ValueError(f"{options.submissions} is no folder; name the one that holds the students' notebooks")
    master = Master.load(options.master)
    handed_in = submissions(options.submissions, options.master.name)
    if not handed_in:
        raise ValueError(f"{options.submissions} holds no notebook and no folder of a student")
    probe(safe)
    if not safe:
        print(UNSAFE, file=sys.stderr)
    # Who gives a submission more time, as for the capstone, gives more to each of its cells.
    limits = Limits(seconds=options.seconds, step=max(Limits.step, 0.15 * options.seconds))
    progress_file = options.out.with_suffix("") / "progress.jsonl"
    progress_file.parent.mkdir(parents=True, exist_ok=True)
    if options.again:
        progress_file.unlink(missing_ok=True)
    progress = Progress(progress_file, master, limits, safe)
    graded = grade_folder(master, handed_in, progress, limits, safe, options.workers)
    results = list(tqdm(graded, total=len(handed_in), unit="notebook", disable=None))
    results.sort(key=lambda result: (result.student, result.file))
    if options.by_hand:
        results = by_hand(options.by_hand, results)
    folder = write_all(master, results, options.out)
    failed = [result for result in results if result.failed]
    for result in failed:
        print(f"{result.student} was not graded: {result.failed}", file=sys.stderr)
    still = sum(bool(result.open) for result in results)
    print(f"{len(results) - len(failed)} of {len(results)} graded: {options.out}; pages and other gradebooks: {folder}")
    if still:
        print(f"{still} have answers for you to read; hand your points in with --by-hand.")
    return 1 if failed else 0
