"""SIGKILL at random moments, of the searching process alone or with all that it started, and on again each time."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from automl_assets.core.files import PARTIAL
from automl_assets.learn.runner import Runner
from automl_assets.tuning.budget import SAVE_EVERY_SECONDS
from automl_assets.tuning.trial_store import TrialStore
from tests.conftest import ROOT
from tests.tuning.study_to_kill_often import BUDGET_SECONDS, PACKAGES, search

KILLS, LATEST_SECONDS = 4, 0.9
OVERRUN_SECONDS = 2.0
WAIT_SECONDS = 60.0


@pytest.mark.timeout(180)
def test_a_study_killed_four_times_loses_no_finished_fold_and_keeps_to_its_budget(tmp_path: Path) -> None:
    generator, folder = random.Random(2026), tmp_path / "study"
    store, finished, searched = TrialStore(folder), dict[Path, int](), 0.0
    for attempt in range(KILLS):
        searched += attempt_and_kill(folder, generator.uniform(0.1, LATEST_SECONDS), with_all=attempt % 2 == 1)
        now = {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/fold_*/fold.json")}
        assert {path: now[path] for path in finished} == finished, "a finished fold was made again"
        finished = now
    assert finished, "the kills came before any fold was finished"

    with Runner(packages=PACKAGES) as runner:
        runner.run("os:getpid", {}, deadline_seconds=60, memory_mb=500)
        begun = time.monotonic()
        study = search(folder, runner)
        searched += time.monotonic() - begun

    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    logged = Counter((fit["trial"], fit["fold"]) for fit in store.fits() if fit["kind"] == "ok")
    assert set(logged.values()) == {1}
    for journal in ("proposals.jsonl", "fits.jsonl"):
        lines = (folder / journal).read_text().splitlines()
        assert lines
        assert all(isinstance(json.loads(line), dict) for line in lines), f"{journal} has a torn line"
    assert study.folds >= 1
    assert any(trial.state == "complete" and trial.score is not None for trial in study.trials)
    assert not list(folder.rglob(f"{PARTIAL}*"))
    assert study.seconds <= BUDGET_SECONDS
    assert searched <= BUDGET_SECONDS + KILLS * SAVE_EVERY_SECONDS + OVERRUN_SECONDS


def attempt_and_kill(folder: Path, seconds: float, *, with_all: bool) -> float:
    """Search for some seconds, then kill; how long it searched.

    with_all: kill the zygote and what it forked in the same moment; else they must end by themselves.
    """
    command = [sys.executable, "-m", "tests.tuning.study_to_kill_often", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        zygote, begun = int(process.stdout.readline()), time.monotonic()
        time.sleep(seconds)
        assert process.poll() is None, "it ended before it was killed"
        others = psutil.Process(process.pid).children(recursive=True) if with_all else []
        process.kill()
        for one in others:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGKILL)
        searched = time.monotonic() - begun
    until = time.monotonic() + WAIT_SECONDS
    while psutil.pid_exists(zygote) and psutil.Process(zygote).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until, "the killed process's zygote is still there"
        time.sleep(0.02)
    return searched
