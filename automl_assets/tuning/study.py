"""A study from start to end: the training rows prepared, the search run within its share of the budget."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from automl_assets.core.values import Problem, Study
from automl_assets.learn.families import Shape, registry
from automl_assets.learn.runner import Runner
from automl_assets.tuning.budget import Clock
from automl_assets.tuning.config import TuningConfig
from automl_assets.tuning.search import Search, SearchProgress, SearchSettings, workers_and_threads
from automl_assets.tuning.study_data import study_data
from automl_assets.tuning.trial_store import TrialStore

if TYPE_CHECKING:
    import pyarrow.dataset as ds

RESERVE_SHARE = 0.06
LEAST_RESERVE_SECONDS = 0.5
MOST_RESERVE_SECONDS = 8.0


def run_study(
    folder: Path,
    clean: "ds.Dataset",
    problem: Problem,
    config: TuningConfig,
    runner: Runner,
    *,
    roles: dict[str, str],
    seed: int,
    cores: int,
    memory_mb: float,
    device: str = "cpu",
    report: Callable[[SearchProgress], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Study:
    """Search over the clean training rows; a killed study in the same folder goes on with the budget that is left.

    Args:
        folder: the study's; its name is its key.
        roles: the clean features and their roles.
        memory_mb: MiB that all fits may have together.

    Raises:
        FitError: no family finished a fit.
    """
    store = TrialStore(folder)
    clock = Clock(config.time_budget_seconds - reserve_seconds(config.time_budget_seconds), store.clock_file)
    data = study_data(clean, problem, roles=roles, seed=seed)
    store.prepare(data.table, y=data.y, folds=data.folds, weight=data.weight, settings=data.settings(problem.metric))
    rows, features = data.table.num_rows, max(1, data.table.num_columns)
    workers, threads = workers_and_threads(rows * features, cores)
    settings = SearchSettings(
        families=families_in_order(config.families),
        folds=data.fold_count,
        seed=seed,
        workers=workers,
        threads=threads,
        memory_mb=memory_mb,
        max_trials=config.max_trials,
        device=device,
    )
    shape = Shape(rows, features, len(problem.classes))
    return Search(store, runner, clock, settings, shape=shape, report=report, should_stop=should_stop).run()


def reserve_seconds(budget_seconds: float) -> float:
    """What the search leaves of the budget for choosing, weighing and writing the model."""
    return min(MOST_RESERVE_SECONDS, max(LEAST_RESERVE_SECONDS, RESERVE_SHARE * budget_seconds))


def families_in_order(chosen: "str | list[str]") -> tuple[str, ...]:
    """The families to try, quickest kinds first."""
    names = [n for n, family in registry.all().items() if family.by_default] if isinstance(chosen, str) else chosen
    return tuple(sorted(names, key=lambda name: (registry.get(name).order, name)))
