"""A study that a test kills: ``python -m tests.tuning.study_to_kill FOLDER``."""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

from automl_assets.cleaning.apply import apply_plan
from automl_assets.core.values import Study
from automl_assets.learn.runner import Runner
from automl_assets.tuning.config import TuningConfig
from automl_assets.tuning.study import run_study
from tests.training.small_models import MEMORY_MB, PLAN, problem_of, raw_table

TRIALS = 3


def search(folder: Path, runner: Runner) -> Study:
    """Three linear configurations of five folds each."""
    problem = problem_of("regression")
    clean: pa.Table = apply_plan(PLAN, raw_table("regression"))
    config = TuningConfig(time_budget_seconds=90, max_trials=TRIALS, families=["linear"])
    return run_study(
        folder, ds.dataset(clean), problem, config, runner,
        roles=problem.feature_roles(), seed=0, cores=2, memory_mb=MEMORY_MB,
    )  # fmt: skip


if __name__ == "__main__":
    with Runner(packages=("sklearn.linear_model",)) as runner:
        print(runner.pid, flush=True)
        search(Path(sys.argv[1]), runner)
