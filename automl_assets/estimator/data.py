"""From what a user calls X, y, sample_weight and groups to one table, and back to the user's own labels."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from automl_assets.arrays import as_arrow
from automl_assets.core.errors import TargetError, bounded
from automl_assets.estimator.errors import TableValueError, TargetValueError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

TARGET = "__target__"
WEIGHT = "__weight__"
GROUP = "__group__"
INSIDE = {TARGET: "y", WEIGHT: "sample_weight", GROUP: "groups"}
MOST_WHOLE_NUMBERS = 20

Kind = Literal["auto", "classification", "regression"]


@dataclass(frozen=True)
class Rows:
    """What `fit` was given, in one table: the features, and ``__target__``, ``__weight__`` and ``__group__``.

    labels: the different values of y in their order and type; the target column holds their positions. None where y is
    a number to predict. names: the features' names where all were given as text.
    """

    table: "pa.Table"
    features: tuple[str, ...]
    labels: "np.ndarray | None"
    names: "np.ndarray | None"


def rows_of(X: Any, y: Any, sample_weight: Any, groups: Any, *, kind: Kind, name: str) -> Rows:
    """Join the arguments of `fit`; rows that weigh nothing are left out.

    Args:
        name: the estimator's, for messages.

    Raises:
        TableValueError: X is no table with rows and columns.
        TargetValueError: y, the weights or the groups are no such thing, or have another length.
    """
    import numpy as np
    import pyarrow as pa

    if y is None:
        raise TargetValueError(
            f"{name} requires y to be passed, but the target y is None.", where="fit", remedy="Give a label a row."
        )
    table = features_of(X, where=f"{name}.fit")
    _refuse_empty(table, name)
    taken = [column for column in table.column_names if column in INSIDE]
    if taken:
        raise TableValueError(f"X has a column of a reserved name: {bounded(taken)}.", where="X", remedy="Rename it.")
    rows, features = table.num_rows, tuple(table.column_names)
    target, labels = _target(_one_a_row("y", y, rows), kind)
    table = table.append_column(TARGET, target)
    if groups is not None:
        table = table.append_column(GROUP, _group(_one_a_row("groups", groups, rows)))
    if sample_weight is not None:
        given = np.full(rows, sample_weight) if isinstance(sample_weight, int | float) else sample_weight
        weight = _weight(_one_a_row("sample_weight", given, rows))
        table = table.append_column(WEIGHT, pa.array(weight)).filter(pa.array(weight > 0))
    _refuse_one_class(table, labels)
    return Rows(table, features, labels, names_of(X))


def features_of(X: Any, *, where: str) -> "pa.Table":
    """X as an Arrow table.

    Raises:
        TableValueError: it is sparse, complex, or no table.
    """
    import numpy as np

    if type(X).__module__.startswith("scipy.sparse") or hasattr(X, "tocsr"):
        raise TableValueError("X is a sparse matrix.", where=where, remedy="Give a dense one: X.toarray().")
    if isinstance(X, np.ndarray) and X.dtype.kind == "c":
        raise TableValueError("Complex data not supported.", where=where, remedy="Give real and imaginary parts.")
    if isinstance(X, np.ndarray) and X.ndim == 1:
        raise TableValueError(
            f"Expected a table of two dimensions, got an array of shape {X.shape}.",
            where=where,
            remedy="Reshape your data: array.reshape(-1, 1) is one column, array.reshape(1, -1) is one row.",
        )
    return as_arrow(X)


def names_of(X: Any) -> "np.ndarray | None":
    """The columns' names where X has names and all are text, as scikit-learn's `feature_names_in_` wants them."""
    import numpy as np

    names: Any = list(X) if isinstance(X, dict) else getattr(X, "column_names", getattr(X, "columns", None))
    if names is None or not all(isinstance(name, str) for name in names):
        return None
    return np.asarray(list(names), dtype=object)


def _refuse_empty(table: "pa.Table", name: str) -> None:
    for count, what, shape in (
        (table.num_columns, "feature", f"({table.num_rows}, 0)"),
        (table.num_rows, "sample", f"(0, {table.num_columns})"),
    ):
        if not count:
            raise TableValueError(
                f"Found array with 0 {what}(s) (shape={shape}) while a minimum of 1 is required by {name}.",
                where="X",
                remedy="Give a table with rows and columns.",
            )


def _one_a_row(name: str, values: Any, rows: int) -> "np.ndarray":
    """The values as an array of shape (rows,); missing ones as None where the type has no better way to say so."""
    import numpy as np

    if hasattr(values, "to_pandas") and not hasattr(values, "iloc") and hasattr(values, "to_list"):
        array = np.asarray(values.to_list(), dtype=object)  # polars, whose missing whole numbers would become fractions
    elif hasattr(values, "iloc") and not isinstance(values.dtype if values.ndim == 1 else np.dtype("O"), np.dtype):
        array = values.astype(object).to_numpy()  # a type of pandas' own, whose missing values numpy has no word for
    elif hasattr(values, "to_numpy"):
        array = values.to_numpy()
    else:
        array = np.asarray(values, dtype=object if isinstance(values, list | tuple) else None)
    if array.ndim == 2 and array.shape[1] == 1:
        from sklearn.exceptions import DataConversionWarning

        warnings.warn(
            f"A column-vector {name} was passed when a 1d array was expected. Give {name}.ravel().",
            DataConversionWarning,
            stacklevel=5,
        )
        array = array.ravel()
    if array.ndim != 1 or len(array) != rows:
        raise TargetValueError(
            f"{name} has shape {array.shape}; the table has {rows} rows.",
            where=name,
            remedy=f"{name} should be a 1d array: give one value a row.",
        )
    return array


def _target(values: "np.ndarray", kind: Kind) -> "tuple[pa.Array, np.ndarray | None]":
    """The target column and, where it is a class, the labels that its numbers stand for."""
    import numpy as np
    import pyarrow as pa

    values, missing = _plain(values)
    if missing.all():
        raise TargetValueError(
            "y contains NaN alone: the target is missing in every row.", where="y", remedy="Give labels."
        )
    if kind == "regression" or (kind == "auto" and _is_number(values[~missing])):
        if values.dtype.kind not in "biuf":
            raise TargetValueError(
                f"y holds {_word(values)}, not numbers.", where="y", remedy="Give numbers, or use AutoMLClassifier."
            )
        numbers = values.astype(float)
        if np.isinf(numbers).any():
            raise TargetValueError(
                f"y contains infinity in {int(np.isinf(numbers).sum())} rows.",
                where="y",
                remedy="Remove those rows, or cap the values.",
            )
        return pa.array(numbers, mask=missing), None
    known = values[~missing]
    if values.dtype.kind == "f":
        if np.isinf(known).any():
            raise TargetValueError("y contains infinity.", where="y", remedy="Remove those rows.")
        if (known != np.floor(known)).any():
            raise TargetValueError(
                "Unknown label type: continuous. y holds numbers with fractions.",
                where="y",
                remedy="Use AutoMLRegressor, or give the labels as text.",
            )
    labels, codes = np.unique(known, return_inverse=True)
    column = np.zeros(len(values), dtype=np.int64)
    column[~missing] = codes.ravel()
    return pa.array(column, mask=missing), labels


def _plain(values: "np.ndarray") -> "tuple[np.ndarray, np.ndarray]":
    """The values in numpy's own type for them, and which are missing.

    Raises:
        TargetValueError: values of several types stand together.
    """
    import numpy as np
    import pandas as pd

    missing = np.asarray(pd.isna(values), dtype=bool)
    if values.dtype != object:
        return values, missing
    known = values[~missing]
    kinds = sorted({_kind_word(value) for value in known})
    if len(kinds) > 1 and not set(kinds) <= {"int", "float"}:
        raise TargetValueError(
            f"Unknown label type: y mixes {bounded(kinds)}.", where="y", remedy="Give all labels one type, such as str."
        )
    unfit = [kind for kind in kinds if kind in ("dict", "list", "ndarray", "set", "complex")]
    if unfit:
        raise TargetValueError(
            f"Unknown label type: y holds values of type {bounded(unfit)}.", where="y", remedy="Give labels as text."
        )
    if not kinds or kinds[0] not in ("bool", "int", "float"):
        return values, missing
    plain = np.zeros(len(values), dtype={"bool": bool, "int": np.int64}.get(kinds[-1], float))
    try:
        plain[~missing] = known
    except OverflowError as error:
        raise TargetValueError(
            "y holds whole numbers beyond 64 bits.", where="y", remedy="Give them as text, or as floats."
        ) from error
    if "float" in kinds:
        plain = plain.astype(float)
        plain[~missing] = known.astype(float)
    return plain, missing


def _kind_word(value: Any) -> str:
    import numbers

    import numpy as np

    if isinstance(value, bool | np.bool_):
        return "bool"
    if isinstance(value, numbers.Integral):
        return "int"
    if isinstance(value, numbers.Real) or type(value).__name__ == "Decimal":
        return "float"
    return type(value).__name__


def _is_number(known: "np.ndarray") -> bool:
    """Whether a target of no stated kind is a number: it has fractions, or more than 20 different whole numbers."""
    import numpy as np

    if known.dtype.kind == "f" and (known != np.floor(known)).any():
        return True
    return known.dtype.kind in "iuf" and len(np.unique(known)) > MOST_WHOLE_NUMBERS


def _word(values: "np.ndarray") -> str:
    return {"U": "text", "M": "dates", "m": "durations"}.get(values.dtype.kind, "labels")


def _weight(values: "np.ndarray") -> "np.ndarray":
    import numpy as np

    try:
        weight = values.astype(float)
    except (TypeError, ValueError) as error:
        raise TargetValueError(
            "sample_weight holds what is no number.", where="sample_weight", remedy="Give a number a row."
        ) from error
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise TargetValueError(
            "sample_weight holds missing, infinite or negative weights.",
            where="sample_weight",
            remedy="Give weights of 0 or more.",
        )
    if not weight.any():
        raise TargetValueError(
            "Every weight is zero.", where="sample_weight", remedy="Give at least one non-zero weight."
        )
    return weight


def _group(values: "np.ndarray") -> "pa.Array":
    """Each row's group as text; rows without one are a group of their own each."""
    import pandas as pd
    import pyarrow as pa

    rows = enumerate(zip(values, pd.isna(values), strict=True))
    return pa.array([f"row {number}" if missing else f"group {value}" for number, (value, missing) in rows])


def _refuse_one_class(table: "pa.Table", labels: "np.ndarray | None") -> None:
    """Raise where fewer than two different values of the target are left.

    Raises:
        TargetValueError: that is so.
    """
    import pyarrow.compute as pc

    if pc.count_distinct(table.column(TARGET), mode="only_valid").as_py() > 1:
        return
    counted = f"{table.num_rows} sample{'s' * (table.num_rows != 1)}"
    if labels is None:
        raise TargetValueError(
            f"y has the same value in every row ({counted}).", where="y", remedy="Give a target that varies."
        )
    raise TargetValueError(
        f"y has the same value in every row: only one class is present ({counted}).",
        where="y",
        remedy="Give rows of two classes or more.",
    )


def explain_target(error: TargetError) -> TargetValueError:
    """The same error in the words of a user who has a y and no YAML."""
    return TargetValueError(
        error.message.replace("problem.kind is", "y is taken as"), where="y", remedy="Give each class two rows or more."
    )
