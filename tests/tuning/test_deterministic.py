"""Work counted instead of seconds: the same bytes of predictions, at once or after interruptions."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.dataset as ds

from automl_assets.cleaning.apply import apply_plan
from automl_assets.core.values import Study
from automl_assets.learn.runner import Runner
from automl_assets.tuning.config import TuningConfig
from automl_assets.tuning.study import run_study
from tests.training.small_models import MEMORY_MB, PLAN, problem_of, raw_table

FAMILIES = ["linear", "lightgbm", "network"]


def search(folder: Path, runner: Runner, *, stops: Callable[[], bool] = lambda: False) -> Study:
    """Eight configurations, those that Optuna proposes among them."""
    problem = problem_of("binary")
    config = TuningConfig(time_budget_seconds=60, max_trials=8, families=FAMILIES, deterministic=True)
    return run_study(
        folder, ds.dataset(apply_plan(PLAN, raw_table("binary"))), problem, config, runner,
        roles=problem.feature_roles(), seed=3, cores=2, memory_mb=4 * MEMORY_MB, should_stop=stops,
    )  # fmt: skip


def predictions(folder: Path) -> dict[str, str]:
    """The SHA-256 of each fold's predictions."""
    return {
        path.parent.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.glob("trials/*/fold_*/predicted.npy")
    }


def test_a_search_that_is_interrupted_again_and_again_ends_as_one_that_is_not(runner: Runner, tmp_path: Path) -> None:
    whole = search(tmp_path / "whole", runner)
    in_pieces, attempts = None, 0
    while in_pieces is None or not in_pieces.complete:
        until = time.monotonic() + 0.9 + 0.4 * attempts
        in_pieces = search(tmp_path / "pieces", runner, stops=lambda until=until: time.monotonic() > until)
        attempts += 1

    assert attempts > 1
    assert len(whole.trials) == 8
    without_memory = [
        [trial.model_copy(update={"memory_mb": 0.0}) for trial in study.trials] for study in (whole, in_pieces)
    ]
    assert without_memory[0] == without_memory[1]
    assert (whole.folds, whole.seconds, whole.stopped_because) == (
        in_pieces.folds,
        in_pieces.seconds,
        in_pieces.stopped_because,
    )
    assert predictions(tmp_path / "whole") == predictions(tmp_path / "pieces")
