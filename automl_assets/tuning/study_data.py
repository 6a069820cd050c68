"""From the clean training rows to what every fit reads: a feature table, labels, weights and folds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl_assets.core.errors import SchemaError, TargetError
from automl_assets.core.tables import column_type, read
from automl_assets.core.values import Problem
from automl_assets.learn.features import Recipe
from automl_assets.learn.split import (
    FOLDS,
    assign_folds,
    label_texts,
    numbers_of,
    quantile_boundaries,
    row_hashes,
    time_fold,
)
from automl_assets.problems.target import encode_target

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds


@dataclass(frozen=True)
class StudyData:
    """Training rows ready for a search. `folds` holds -1 for rows that are only ever trained on."""

    table: "pa.Table"
    y: "np.ndarray"
    weight: "np.ndarray | None"
    folds: "np.ndarray"
    roles: dict[str, str]
    classes: tuple[str, ...]
    class_weights: tuple[float, ...] = ()

    @property
    def fold_count(self) -> int:
        """How many folds there are."""
        return int(self.folds.max()) + 1

    def settings(self, metric: str, recipe: Recipe | None = None) -> dict[str, Any]:
        """What a fit needs to know besides the arrays; the recipe's defaults where there is none."""
        chosen = (recipe or Recipe()).model_dump(mode="json")
        found = {"metric": metric, "roles": self.roles, "classes": list(self.classes), "recipe": chosen}
        return found | ({"class_weights": list(self.class_weights)} if self.class_weights else {})


def study_data(
    clean: "ds.Dataset", problem: Problem, *, roles: Mapping[str, str], seed: int, folds: int = FOLDS
) -> StudyData:
    """Read the clean training rows.

    Args:
        roles: the clean features and their roles.
        folds: how many parts judge each other; fewer where there are not so many rows or groups.

    Raises:
        TargetError: no row has a usable target.
        SchemaError: there is a group column, and it holds one group only.
    """
    import numpy as np

    present = set(clean.schema.names)
    target = read(clean, [problem.target]).column(0)
    y, usable = encode_target(target, problem.classes)
    if not usable.any():
        raise TargetError("No training row has a target.", where=problem.target, remedy="Check the target column.")
    table = _dictionary_encoded(read(clean, list(roles), None if usable.all() else usable))
    weight_name = problem.column_with("weight")
    weight = (
        numbers_of(read(clean, [weight_name]).column(0))[usable] if weight_name in present and weight_name else None
    )
    of_row = _folds(clean, problem, list(roles), y[usable], usable, seed, folds)
    weight = np.nan_to_num(weight) if weight is not None else None
    return StudyData(table, y[usable], weight, of_row, dict(roles), problem.classes, problem.class_weights)


def _dictionary_encoded(table: "pa.Table") -> "pa.Table":
    """Text columns dictionary-encoded: small on disk, shared between processes, quick to encode."""
    import pyarrow as pa
    import pyarrow.types as t

    columns = [
        column.combine_chunks().dictionary_encode() if t.is_string(column.type) else column for column in table.columns
    ]
    arrays = [pa.chunked_array([c]) if isinstance(c, pa.Array) else c for c in columns]
    return pa.table(dict(zip(table.column_names, arrays, strict=True))).unify_dictionaries().combine_chunks()


def _folds(
    clean: "ds.Dataset",
    problem: Problem,
    features: list[str],
    y: "np.ndarray",
    usable: "np.ndarray",
    seed: int,
    folds: int,
) -> "np.ndarray":
    """The newest rows judge where there is a time; else `folds` that keep groups together.

    Where rows are held out, which keeps equal rows on one side, the folds keep equal rows together too. Where none are
    (the estimator), rows to come are drawn as these were, repetitions included, as scikit-learn's own folds assume.
    """
    import numpy as np

    time_name, group_name = problem.column_with("time"), problem.column_with("group")
    if time_name is not None:
        return time_fold(_times(read(clean, [time_name]).column(0))[usable], problem.holdout.share)
    if group_name is not None:
        groups = np.array([str(v) for v in label_texts(read(clean, [group_name]).column(0))])[usable]
        if len(np.unique(groups)) < 2:
            raise SchemaError(
                "All training rows are of one group, so none can judge another.",
                where=group_name,
                remedy="Name a column with several groups, or none.",
            )
    else:
        groups = row_hashes(clean, features, "folds")[usable] if problem.holdout.share else np.arange(len(y))
    strata = y if problem.classes else np.searchsorted(quantile_boundaries(y), y)
    return assign_folds(strata, folds=min(folds, len(np.unique(groups))), seed=seed, groups=groups)


def _times(column: "pa.ChunkedArray") -> "np.ndarray":
    """Each row's time as a number, texts in alphabetical order; a row without one counts as older than all others."""
    import numpy as np

    if column_type(column.type) != "text":
        times = numbers_of(column)
        return np.where(np.isnan(times), np.nanmin(times, initial=np.inf) - 1, times)
    texts = label_texts(column)
    order = {text: position for position, text in enumerate(sorted({text for text in texts if text is not None}))}
    return np.array([-1.0 if text is None else float(order[text]) for text in texts])
