"""From rows to a fitted model: the problem, the cleaning plan, the search and the training, without a holdout.

Small tables, and budgets that starting a process would eat up, are fitted in this process: see `in_process`.
"""

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl_assets.core.errors import FitError, SchemaError, TargetError
from automl_assets.core.values import FEATURE_ROLES, HoldoutRule, Problem, Role, Study, TrainedModel
from automl_assets.estimator.data import GROUP, TARGET, WEIGHT, Rows, explain_target
from automl_assets.estimator.memory_dataset import dataset_of
from automl_assets.learn.split import FOLDS
from automl_assets.tuning.config import TuningConfig

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

    from automl_assets.learn.runner import Runner
    from automl_assets.training.model import Model

START_SHARE = 0.25
START_SECONDS = 120.0
START_MB = 1_000.0
USUAL_SECONDS = 300
SMALL_ROWS, SMALL_CELLS = 200, 20_000
SMALL_FAMILIES, QUICK_FAMILIES = ("linear", "svm"), ("lightgbm", "linear", "neighbours", "svm", "xgboost")
SHORT_SECONDS, SHORT_CELLS, MEDIUM_ROWS = 4.0, 200_000, 500
SHORT_FAMILIES = ("linear", "lightgbm")
LEAST_ROWS_A_CLASS = 5
MEMORY_FILES = Path("/dev/shm")  # noqa: S108 - a fresh folder of a random name is made inside


@dataclass(frozen=True)
class Limits:
    """What a fit may use: processors, MiB for all fits together, and the seed of all that is drawn."""

    cores: int
    memory_mb: float
    seed: int


@dataclass(frozen=True)
class Fitted:
    """What a fit leaves: the model, loaded, and how it was found."""

    model: "Model"
    study: Study
    trained: TrainedModel


def in_process(rows: int, columns: int, families: "str | list[str]", seconds: float | None) -> tuple[str, ...]:
    """The families of which one configuration each is fitted in this process; none where child processes are worth it.

    Starting those takes 1–2 s. Without a stated budget, fewer than 200 rows take `linear` and `svm`, 0.1–0.2 s in all.
    On 150 rows of ten tables (benchmarks/small_tables.py) a search of 10 s was better on six, on five of them by
    little, but by far where columns interact: so it is made where a budget is stated. One of less than 4 s takes the
    two families too, and from 500 rows `lightgbm` for `svm`: it stops when time is up.

    Args:
        seconds: the budget where one was stated.
    """
    cells = rows * columns
    if seconds is None and rows < SMALL_ROWS and cells <= SMALL_CELLS:
        if isinstance(families, str):
            return SMALL_FAMILIES
        return tuple(families) if set(families) <= set(QUICK_FAMILIES) else ()
    if seconds is not None and seconds < SHORT_SECONDS and cells <= SHORT_CELLS:
        usual = SHORT_FAMILIES if rows >= MEDIUM_ROWS else SMALL_FAMILIES
        return usual if isinstance(families, str) else tuple(families)
    return ()


def problem_of(rows: Rows) -> Problem:
    """The problem without a holdout, judged by its kind's usual metric: every row teaches.

    Raises:
        SchemaError: no column can be learnt from.
        TargetError: nothing can be learnt from y.
    """
    import numpy as np

    from automl_assets.problems.config import ColumnsConfig
    from automl_assets.problems.roles import assign_roles, id_columns

    dataset = dataset_of(rows.table)
    kind, metric, classes, rare = _kind(dataset, rows)
    present = set(rows.table.column_names)
    columns = ColumnsConfig(
        weight=WEIGHT if WEIGHT in present else None,
        group=GROUP if GROUP in present else None,
    )
    roles: dict[str, Role]
    ids = id_columns(dataset, target=TARGET, columns=columns)
    everything = np.ones(rows.table.num_rows, dtype=bool)
    roles, reasons = assign_roles(dataset, target=TARGET, columns=columns, ids=ids, train=everything)
    if not set(roles.values()) & set(FEATURE_ROLES):
        if not any(roles[name] == "id" for name in rows.features):
            raise SchemaError(
                "No column can be learnt from: each has the same value in every row.",
                where="X",
                remedy="Add columns that vary.",
            )
        roles |= {name: "numeric" if _is_numeric(rows.table, name) else "categorical" for name in ids}
    return Problem(
        kind=kind,
        metric=metric,
        target=TARGET,
        classes=classes,
        roles=roles,
        role_reasons=reasons,
        holdout=HoldoutRule(kind="hash", columns=(), salt="", share=0.0, target=TARGET),
        train_rows=rows.table.num_rows,
        holdout_rows=0,
        dropped_classes=rare,
    )


def _is_numeric(table: "pa.Table", name: str) -> bool:
    import pyarrow.types as t

    return t.is_integer(table.schema.field(name).type) or t.is_floating(table.schema.field(name).type)


def _kind(dataset: "ds.Dataset", rows: Rows) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
    """The problem's kind, its usual metric, its classes, and those with too few rows to be one."""
    from automl_assets.problems.config import ProblemConfig
    from automl_assets.problems.target import choose_kind, target_facts, without_rare_classes

    facts = target_facts(dataset, TARGET)
    stated = "regression"
    if rows.labels is not None:
        stated = "multiclass" if without_rare_classes(facts)[0].distinct > 2 else "binary"
    try:
        name, kind, usable, rare = choose_kind(facts, ProblemConfig(kind=stated))
    except TargetError as error:
        raise explain_target(error) from error
    metric = kind.default_metric
    if name == "binary" and _rows_of_rarest(rows, usable.labels) < LEAST_ROWS_A_CLASS:
        metric = "log_loss"  # a fold without a class has no area under a curve
    return name, metric, kind.classes(usable), rare


def _rows_of_rarest(rows: Rows, labels: Iterable[str]) -> int:
    """How many rows, or groups of rows, the class that has fewest of them has."""
    import numpy as np

    target = rows.table.column(TARGET).to_numpy(zero_copy_only=False)
    present = GROUP in rows.table.column_names
    groups = rows.table.column(GROUP).to_numpy() if present else np.arange(len(target))
    return min(len(np.unique(groups[target == int(label)])) for label in labels)


def fit_model(rows: Rows, problem: Problem, config: TuningConfig, limits: Limits, *, is_stated: bool) -> Fitted:
    """Clean, search, weigh and calibrate.

    Args:
        is_stated: whether a person chose a time budget other than the default.

    Raises:
        FitError: no family finished a fit within the budget.
    """
    from automl_assets.learn.inline_runner import InlineRunner
    from automl_assets.training.model import Model

    seconds = config.time_budget_seconds
    few = in_process(rows.table.num_rows, len(rows.features), config.families, seconds if is_stated else None)
    folder = MEMORY_FILES if few and os.access(MEMORY_FILES, os.W_OK) else None
    with _told_of(rows, seconds), tempfile.TemporaryDirectory(prefix="automl-fit-", dir=folder) as scratch:
        if few:
            most = min(config.max_trials or len(few), len(few))
            seconds = USUAL_SECONDS if few == SMALL_FAMILIES else seconds  # no clock decides where none is needed
            config = config.model_copy(
                update={"families": list(few), "max_trials": most, "time_budget_seconds": seconds}
            )
            study, trained = _train(rows, problem, config, limits, InlineRunner(), Path(scratch), FOLDS)
        else:
            with _started_runner(seconds) as (runner, left):
                if not config.deterministic:  # where work counts, no clock has a say
                    config = config.model_copy(update={"time_budget_seconds": left})
                study, trained = _train(rows, problem, config, limits, runner, Path(scratch))
        return Fitted(Model.load(Path(scratch) / "models" / trained.path), study, trained)


@contextmanager
def _told_of(rows: Rows, seconds: float) -> Iterator[None]:
    """Tell a search that found nothing in the words of a user who stated the whole budget and gave a table."""
    try:
        yield
    except FitError as error:
        _, _, reasons = error.message.partition(" s. ")
        raise FitError(
            f"No family finished a fit within {seconds:g} s, on {rows.table.num_rows:,} rows of {len(rows.features):,} "
            f"columns. {reasons}".rstrip(),
            remedy="Raise time_budget_seconds, or name quicker families, such as families=['linear', 'lightgbm'].",
        ) from error


@contextmanager
def _started_runner(budget: float) -> "Iterator[tuple[Runner, float]]":
    """A runner whose imports are done, and the seconds that are left of the budget.

    Starting counts for a quarter of the budget at most, so that a small one still fits something.
    """
    from automl_assets.learn.runner import Runner

    begun = time.monotonic()
    with Runner(packages=("numpy", "pyarrow.compute", "automl_assets.tuning.fold_fit")) as runner:
        runner.run("os:getpid", {}, deadline_seconds=START_SECONDS, memory_mb=START_MB)
        yield runner, budget - min(time.monotonic() - begun, START_SHARE * budget)


def _train(
    rows: Rows,
    problem: Problem,
    config: TuningConfig,
    limits: Limits,
    runner: "Runner",
    scratch: Path,
    folds: int | None = None,
) -> tuple[Study, TrainedModel]:

    from automl_assets.cleaning.apply import apply_plan, roles_after
    from automl_assets.cleaning.local import plan_cleaning
    from automl_assets.core.tables import columns_of
    from automl_assets.training.train import ModelFacts, train_model
    from automl_assets.tuning.study import run_study
    from automl_assets.tuning.trial_store import TrialStore

    features = problem.feature_roles()
    plan = plan_cleaning(dataset_of(rows.table), features)
    roles = roles_after(plan, features)
    study = run_study(
        scratch / "study",
        dataset_of(apply_plan(plan, rows.table)),
        problem,
        config,
        runner,
        roles=roles,
        seed=limits.seed,
        cores=limits.cores,
        memory_mb=limits.memory_mb,
        folds=folds,
    )
    facts = ModelFacts(
        pipeline="automl",
        kind=problem.kind,
        target=TARGET,
        classes=problem.classes,
        roles=roles,
        columns=columns_of(rows.table.select(list(features)).schema),
        plan=plan,
        holdout=problem.holdout,
        window=(),
    )
    return study, train_model(
        TrialStore(scratch / "study"),
        study,
        facts,
        runner,
        root=scratch / "models",
        folder="automl",
        seconds=config.time_budget_seconds - study.seconds,
        memory_mb=limits.memory_mb,
        prefer=config.prefer,
        deterministic=config.deterministic,
    )
