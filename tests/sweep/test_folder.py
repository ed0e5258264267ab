"""A sweep that is killed, meets a full disk or a broken file loses nothing that was finished."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from adambook.sweep import chunk, run, sweep
from adambook.sweep.folder import BROKEN, SETTINGS, UNFINISHED, WHOLE, Folder

GRID = {"lr": [1e-3, 3e-3, 1e-2, 3e-2]}
SETUP = {"seeds": 2, "steps": 6, "every": 3}


@pytest.fixture(autouse=True)
def one_point_a_part(monkeypatch):
    monkeypatch.setattr(run, "CHUNK", 1)


@pytest.fixture
def trained(monkeypatch):
    """The learning rates that are trained from now on."""
    lrs = []
    original = chunk.train

    def train(*trial, **job):
        if trial:  # a step that asks whether the task works
            return original(*trial)
        lrs.extend(point["lr"] for point in job["points"].values())
        return original(**job)

    monkeypatch.setattr(chunk, "train", train)
    return lrs


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_same(a, b):
    pd.testing.assert_frame_equal(pd.DataFrame(a), pd.DataFrame(b), check_exact=True)
    pd.testing.assert_frame_equal(a.curves, b.curves, check_exact=True)


KILLED = """
import os, signal, sys
from adambook.sweep import folder, run, sweep
run.CHUNK = 1
add, parts = folder.Folder.add, []
def add_and_die(self, rows):
    add(self, rows)
    parts.append(rows)
    if len(parts) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
folder.Folder.add = add_and_die
sweep("digits-mlp", "Adam", {"lr": [1e-3, 3e-3, 1e-2, 3e-2]}, seeds=2, steps=6, every=3, folder=sys.argv[1])
"""


def test_a_killed_sweep_goes_on_where_it_was(tmp_path, trained):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a")], check=False, env=os.environ)
    assert killed.returncode == -signal.SIGKILL
    assert len(files(tmp_path / "a")) == 3  # two parts and the settings
    result = sweep("digits-mlp", "Adam", GRID, **SETUP, folder=tmp_path / "a")
    assert trained == [1e-2, 3e-2]
    assert files(tmp_path / "a") == [SETTINGS, WHOLE]
    assert_same(result, sweep("digits-mlp", "Adam", GRID, **SETUP))


def test_a_finished_sweep_is_read(task, tmp_path, trained):
    first = sweep(task, "Adam", {"lr": [1e-2, 1e300]}, **SETUP, folder=tmp_path)
    again = sweep(task, "Adam", {"lr": [1e-2, 1e300]}, **SETUP, folder=tmp_path)
    assert trained == [1e-2, 1e300]
    assert again["diverged_at"].notna().tolist() == [False, False, True, True]
    assert_same(first, again)


@pytest.mark.parametrize("damage", ["truncated", "a bit", "rows are missing", "empty"])
def test_a_broken_part_is_set_aside_and_run_again(task, tmp_path, trained, monkeypatch, damage):
    with monkeypatch.context() as uncompacted:
        uncompacted.setattr(Folder, "compact", lambda self, rows: None)
        expected = sweep(task, "Adam", GRID, **SETUP, folder=tmp_path)
    trained.clear()
    parts = sorted(tmp_path.glob("part-*"))
    assert len(parts) == 4
    victim = parts[1]
    table = pd.read_parquet(victim)
    content = victim.read_bytes()
    if damage == "truncated":
        victim.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        victim.write_bytes(b"")
    elif damage == "rows are missing":
        table.iloc[:-1].to_parquet(victim)
    else:  # in a number, where only the checksum can tell
        column = pq.read_metadata(victim).row_group(0).column(table.columns.get_loc("held_out"))
        assert column.has_dictionary_page
        at = column.data_page_offset - 4  # inside the last of the different numbers, which stand before the page
        victim.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    with pytest.warns(UserWarning, match="set aside"):
        result = sweep(task, "Adam", GRID, **SETUP, folder=tmp_path)
    assert trained == [GRID["lr"][table["point"].iloc[0]]]
    assert files(tmp_path) == sorted([SETTINGS, WHOLE, victim.name + BROKEN])
    assert_same(result, expected)


def full(table, at):
    at.write_bytes(b"PAR1 and then the disk was full")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_is_full_for_a_while(task, tmp_path, monkeypatch, trained):
    original, calls = Folder._table, []

    def table(self, rows, at):
        calls.append(len(rows))
        return full(rows, at) if len(calls) == 2 else original(self, rows, at)

    monkeypatch.setattr(Folder, "_table", table)
    with pytest.warns(UserWarning, match="No space left"):
        result = sweep(task, "Adam", GRID, **SETUP, folder=tmp_path)
    a_point = 2 * 3  # seeds, marks
    assert calls == [a_point, a_point, 2 * a_point, a_point, 4 * a_point]  # the second is written with the third
    assert files(tmp_path) == [SETTINGS, WHOLE]
    monkeypatch.undo()
    assert_same(result, sweep(task, "Adam", GRID, **SETUP, folder=tmp_path))


def test_a_disk_that_stays_full_loses_no_other_part(task, tmp_path, monkeypatch, trained):
    original, calls = Folder._table, []

    def table(self, rows, at):
        calls.append(len(rows))
        return full(rows, at) if len(calls) > 2 else original(self, rows, at)

    with monkeypatch.context() as later:
        later.setattr(Folder, "_table", table)
        with pytest.warns(UserWarning, match="No space left"):
            result = sweep(task, "Adam", GRID, **SETUP, folder=tmp_path)
    assert [name.split("-")[0] for name in files(tmp_path)] == ["part", "part", SETTINGS]
    assert trained == GRID["lr"]
    assert_same(result, sweep(task, "Adam", GRID, **SETUP, folder=tmp_path))
    assert trained == GRID["lr"] + [1e-2, 3e-2]


def test_what_was_being_written_is_cleared(task, tmp_path):
    (tmp_path / f"{UNFINISHED}abc").write_bytes(b"half")
    sweep(task, "Adam", GRID, **SETUP, folder=tmp_path)
    assert files(tmp_path) == [SETTINGS, WHOLE]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"grid": {"lr": [1e-3]}}, "points was"),
        ({"optimizer": "AdamW"}, "optimizer was Adam, is AdamW"),
        ({"steps": 7}, "steps was 6, is 7"),
        ({"seeds": (0, 2)}, r"seeds was \[0, 1\], is \[0, 2\]"),
        ({"every": None}, "every was 3, is None"),
        ({"schedule": lambda t: 1 / t}, "schedule was None"),
        ({"name": "other"}, "task was tiny, is other"),
        ({"noise": 0.1}, "first loss was"),
    ],
    ids=lambda x: "",
)
def test_a_folder_remembers_its_sweep(tasks, tmp_path, change, says):
    sweep(tasks(), "Adam", GRID, **SETUP, folder=tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    other = tasks(**{key: change.pop(key) for key in ("name", "noise") if key in change})
    arguments = {"optimizer": "Adam", "grid": GRID, **SETUP, **change}
    with pytest.raises(ValueError, match=f"holds another sweep: .*{says}.*another folder"):
        sweep(other, folder=tmp_path, **arguments)
    assert before == {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}


def test_folders_that_are_none(task, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="is a file; allowed: a folder"):
        sweep(task, "Adam", GRID, **SETUP, folder=tmp_path / "file")
    with pytest.raises(ValueError, match="holds files and no sweep; allowed"):
        sweep(task, "Adam", GRID, **SETUP, folder=tmp_path)
    assert files(tmp_path) == ["file"]


def test_the_whole_can_be_read_by_anybody(task, tmp_path):
    result = sweep(task, "Adam", GRID, **SETUP, folder=tmp_path)
    table = pd.read_parquet(tmp_path / WHOLE)
    np.testing.assert_array_equal(np.sort(table["held_out"]), np.sort(result.curves["held_out"]))
    assert set(GRID) <= set(table.columns)
    assert json.loads((tmp_path / SETTINGS).read_text())["steps"] == 6


def test_no_warning_without_a_reason(task, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sweep(task, "Adam", GRID, **SETUP, folder=tmp_path)
