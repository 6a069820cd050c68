"""A transformer of the user's own, by its import path."""

import importlib
import importlib.util
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from automl_assets.core.errors import AutoMLError, ConfigError, bounded
from automl_assets.core.fingerprint import digest_of_file
from automl_assets.learn.features.cells import Cells, Rows
from automl_assets.learn.features.columns._base import ColumnEncoder
from automl_assets.learn.features.target import FitContext

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

METHODS = ("fit", "transform", "to_json", "from_json")
WHERE = "features.custom"
TRIED_ROWS = 100


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

    `code` is the digest of the module's file when it was fitted: other code would read its state in another way.
    `types` are the Arrow types of the columns that it was fitted on, which it is given ever after.
    """

    reads: tuple[str, ...]
    outputs: tuple[str, ...]
    state: str
    code: str = ""
    types: tuple[str, ...] = ()

    @classmethod
    def fit(cls, path: str, rows: Rows, reads: Sequence[str], context: FitContext) -> Self:
        """Fit the transformer on the training rows.

        Raises:
            ConfigError: it can't be imported, lacks a method, fails, returns something that is no matrix with names, or
                stores itself so that another comes back.
        """
        import numpy as np

        table = _plain(rows.as_table(reads))
        y = None if context.target is None else context.target.y
        kind, code = imported(path), code_digest(path)
        with _blamed(path, "fit"):
            fitted = kind().fit(table, y)
        some = table.slice(0, TRIED_ROWS)
        with _blamed(path, "transform"):
            values, names = _matrix(fitted.transform(some), path, some.num_rows)
        with _blamed(path, "to_json"):
            state = json.dumps(fitted.to_json(), sort_keys=True)
        types = tuple(str(kind) for kind in table.schema.types)
        encoder = cls(path, context.view, tuple(reads), tuple(names), state, code, types)
        if not np.array_equal(values, encoder.encode_rows(Rows(some)), equal_nan=True):
            raise ConfigError(
                f"{path!r} makes other numbers of the same rows after to_json and from_json.",
                where=WHERE,
                remedy="Let to_json tell all that transform needs.",
            )
        return encoder

    @cached_property
    def transformer(self) -> Transformer:
        """The fitted transformer, its code imported.

        Raises:
            ConfigError: it can't be imported, or its code is not that of the training.
        """
        kind = imported(self.name)
        if self.code and self.code != code_digest(self.name):
            raise ConfigError(
                f"The code of the transformer {self.name!r} has changed since the model was trained.",
                where=WHERE,
                remedy="Restore its module as it was, or train again.",
            )
        with _blamed(self.name, "from_json"):
            return kind.from_json(json.loads(self.state))

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The encoder that `to_json` described, its code imported, so that what is wrong with it is told at once.

        Raises:
            ConfigError: see `transformer`.
        """
        made = super().from_json(document)
        assert made.transformer is not None
        return made

    def encode_rows(self, rows: Rows) -> "np.ndarray":
        transformer, table = self.transformer, _plain(rows.as_table(self.reads), self.types)
        with _blamed(self.name, "transform"):
            matrix, names = _matrix(transformer.transform(table), self.name, len(rows))
        if tuple(names) != self.outputs:
            raise ConfigError(
                f"{self.name!r} returned the columns {bounded(names)} after {bounded(self.outputs)} in training.",
                where=WHERE,
                remedy="Return the same columns for any table.",
            )
        return matrix

    def feature_names(self) -> list[str]:
        return list(self.outputs)


@contextmanager
def _blamed(path: str, method: str) -> Iterator[None]:
    """Whatever a user's code raises, as a sentence that names it."""
    try:
        yield
    except AutoMLError:
        raise
    except Exception as error:  # the edge to code that is not ours
        raise ConfigError(
            f"{method} of the transformer {path!r} failed: {type(error).__name__}: {error}.",
            where=WHERE,
            remedy="Correct it; the table has the clean columns, the dates as timestamps.",
        ) from error


def imported(path: str) -> type[Transformer]:
    """The class that `package.module:Class` names.

    Raises:
        ConfigError: the module or the class is not there, or the class lacks a method.
    """
    module, _, name = path.partition(":")
    remedy = "Install the package, put its folder on PYTHONPATH, or correct features.custom."
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # importing runs code that is not ours
        raise ConfigError(f"The module of {path!r} can't be imported: {error}.", where=WHERE, remedy=remedy) from error
    if not isinstance(found, type):
        raise ConfigError(f"{module!r} has no class {name!r}.", where=WHERE, remedy=remedy)
    if found.__module__ != module:
        raise ConfigError(
            f"The class of {path!r} stands in {found.__module__!r}.",
            where=WHERE,
            remedy=f"Write {found.__module__}:{found.__qualname__}: changes of that module's file are looked for.",
        )
    lacking = [method for method in METHODS if not callable(getattr(found, method, None))]
    if lacking:
        raise ConfigError(
            f"The transformer {path!r} has no method {bounded(lacking)}.",
            where=WHERE,
            remedy=f"A transformer has {bounded(METHODS)}.",
        )
    return found


def code_digest(path: str) -> str:
    """The digest of the file of the module that an import path names, empty where there is none; not imported."""
    try:
        spec = importlib.util.find_spec(path.partition(":")[0])
    except Exception:  # the packages above it are imported, whose code is not ours; who imports the class tells
        return ""
    file = Path(spec.origin) if spec is not None and spec.origin else None
    return digest_of_file(file) if file is not None and file.is_file() else ""


def _plain(table: "pa.Table", types: Sequence[str] = ()) -> "pa.Table":
    """The table without dictionaries, which only some tables have, in these types."""
    import pyarrow as pa
    import pyarrow.types as t

    found: list[pa.ChunkedArray] = []
    for position, column in enumerate(table.columns):
        array = column.cast(column.type.value_type) if t.is_dictionary(column.type) else column
        found.append(_as_type(array, types[position]) if types else array)
    return pa.table(dict(zip(table.column_names, found, strict=True)))


def _as_type(array: "pa.ChunkedArray", alias: str) -> "pa.ChunkedArray":
    """The array in the type that an alias names; as it is where Arrow knows no such alias."""
    import pyarrow as pa

    try:
        return array.cast(pa.type_for_alias(alias), safe=False)
    except ValueError:
        return array


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
            where=WHERE,
            remedy="Return a table of numbers, or a matrix (rows, columns) and a name a column.",
        )
    return np.where(np.isfinite(values), np.clip(values, -3e38, 3e38), np.nan), names
