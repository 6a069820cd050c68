"""SIGKILL in the middle of a study, then the same study again: nothing is lost and nothing is done twice."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil

from automl_assets.core.files import PARTIAL
from automl_assets.learn.runner import Runner
from automl_assets.tuning.trial_store import TrialStore
from tests.conftest import ROOT
from tests.tuning.study_to_kill import TRIALS, search

FOLDS = 8
WAIT_SECONDS = 60.0


def test_a_killed_study_goes_on_and_no_finished_fold_is_repeated(runner: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    store = TrialStore(folder)
    command = [sys.executable, "-m", "tests.tuning.study_to_kill", str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as process:
        assert process.stdout is not None
        zygote = int(process.stdout.readline())
        until = time.monotonic() + WAIT_SECONDS
        while len(store.fits()) < 3 and time.monotonic() < until:
            time.sleep(0.005)
        process.kill()
    before = Counter((fit["trial"], fit["fold"]) for fit in store.fits())
    finished = {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/fold_*/fold.json")}
    assert 3 <= len(before) < TRIALS * FOLDS

    study = search(folder, runner)

    assert {(trial.state, trial.folds) for trial in study.trials} == {("complete", FOLDS)}
    assert len(study.trials) == TRIALS
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    after = Counter((fit["trial"], fit["fold"]) for fit in store.fits())
    assert set(after.values()) == {1}
    assert set(before) <= set(after)
    assert not list(folder.rglob(f"{PARTIAL}*"))
    while psutil.pid_exists(zygote) and psutil.Process(zygote).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until, "the killed process's zygote is still there"
        time.sleep(0.05)
