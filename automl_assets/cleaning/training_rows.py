"""From a training window and its problem to the plan and the clean training rows: what the assets of this stage do."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from automl_assets.cleaning.apply import apply_in_batches, dropped_columns, schema_after
from automl_assets.cleaning.local import plan_cleaning
from automl_assets.core.memory import BatchSize
from automl_assets.core.tables import where, write_table
from automl_assets.core.values import CleaningPlan, CleanTable, Problem, TrainingWindow
from automl_assets.problems.detect import training_mask

if TYPE_CHECKING:
    import pyarrow.dataset as ds


def plan_of(dataset: "ds.Dataset", problem: Problem, *, keep_type: Collection[str]) -> CleaningPlan:
    """The plan that the window's training rows ask for.

    Args:
        keep_type: columns that are not retyped, since a person stated their role.
    """
    return plan_cleaning(
        dataset, problem.feature_roles(), train=training_mask(dataset, problem), keep_type=frozenset(keep_type)
    )


def clean_rows_of(
    dataset: "ds.Dataset",
    window: TrainingWindow,
    problem: Problem,
    plan: CleaningPlan,
    *,
    root: Path,
    folder: str,
    size: BatchSize,
) -> CleanTable:
    """Apply the plan to the window's training rows in batches, into ``root/folder``. Holdout rows are left out.

    Args:
        size: rows a batch. Each becomes a row group: it changes the file and its digest, not a cell.
    """
    batches = where(dataset, training_mask(dataset, problem), size=size)
    table = write_table(apply_in_batches(plan, batches), schema_after(plan, dataset.schema), root, folder)
    return CleanTable(
        table=table, window=window, problem=problem, plan=plan, dropped_columns=dropped_columns(plan, dataset.schema)
    )
