"""A study from start to end: the training rows prepared, the search run within its share of the budget."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from automl_assets.core.errors import ConfigError
from automl_assets.core.values import Problem, Study
from automl_assets.learn.families import Shape, registry
from automl_assets.learn.features import Recipe
from automl_assets.learn.runner import Runner
from automl_assets.tuning.budget import Clock, WorkClock
from automl_assets.tuning.config import TuningConfig
from automl_assets.tuning.cost import CostModel
from automl_assets.tuning.portfolio import entries
from automl_assets.tuning.search import Search
from automl_assets.tuning.search_settings import SearchProgress, SearchSettings, workers_and_threads
from automl_assets.tuning.strategy import folds_for
from automl_assets.tuning.study_data import study_data
from automl_assets.tuning.trial_store import TrialStore

if TYPE_CHECKING:
    import pyarrow.dataset as ds

RESERVE_SHARE = 0.06
LEAST_RESERVE_SECONDS = 0.5
MOST_RESERVE_SECONDS = 8.0
TRY_SECONDS = 60.0


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
    recipe: Recipe | None = None,
    folds: int | None = None,
    memory_file: Path | None = None,
    report: Callable[[SearchProgress], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Study:
    """Search over the clean training rows; a killed study in the same folder goes on with the budget that is left.

    Args:
        folder: the study's; its name is its key.
        roles: the clean features and their roles.
        memory_mb: MiB that all fits may have together.
        recipe: how columns become numbers; each column's role decides by default.
        folds: how many; as many as there is time for by default.
        memory_file: where what fits needed is kept, so that later studies start from it.

    Raises:
        ConfigError: a transformer of the recipe does not work.
        FitError: no family finished a fit.
    """
    store = TrialStore(folder)
    searching = config.time_budget_seconds - reserve_seconds(config.time_budget_seconds)
    clock = (WorkClock if config.deterministic else Clock)(searching, store.clock_file)
    data = study_data(
        clean, problem, roles=roles, seed=seed, folds=folds or _fold_count(clean, problem, config, len(roles), cores)
    )
    store.prepare(
        data.table, y=data.y, folds=data.folds, weight=data.weight, settings=data.settings(problem.metric, recipe)
    )
    if recipe is not None and recipe.custom:
        _try_recipe(store, runner, memory_mb)
    rows, features = data.table.num_rows, max(1, data.table.num_columns)
    workers, threads = (cores, 1) if config.deterministic else workers_and_threads(rows * features, cores)
    settings = SearchSettings(
        families=families_in_order(config.families),
        folds=data.fold_count,
        seed=seed,
        workers=workers,
        threads=threads,
        memory_mb=memory_mb,
        max_trials=config.max_trials,
        device="cpu" if config.deterministic else device,
        deterministic=config.deterministic,
        stack=config.ensemble in ("auto", "greedy") and config.prefer != "latency",
        memory_file=memory_file,
    )
    shape = Shape(rows, features, len(problem.classes))
    return Search(store, runner, clock, settings, shape=shape, report=report, should_stop=should_stop).run()


def _fold_count(clean: "ds.Dataset", problem: Problem, config: TuningConfig, features: int, cores: int) -> int:
    """How many folds there is time for, as far as can be told before a fit: the same however often it is asked."""
    shape = Shape(clean.count_rows(), max(1, features), len(problem.classes))
    workers, threads = workers_and_threads(shape.rows * shape.features, cores)
    able = entries(shape, families_in_order(config.families))
    usable = [entry for entry in able if registry.get(entry.family).refuses(shape) is None]
    return folds_for(usable, CostModel(threads), shape, seconds=config.time_budget_seconds, workers=workers)


def _try_recipe(store: TrialStore, runner: Runner, memory_mb: float) -> None:
    """Let a child encode some rows, so that a transformer that does not work fails the study and not every fit.

    Raises:
        ConfigError: what is wrong with it.
        BudgetError: it takes too long or too much memory.
    """
    arguments = {"study": str(store.folder)}
    call = "automl_assets.tuning.fold_fit:try_recipe"
    outcome = runner.run(call, arguments, deadline_seconds=TRY_SECONDS, memory_mb=memory_mb)
    error = outcome.value_or_raise("Encoding some rows with features.custom")["error"]
    if error is not None:
        raise ConfigError(error["message"], where=error["where"], remedy=error["remedy"])


def reserve_seconds(budget_seconds: float) -> float:
    """What the search leaves of the budget for choosing, weighing and writing the model."""
    return min(MOST_RESERVE_SECONDS, max(LEAST_RESERVE_SECONDS, RESERVE_SHARE * budget_seconds))


def families_in_order(chosen: "str | list[str]") -> tuple[str, ...]:
    """The families to try, quickest kinds first."""
    names = [n for n, family in registry.all().items() if family.by_default] if isinstance(chosen, str) else chosen
    return tuple(sorted(names, key=lambda name: (registry.get(name).order, name)))
