"""How well 90% prediction intervals hold on rows that nothing was fitted on: one width for all, and one a row.

`python -m benchmarks.intervals FILE TARGET`: a delimited file whose target is a number; a fifth of it is held out.
Coverage by decile of the prediction, and by decile of the adaptive width, tells whether rows that are hard to predict
get less than their share; the interval score (Gneiting & Raftery 2007) weighs width against misses.
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.machine import header, table

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from automl_assets.core.values import CleaningPlan, Problem
    from automl_assets.training.model import Model
    from automl_assets.training.train import ModelFacts

MEMORY_MB = 4_000.0
FAMILIES = ["linear", "lightgbm"]
DECILES = 10
TIMED_ROWS = 50


@dataclass(frozen=True)
class Trained:
    """A model with the rows that judge it."""

    model: "Model"
    rows: "pa.Table"
    y: "np.ndarray"


def main() -> None:
    """Print a row for either kind of interval."""
    file, target = Path(sys.argv[1]), sys.argv[2]
    header(f"90% prediction intervals, {file.stem}", "intervals", f"{file.name} {target}")
    with tempfile.TemporaryDirectory(prefix="automl-intervals-") as scratch:
        _print(_trained(file, target, Path(scratch)))


def _trained(file: Path, target: str, scratch: Path) -> Trained:
    """Two families' defaults, weighed, by the functions that the assets run."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.dataset as ds

    from automl_assets.cleaning.apply import apply_plan
    from automl_assets.cleaning.local import plan_cleaning
    from automl_assets.learn.runner import Runner
    from automl_assets.learn.split import numbers_of
    from automl_assets.problems.config import ColumnsConfig, ProblemConfig
    from automl_assets.problems.detect import detect_problem, holdout_mask, training_mask
    from automl_assets.training.model import Model
    from automl_assets.training.train import train_model
    from automl_assets.tuning.config import TuningConfig
    from automl_assets.tuning.study import run_study
    from automl_assets.tuning.trial_store import TrialStore

    whole = pyarrow.csv.read_csv(file)
    dataset, settings = ds.dataset(whole), ProblemConfig(kind="regression")
    problem = detect_problem(dataset, name="intervals", target=target, columns=ColumnsConfig(), config=settings)
    teaching = whole.filter(pa.array(training_mask(dataset, problem)))
    plan = plan_cleaning(ds.dataset(teaching), problem.feature_roles())
    config = TuningConfig(time_budget_seconds=600, max_trials=len(FAMILIES), families=FAMILIES)
    with Runner(packages=("numpy", "pyarrow.compute", "automl_assets.tuning.fold_fit")) as runner:
        study = run_study(
            scratch / "study", ds.dataset(apply_plan(plan, teaching)), problem, config, runner,
            roles=problem.feature_roles(), seed=0, cores=2, memory_mb=MEMORY_MB,
        )  # fmt: skip
        trained = train_model(
            TrialStore(scratch / "study"), study, _facts(whole, problem, plan), runner,
            root=scratch / "models", folder="intervals", seconds=20.0, memory_mb=MEMORY_MB,
        )  # fmt: skip
    held = whole.filter(pa.array(holdout_mask(dataset, problem)))
    return Trained(Model.load(scratch / "models" / trained.path), held, numbers_of(held.column(target)))


def _facts(whole: "pa.Table", problem: "Problem", plan: "CleaningPlan") -> "ModelFacts":
    from automl_assets.core.tables import columns_of
    from automl_assets.training.train import ModelFacts

    features = problem.feature_roles()
    return ModelFacts(
        pipeline="intervals", kind=problem.kind, target=problem.target, classes=(), roles=features,
        columns=columns_of(whole.select(list(features)).schema), plan=plan, holdout=problem.holdout, window=(),
    )  # fmt: skip


def _print(found: Trained) -> None:
    import numpy as np

    model, clean = found.model, found.model.clean(found.rows)
    predicted = model.predict_clean(clean)
    lower, upper = model.interval_clean(clean, predicted)
    constant = np.full(len(predicted), model.card.residual_quantile)
    adaptive = (upper - lower) / 2
    by_width, by_prediction = (np.array_split(np.argsort(v, kind="stable"), DECILES) for v in (adaptive, predicted))
    rows: list[list[object]] = []
    for name, half in (("one width", constant), ("a width a row", adaptive)):
        errors = abs(found.y - predicted)
        inside = errors <= half
        scores = 2 * half + 20 * np.maximum(errors - half, 0)
        spread = (_range([inside[part].mean() for part in parts]) for parts in (by_prediction, by_width))
        rows.append([name, f"{inside.mean():.1%}", *spread, f"{2 * half.mean():.4g}", f"{scores.mean():.4g}"])
    columns = ["intervals", "holdout rows inside", "by decile of the prediction", "by decile of the width"]
    table([*columns, "mean width", "interval score"], rows)
    took = _milliseconds(model, clean)
    print(f"\n{len(found.y):,} holdout rows. A row's width takes {took:.2f} ms beyond its prediction.")


def _range(shares: "list[float]") -> str:
    return f"{min(shares):.0%} … {max(shares):.0%}"


def _milliseconds(model: "Model", clean: "pa.Table") -> float:
    """The median of single rows."""
    import numpy as np

    seconds: list[float] = []
    for i in range(TIMED_ROWS):
        row, value = clean.slice(i % clean.num_rows, 1), np.zeros(1)
        begun = time.perf_counter()
        model.interval_clean(row, value)
        seconds.append(time.perf_counter() - begun)
    return 1_000 * median(seconds)


if __name__ == "__main__":
    main()
