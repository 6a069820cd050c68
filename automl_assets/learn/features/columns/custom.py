"""A transformer of the user's own, by its import path."""

import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, Self

from automl_assets.core.errors import ConfigError, bounded
from automl_assets.learn.features.cells import Cells, Rows
from automl_assets.learn.features.columns._base import ColumnEncoder
from automl_assets.learn.features.target import FitContext

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

METHODS = ("fit", "transform", "to_json", "from_json")


class Transformer(Protocol):
    """What a class of a recipe's `custom` offers; it is made without arguments.

    `transform` returns a table of numbers, or a matrix (rows, columns) and the columns' names; the same names always.
    It depends on the rows alone, not on how many there are, and leaves its table as it is.
    """

    def fit(self, table: "pa.Table", y: "np.ndarray | None") -> Self:
        """Learn from the training rows; `y` holds class codes or values."""
        ...

    def transform(self, table: "pa.Table") -> "pa.Table | tuple[np.ndarray, Sequence[str]]":
        """The new columns."""
        ...

    def to_json(self) -> dict[str, Any]:
        """What was learnt."""
        ...

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The transformer that `to_json` described."""
        ...


@dataclass(frozen=True)
class CustomEncoder(ColumnEncoder):
    """What a user's transformer makes of the raw columns; its `name` is its import path.

    Trust: importing a path runs code, so a path is imported only where a recipe names it, which the pipeline's owner
    wrote. A stored encoder names its path too, but is data: `Encoder.from_json` refuses a path that its caller does
    not pass as trusted, which takes it from the recipe in the model card whose digest the model registry holds.
    """

    reads: tuple[str, ...]
    outputs: tuple[str, ...]
    state: str

    @classmethod
    def fit(cls, path: str, rows: Rows, reads: Sequence[str], context: FitContext) -> Self:
        """Fit the transformer on the training rows.

        Raises:
            ConfigError: it can't be imported, lacks a method, or returns something that is no matrix with names.
        """
        table = rows.as_table(reads)
        y = None if context.target is None else context.target.y
        fitted = imported(path)().fit(table, y)
        _, names = _matrix(fitted.transform(table), path, table.num_rows)
        try:
            state = json.dumps(fitted.to_json(), sort_keys=True)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"to_json of {path!r} is not JSON: {error}.", where="features.custom") from error
        return cls(path, context.view, tuple(reads), tuple(names), state)

    @cached_property
    def transformer(self) -> Transformer:
        """The fitted transformer, its code imported."""
        return imported(self.name).from_json(json.loads(self.state))

    def encode_rows(self, rows: Rows) -> "np.ndarray":
        matrix, names = _matrix(self.transformer.transform(rows.as_table(self.reads)), self.name, len(rows))
        if tuple(names) != self.outputs:
            raise ConfigError(
                f"{self.name!r} returned the columns {bounded(names)} after {bounded(self.outputs)} in training.",
                where="features.custom",
                remedy="Return the same columns for any table.",
            )
        return matrix

    def feature_names(self) -> list[str]:
        return list(self.outputs)


def imported(path: str) -> type[Transformer]:
    """The class that `package.module:Class` names.

    Raises:
        ConfigError: the module or the class is not there, or the class lacks a method.
    """
    module, _, name = path.partition(":")
    remedy = "Install the package, or correct features.custom; it reads package.module:ClassName."
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise ConfigError(f"The module of {path!r} can't be imported: {error}.", where="features.custom",
                          remedy=remedy) from error  # fmt: skip
    if not isinstance(found, type):
        raise ConfigError(f"{module!r} has no class {name!r}.", where="features.custom", remedy=remedy)
    lacking = [method for method in METHODS if not callable(getattr(found, method, None))]
    if lacking:
        raise ConfigError(
            f"The transformer {path!r} has no method {bounded(lacking)}.",
            where="features.custom",
            remedy=f"A transformer has {bounded(METHODS)}.",
        )
    return found


def _matrix(returned: Any, path: str, rows: int) -> "tuple[np.ndarray, list[str]]":
    """float64 (rows, columns), NaN for what is not finite, and the columns' names."""
    import numpy as np
    import pyarrow as pa

    if isinstance(returned, pa.Table):
        columns = [Cells(returned.column(i)).numbers for i in range(returned.num_columns)]
        values, names = np.column_stack(columns) if columns else np.empty((rows, 0)), returned.column_names
    elif isinstance(returned, tuple) and len(returned) == 2:
        values, names = np.asarray(returned[0], dtype=float), [str(name) for name in returned[1]]
    else:
        values, names = np.empty(0), []
    if values.shape != (rows, len(names)):
        raise ConfigError(
            f"{path!r} returned {type(returned).__name__} of shape {values.shape} with {len(names)} names for "
            f"{rows} rows.",
            where="features.custom",
            remedy="Return a table of numbers, or a matrix (rows, columns) and a name a column.",
        )
    return np.where(np.isfinite(values), np.clip(values, -3e38, 3e38), np.nan), names
