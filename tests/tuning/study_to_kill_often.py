"""A study of some families that a test kills often: ``python -m tests.tuning.study_to_kill_often FOLDER``."""

import sys
from pathlib import Path

import pyarrow.dataset as ds

from automl_assets.cleaning.apply import apply_plan
from automl_assets.core.values import Study
from automl_assets.learn.runner import Runner
from automl_assets.tuning.config import TuningConfig
from automl_assets.tuning.study import run_study
from tests.training.small_models import MEMORY_MB, PLAN, problem_of, raw_table

BUDGET_SECONDS = 5.0
PACKAGES = ("sklearn.linear_model", "lightgbm", "automl_assets.tuning.fold_fit")


def search(folder: Path, runner: Runner) -> Study:
    """Linear, boosted and neighbours' models until the time is over."""
    problem = problem_of("regression")
    clean = apply_plan(PLAN, raw_table("regression"))
    config = TuningConfig(time_budget_seconds=BUDGET_SECONDS, families=["linear", "lightgbm", "neighbours"])
    return run_study(
        folder, ds.dataset(clean), problem, config, runner,
        roles=problem.feature_roles(), seed=0, cores=2, memory_mb=MEMORY_MB,
    )  # fmt: skip


if __name__ == "__main__":
    with Runner(packages=PACKAGES) as runner:
        runner.run("os:getpid", {}, deadline_seconds=60, memory_mb=500)  # its imports are no part of the budget
        print(runner.pid, flush=True)
        search(Path(sys.argv[1]), runner)
