"""Ctrl-C, and two runs at once."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.end_to_end.command import Project, lines_of, wait_until

LONG = 120


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    made.write("long", budget=LONG, trials=1000)
    yield made
    made.close()


def heard(process: "subprocess.Popen[str]") -> list[str]:
    """The lines of stderr, filled while the process speaks."""
    lines: list[str] = []

    def listen() -> None:
        with suppress(ValueError):  # the pipe was closed
            lines.extend(lines_of(process))

    threading.Thread(target=listen, daemon=True).start()
    return lines


def trials(project: Project) -> list[Path]:
    return list((project.home / "studies").glob("*/trials/*/fold_*"))


def test_ctrl_c_keeps_the_best_model_so_far_the_next_run_goes_on_and_a_second_ctrl_c_ends_it_at_once(
    project: Project,
) -> None:
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

    again = project.start("run", "long")
    lines = heard(again)
    count = len(trials(project))
    assert wait_until(lambda: len(trials(project)) > count, 60), "an interrupted search is not up to date: it goes on"
    assert kept <= {file.stat().st_mtime_ns for file in trials(project)}
    os.kill(again.pid, signal.SIGINT)
    assert wait_until(lambda: "Ctrl-C" in "".join(lines), 10)
    os.kill(again.pid, signal.SIGINT)
    assert again.wait(15) == 130
    assert wait_until(lambda: project.processes() == [], 10), "the second Ctrl-C leaves nothing running"
    assert wait_until(lambda: "goes on from here" in "".join(lines), 10)


def test_the_second_of_two_runs_waits_says_for_whom_and_finds_nothing_left_to_do(project: Project) -> None:
    project.write("short")
    first = project.start("run", "short", "--json")
    held = project.home / "locks" / "short.lock"
    assert wait_until(lambda: held.exists() and "automl run short" in held.read_text(), 30)
    second = project.start("run", "short")
    out, _ = first.communicate(timeout=120)
    assert json.loads(out)["status"] == "success"
    out, err = second.communicate(timeout=120)
    assert f"automl run short (process {first.pid}" in err
    assert "waiting for it to end" in err
    assert "up to date" in out
    assert second.returncode == 0
