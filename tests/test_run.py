"""run.py: what it says when something is missing, what it does again and what it does not."""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SOURCE = (ROOT / "run.py").read_text(encoding="utf-8")


@pytest.fixture
def run() -> ModuleType:
    """run.py as a module, fresh for every test."""
    spec = importlib.util.spec_from_file_location("run_under_test", ROOT / "run.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small repository with everything that run.py reads."""
    root = tmp_path / "a book"  # with a space, as on many a desktop
    for name, content in {
        "pyproject.toml": '[project]\nname = "adambook"\ndependencies = ["numpy"]\n[tool.ruff]\nline-length = 9\n',
        "constraints.txt": "# pins\nnumpy==2.4.6\n",
        "_config.yml": "title: A book\n",
        "_toc.yml": "format: jb-book\nroot: book/intro\n",
        "book/intro.md": "# Intro\n",
        "book/0_moments.ipynb": "{}\n",
        "code/adambook/__init__.py": "",
        "code/adambook/palette.json": "{}",
        "code/adambook/explorers/static/mgf.js": "export {}",
        "code/web/package.json": '{"engines": {"node": ">=20"}}',
        "code/web/package-lock.json": "{}",
        "code/web/src/mgf.ts": "export {}",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    shutil.copy(ROOT / "run.py", root)
    return root


def call(
    root: Path, *arguments: str, before: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run run.py of a project, after some lines of Python that change what it finds."""
    script = f"{before}\nimport runpy, sys\nsys.argv = {['run.py', *arguments]!r}\n"
    script += f"runpy.run_path({str(root / 'run.py')!r}, run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def one_sentence(result: subprocess.CompletedProcess[str]) -> str:
    """What a call that failed as it should has said."""
    assert result.returncode == 1, result
    assert "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


# --- what any Python can read ---------------------------------------------------------------------------------


def test_python_3_8_can_parse_it():
    """An old Python must come as far as the sentence that says it is too old."""
    ast.parse(SOURCE, feature_version=(3, 8))


def test_only_the_standard_library():
    tree = ast.parse(SOURCE)
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names)


def test_what_python_3_8_lacks_is_imported_late():
    top = [node for node in ast.parse(SOURCE).body if isinstance(node, ast.Import)]
    assert "tomllib" not in {alias.name for node in top for alias in node.names}


# --- bad surroundings: one sentence, and nothing half made ----------------------------------------------------


@pytest.mark.parametrize("version", [(3, 8, 18), (3, 10, 13)])
def test_old_python(run, version):
    with pytest.raises(run.Stop, match=r"Python 3\.11 or newer is needed, and this is Python 3\.\d+\.\d+\.$"):
        run.check_python(version)


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 13, 1), (4, 0, 0)])
def test_new_python(run, version):
    run.check_python(version)


def test_old_python_as_a_command(project):
    before = "import collections, sys\nsys.version_info = (3, 10, 13, 'final', 0)"
    assert "3.11 or newer is needed" in one_sentence(call(project, "book", before=before))
    assert not (project / ".venv").exists()


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_no_venv_module(project, module):
    sentence = one_sentence(call(project, "book", before=f"import sys\nsys.modules[{module!r}] = None"))
    assert f"no {module} module" in sentence and "python3-venv" in sentence
    assert not (project / ".venv").exists()


def test_no_disk_space(project):
    before = "import shutil\nshutil.disk_usage = lambda path: type('Usage', (), {'free': 2e8})"
    sentence = one_sentence(call(project, "test", before=before))
    assert "needs 4 GB" in sentence and "0.2 GB left" in sentence
    assert not (project / ".venv").exists()


def test_the_disk_fills_up_on_the_way(project):
    before = (
        "import pathlib\n"
        "def full(self, *a, **k): raise OSError(28, 'No space left on device')\n"
        "pathlib.Path.mkdir = full"
    )
    assert "The disk is full" in one_sentence(call(project, "book", before=before))


def test_no_permission(project):
    before = (
        "import pathlib\n"
        "def denied(self, *a, **k): raise PermissionError(13, 'Permission denied', str(self))\n"
        "pathlib.Path.mkdir = denied"
    )
    assert "No permission to write" in one_sentence(call(project, "book", before=before))


@pytest.mark.slow
def test_no_network_and_the_next_call(run, project, monkeypatch):
    """The call that fails says why; the next one starts with a new .venv, not with what is left of the old."""
    nowhere = "http://127.0.0.1:9/"
    offline = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": nowhere,
        "PIP_FIND_LINKS": "",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_RETRIES": "0",
        "npm_config_registry": nowhere,
        "npm_config_fetch_retries": "0",
    }
    result = call(project, "book", **offline)
    assert result.stderr.startswith("No network: installing Python packages"), result
    one_sentence(result)
    assert (project / ".venv" / "unfinished").exists()
    assert not (project / ".venv" / "stamp").exists()
    left_over = project / ".venv" / "left over"
    left_over.touch()
    monkeypatch.setattr(run, "Job", lambda title, *a, **k: title)
    monkeypatch.setattr(run, "finish", lambda title: pytest.fail(title) if title != "making .venv" else None)
    run.make_venv(run.Paths(project))
    assert not left_over.exists() and (project / ".venv" / "unfinished").exists()


@pytest.mark.parametrize(
    ("title", "log", "sentence"),
    [
        ("installing torch", "OSError: [Errno 28] No space left on device", "The disk is full"),
        ("installing JavaScript packages", "npm error code ENOSPC", "The disk is full"),
        ("installing torch", "NewConnectionError: Failed to establish", "No network"),
        ("installing JavaScript packages", "npm error code EAI_AGAIN", "No network"),
        ("building the pages", "ConnectionError in a notebook", "the whole log is"),
        (
            "building the pages",
            "\x1b[91ma.md:3: WARNING: no\x1b[0m target\n" + "copying\n" * 50,
            "WARNING: no target",
        ),
        ("building the explorers", "error TS2304: Cannot find name", "Cannot find name"),
    ],
)
def test_what_went_wrong(run, tmp_path, title, log, sentence):
    job = run.Job(title, [sys.executable, "-c", f"print({log!r}); raise SystemExit(3)"], run.Paths(tmp_path))
    with pytest.raises(run.Stop, match=sentence):
        run.finish(job)


def test_a_job_does_not_outlive_the_call(run, tmp_path):
    job = run.Job("waiting", [sys.executable, "-c", "import time; time.sleep(600)"], run.Paths(tmp_path))
    with pytest.raises(KeyboardInterrupt), run.running(job):
        raise KeyboardInterrupt
    assert job.process.poll() is not None


def test_usage(project):
    for arguments in ([], ["boook"], ["book", "--server"], ["pdf", "epub"]):
        result = call(project, *arguments)
        assert result.returncode == 2 and result.stdout.startswith("Usage: python3 run.py book"), arguments


# --- what is done again ---------------------------------------------------------------------------------------


def test_a_stamp_is_set_only_by_a_step_that_ends(run, tmp_path):
    stamp = run.Stamp(tmp_path / "stamps" / "step")
    assert not stamp.holds("key")
    with stamp.renew("key"):
        assert not stamp.holds("key")
    assert stamp.holds("key") and not stamp.holds("other")
    with pytest.raises(run.Stop), stamp.renew("key"):
        raise run.Stop
    assert not stamp.holds("key")


def edit(path: Path, content: str = "changed") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


CHANGES = {
    # what changes: which keys change with it
    "constraints.txt": {"setup", "notebooks", "site", "book"},
    "code/web/package-lock.json": {"packages", "web", "site", "book"},
    "code/web/src/page/embed.ts": {"web", "site", "book"},
    "code/adambook/explorers/static/mgf.js": {"notebooks", "site", "book"},
    "code/adambook/course/grade.py": set(),
    "code/adambook/cli.py": set(),
    "code/adambook/palette.json": {"web", "notebooks", "site", "book"},
    "code/adambook/adam.py": {"notebooks", "site", "book"},
    "_config.yml": {"site", "book"},
    "book/_static/book.css": {"site", "book"},
    "book/new.md": {"site", "book"},
    "benchmarks/recorded/descend.json": {"notebooks", "site", "book"},
    "benchmarks/recorded/sweeps/vae.json": {"notebooks", "site", "book"},
    "book/intro.md": {"book"},
    "book/0_moments.ipynb": {"book"},
    "tests/test_adam.py": set(),
    "code/web/node_modules/x/index.js": set(),
    "code/web/dist/embed.js": set(),
    "_build/html/index.html": set(),
    "book/.ruff_cache/0.17.6/1188669281979394149": set(),
    "code/adambook/__pycache__/adam.py": set(),
    "README.md": set(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_depends_on_what(run, project, name):
    inputs = run.Inputs(run.Paths(project))
    steps = ("setup", "packages", "web", "notebooks", "site", "book")
    before = {step: getattr(inputs, step)() for step in steps}
    assert before == {step: getattr(inputs, step)() for step in steps}
    edit(project / name)
    assert {step for step in steps if getattr(inputs, step)() != before[step]} == CHANGES[name]


def test_set_up_depends_on_dependencies_and_on_no_linter(run, project):
    inputs = run.Inputs(run.Paths(project))
    before = inputs.setup()
    path = project / "pyproject.toml"
    text = path.read_text(encoding="utf-8")
    edit(path, text.replace("line-length = 9", "line-length = 10"))
    assert inputs.setup() == before
    edit(path, text.replace('["numpy"]', '["numpy", "scipy"]'))
    assert inputs.setup() != before


def test_launch_buttons_depend_on_the_setting_and_the_remote(run, project, monkeypatch):
    inputs = run.Inputs(run.Paths(project))
    monkeypatch.delenv("BOOK_REPOSITORY", raising=False)
    before = inputs.site()
    monkeypatch.setenv("BOOK_REPOSITORY", "ann/book")
    told = inputs.site()
    monkeypatch.delenv("BOOK_REPOSITORY")
    edit(project / ".git" / "config", '[remote "origin"]')
    assert len({before, told, inputs.site()}) == 3


def make_everything_current(run: ModuleType, root: Path) -> None:
    run.ROOT = root  # the keys hold paths as they look from there
    at = run.Paths(root)
    inputs = run.Inputs(at)
    for path, key in {
        at.venv / "stamp": inputs.setup(),
        at.web / "node_modules" / ".stamp": inputs.packages(),
        at.web / "dist" / ".stamp": inputs.web(),
        at.stamps / "book": inputs.book(),
        at.python: "",
        at.index: "",
    }.items():
        edit(path, key)


def test_nothing_to_do_says_one_line(run, project, monkeypatch, capsys):
    make_everything_current(run, project)
    monkeypatch.setattr(run, "Job", lambda title, *a, **k: pytest.fail(f"started {title}"))
    assert run.main(["book"]) == 0
    assert capsys.readouterr().out == f"The book is at {project / '_build/html/index.html'}\n"


@pytest.mark.parametrize(
    ("lost", "first"),
    [
        (".venv/stamp", "installing Python packages"),
        (".venv/unfinished", "making .venv"),
        ("code/web/node_modules/.stamp", "installing JavaScript packages"),
        ("code/web/dist/.stamp", "building the explorers"),
        ("code/adambook/explorers/static/mgf.js", "building the explorers"),
        ("_build/stamps/book", "running 1 notebooks"),
        ("_build/html/index.html", "running 1 notebooks"),
    ],
)
def test_what_is_lost_is_made_again(run, project, monkeypatch, lost, first):
    make_everything_current(run, project)
    path = project / lost
    path.touch() if path.name == "unfinished" else path.unlink()
    started: list[str] = []

    def start(title: str, *a: object, **k: object) -> None:
        started.append(title)
        raise run.Stop(title)

    monkeypatch.setattr(run, "ROOT", project)
    monkeypatch.setattr(run, "Job", start)
    monkeypatch.setattr(run, "succeeds", lambda *command: "unfinished" not in lost)
    assert run.main(["book"]) == 1
    assert started[0] == first


# --- the flow of the tests ------------------------------------------------------------------------------------


@pytest.fixture
def flow(run, project, monkeypatch):
    """run.py with every program replaced: returns what was started, with failures on request."""
    started: list[str] = []
    failing: set[str] = set()

    class Job:
        def __init__(self, title: str, *a: object, **k: object) -> None:
            started.append(title)
            self.title = title

        def end(self) -> None:
            pass

    def finish(job: Job) -> None:
        if job.title in failing:
            raise run.Stop(f"{job.title} failed")
        if job.title == "building the pages":
            edit(project / "_build/html/index.html")
            edit(project / "_build/html/book/family/lion.html", "<p><!-- offer --><!-- /offer --></p>")
        if job.title.startswith("making the "):
            edit(project / "_build" / f"adambook.{job.title.split()[-1].lower()}")

    def pytest_(at: object, failed: list[str], title: str, *a: object, **k: object) -> None:
        started.append(title)
        if title in failing:
            failed.append(title)

    for name, value in {
        "ROOT": project,
        "Job": Job,
        "finish": finish,
        "pytest": pytest_,
        "get_browser": lambda at: None if "browser" in failing else "chromium",
        "get_sandbox": lambda at: "sandbox" not in failing,
        "node_tool": lambda at, name: name,
        "succeeds": lambda *command: True,
    }.items():
        monkeypatch.setattr(run, name, value)
    make_everything_current(run, project)
    (project / "_build/stamps/book").unlink()
    return run, started, failing


def test_everything_is_tested(flow, capsys):
    run, started, _ = flow
    assert run.main(["test"]) == 0
    order = ["running 1 notebooks", "building the pages", "unit tests", "site tests", "notebook tests"]
    assert [title for title in started if title in order] == order
    assert capsys.readouterr().out.splitlines()[-1].startswith("Everything passed.")


@pytest.mark.parametrize(
    "broken",
    ["TypeScript: test", "running 1 notebooks", "building the pages", "unit tests", "notebook tests"],
)
def test_one_failure_hides_no_other_and_fails_the_call(flow, capsys, broken):
    run, started, failing = flow
    failing.add(broken)
    assert run.main(["test"]) == 1
    assert {"unit tests", "notebook tests"} <= set(started)
    assert ("site tests" in started) == (broken not in ("running 1 notebooks", "building the pages"))
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("Failed: ") and "Everything" not in last


def test_without_a_browser_the_rest_runs_and_the_call_fails(flow, capsys):
    run, started, failing = flow
    failing.add("browser")
    assert run.main(["test"]) == 1
    assert "unit tests" in started and "notebook tests" in started and "site tests" not in started
    last = capsys.readouterr().err.splitlines()[-1]
    assert "The site tests did not run" in last and "Chromium" in last


@pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")
def test_without_a_sandbox_the_rest_runs_and_the_call_fails(flow, capsys):
    run, started, failing = flow
    failing.add("sandbox")
    assert run.main(["test"]) == 1
    assert {"unit tests", "site tests", "notebook tests"} <= set(started)
    assert "The hostile class was not graded" in capsys.readouterr().err.splitlines()[-1]


def test_options_select(flow):
    run, started, failing = flow
    assert run.main(["test", "-k", "adam"]) == 0
    assert "the selected tests" in started and "notebook tests" not in started
    failing.add("the selected tests")
    assert run.main(["test", "-k", "adam"]) == 1


def test_pages_that_warned_are_all_made_again(flow):
    run, _, failing = flow
    failing.add("building the pages")
    assert run.main(["book"]) == 1
    failing.clear()
    stale = run.ROOT / "_build/html/stale.html"
    edit(stale)
    assert run.main(["book"]) == 0
    assert not stale.exists()


def test_a_changed_page_is_made_alone(flow):
    run, started, _ = flow
    assert run.main(["book"]) == 0
    kept = run.ROOT / "_build/html/kept.html"
    edit(kept)
    edit(run.ROOT / "book/intro.md", "# Another\n")
    started.clear()
    assert run.main(["book"]) == 0
    assert kept.exists() and "building the pages" in started and "running 1 notebooks" not in started


def test_a_report_of_a_failed_notebook_fails_the_build(flow, capsys):
    run, _, _ = flow
    finish = run.finish

    def leave_a_report(job):
        finish(job)
        edit(run.ROOT / "_build/html/reports/book/3_adam.err.log", "ZeroDivisionError")

    run.finish = leave_a_report
    assert run.main(["book"]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err


# --- the browser, the server, the others that call it ---------------------------------------------------------


def test_a_named_browser_that_is_not_there_is_not_replaced(run, tmp_path, monkeypatch):
    monkeypatch.setenv("ADAMBOOK_CHROMIUM", str(tmp_path / "no-such-browser"))
    monkeypatch.setattr(run, "playwright_browser", lambda at: None)
    monkeypatch.setattr(run, "Job", lambda title, *a, **k: pytest.fail(f"started {title}"))
    assert run.get_browser(run.Paths(tmp_path)) is None


def test_a_browser_that_does_not_start_is_no_browser(run, tmp_path, monkeypatch):
    """Ubuntu's chromium is a script that only says to install the snap."""
    browser = tmp_path / "chromium"
    edit(browser, "#!/bin/sh\nexit 1\n")
    browser.chmod(0o755)
    monkeypatch.setenv("ADAMBOOK_CHROMIUM", str(browser))
    assert run.find_browser() is None
    edit(browser, "#!/bin/sh\nexit 0\n")
    assert run.find_browser() == str(browser)


def test_the_server_is_for_this_machine_only(run, tmp_path, monkeypatch, capsys):
    from http.server import ThreadingHTTPServer

    seen = []
    monkeypatch.setattr(
        ThreadingHTTPServer, "serve_forever", lambda self: seen.append(self.server_address[0])
    )
    run.serve(run.Paths(tmp_path))
    assert seen == ["127.0.0.1"]
    assert "http://127.0.0.1:80" in capsys.readouterr().out


def test_children_use_one_thread_and_this_venv(run, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    environment = run.Paths(tmp_path).environment(MORE="1")
    assert environment["OMP_NUM_THREADS"] == "1" and environment["MORE"] == "1"
    assert environment["PATH"].startswith(str(tmp_path / ".venv"))
    assert "PYTHONPATH" not in environment


def test_a_log_shows_how_long_a_job_took_itself(run, tmp_path, capsys):
    """A job beside others may have ended long before it is waited for."""
    job = run.Job("quick", [sys.executable, "-c", "print(1)"], run.Paths(tmp_path))
    job.process.wait()
    job.begun -= 7
    os.utime(job.log, (time.time(), job.begun + 6))
    run.finish(job)
    assert "quick: done in 6 s" in capsys.readouterr().out


def test_ci_calls_the_test_command_and_nothing_else():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    commands = [line for line in lines if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == ["exec python3 run.py test"]


def workflow_commands(name: str) -> list[str]:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))
    return [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]


def test_workflows_call_what_a_reader_calls():
    *system, last = workflow_commands("test.yml")
    assert last == "python3 run.py test" and "run.py" not in "".join(system)
    assert "python3 run.py book" in workflow_commands("publish.yml")


def test_the_readme_names_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "python3 run.py book" in readme and "python3 run.py test" in readme


def test_a_job_reports(run, tmp_path, capsys):
    first, second = "book/a.ipynb: 1.0 s", "b.ipynb: 2.0 s"
    script = f"import time; print('noise\\n\\n{first}', flush=True); time.sleep(1); print('{second}')"
    job = run.Job("running", [sys.executable, "-c", script], run.Paths(tmp_path), report=r"\S+\.ipynb: ")
    run.finish(job)
    said = [line.split("] ", 1)[1] for line in capsys.readouterr().out.splitlines()]
    assert said == ["running", first, second]
    run.finish(run.Job("silent", [sys.executable, "-c", script], run.Paths(tmp_path)))
    assert capsys.readouterr().out.strip().endswith("] silent")


# --- the PDF and the EPUB ---------------------------------------------------------------------------------------


def test_the_site_offers_the_pdf_and_the_epub_that_were_made_of_it(flow, project):
    run, started, _ = flow
    page = project / "_build/html/book/family/lion.html"
    assert run.main(["pdf"]) == 0
    assert started == ["running 1 notebooks", "building the pages", "making the PDF"]
    assert '<a href="../../adambook.pdf">PDF' in page.read_text() and "epub" not in page.read_text()
    assert run.main(["epub"]) == 0
    assert started[3:] == ["making the EPUB"]
    offered = page.read_text()
    assert "../../adambook.pdf" in offered and "../../adambook.epub" in offered
    assert all((page.parent / "../.." / name).is_file() for name in run.BOUND)

    assert run.main(["pdf"]) == run.main(["epub"]) == 0  # a second call makes nothing
    assert len(started) == 4 and page.read_text() == offered

    edit(project / "book/intro.md")
    assert run.main(["book"]) == 0  # a changed page, and neither an old PDF nor a link to it
    assert not any((project / "_build/html" / name).exists() for name in run.BOUND)
    assert "adambook" not in page.read_text()
    assert run.main(["pdf"]) == 0
    assert started[-1] == "making the PDF" and "../../adambook.pdf" in page.read_text()


def test_a_pdf_needs_a_browser_and_an_epub_does_not(flow, capsys):
    run, started, failing = flow
    failing.add("browser")
    assert run.main(["pdf"]) == 1
    assert "making the PDF" not in started
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and "Chromium" in lines[0] and "ADAMBOOK_CHROMIUM" in lines[0]
    assert run.main(["epub"]) == 0


@pytest.mark.parametrize("kind", ["pdf", "epub"])
def test_a_failed_pdf_is_made_again(flow, project, kind):
    run, started, failing = flow
    failing.add(f"making the {kind.upper()}")
    assert run.main([kind]) == 1
    assert not (project / "_build/html" / f"adambook.{kind}").exists()
    failing.clear()
    assert run.main([kind]) == 0
    assert started.count(f"making the {kind.upper()}") == 2
