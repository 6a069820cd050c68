"""Ctrl-C, and two runs at once."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.end_to_end.command import Project, lines_of, wait_until

LONG = 120


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.write("long", rows=600, budget=LONG)
    return made


def heard(process: "subprocess.Popen[str]") -> list[str]:
    """The lines of stderr, filled while the process speaks."""
    lines: list[str] = []
    threading.Thread(target=lambda: lines.extend(lines_of(process)), daemon=True).start()
    return lines


def trials(project: Project) -> list[Path]:
    return list((project.home / "studies").glob("*/trials/*/fold_*"))


def test_ctrl_c_while_tuning_keeps_the_best_model_so_far_and_the_next_run_goes_on(project: Project) -> None:
    process = project.start("run", "long")
    lines = heard(process)
    assert wait_until(lambda: len(trials(project)) >= 6, 60), lines
    begun = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(90) == 130
    assert time.monotonic() - begun < LONG / 2
    assert wait_until(lambda: project.processes() == [], 10)
    told = "".join(lines)
    assert "best model so far is finished" in told
    assert "Traceback" not in told
    shown = project.ok("show", "long")
    assert shown["champion"] == "1"
    kept = {file.stat().st_mtime_ns for file in trials(project)}

    again = project.start("run", "long", "--json")
    lines = heard(again)
    count = len(trials(project))
    assert wait_until(lambda: len(trials(project)) > count, 60), "an interrupted search is not up to date: it goes on"
    assert kept <= {file.stat().st_mtime_ns for file in trials(project)}
    os.kill(again.pid, signal.SIGINT)
    again.wait(90)


def test_a_second_ctrl_c_ends_at_once_and_leaves_nothing_running(project: Project) -> None:
    process = project.start("run", "long")
    lines = heard(process)
    assert wait_until(lambda: len(trials(project)) >= 2, 60), lines
    os.kill(process.pid, signal.SIGINT)
    assert wait_until(lambda: "Ctrl-C" in "".join(lines), 10)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(15) == 130
    assert wait_until(lambda: project.processes() == [], 10)
    assert "goes on from here" in "".join(lines)


def test_the_second_of_two_runs_waits_and_says_for_whom(project: Project) -> None:
    project.write("short", rows=400, budget=3)
    first = project.start("run", "short", "--json")
    assert wait_until(lambda: (project.home / "locks" / "short.lock").exists(), 30)
    second = project.start("run", "short", "--json", "--set", "seed=5")
    assert first.wait(120) == 0
    assert second.wait(120) == 0
    documents = [process.communicate()[0] for process in (first, second)]
    assert '"version": "1"' in documents[0]
    assert '"version": "2"' in documents[1]
