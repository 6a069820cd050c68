"""All columns' encoders together: a table in, a float32 matrix out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from automl_assets.learn.features import columns as column_encoders
from automl_assets.learn.features import imputers
from automl_assets.learn.features.cells import Rows
from automl_assets.learn.features.columns import CategoricalEncoder, ColumnEncoder
from automl_assets.learn.features.imputers import Imputer
from automl_assets.learn.features.recipe import Recipe, View
from automl_assets.learn.features.scalers import Scaler
from automl_assets.learn.features.selections import Kept
from automl_assets.learn.features.stored_encoders import checked_custom, older_imputer, older_kind

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

FORMAT = 2


@dataclass(frozen=True)
class Encoder:
    """The fitted encoders of one view, in column order; what imputes their numbers; which features stay."""

    view: View
    columns: tuple[ColumnEncoder, ...]
    imputer: Imputer | None = None
    kept: Kept | None = None

    @classmethod
    def fit(
        cls,
        table: "pa.Table",
        roles: Mapping[str, str],
        view: View,
        *,
        y: "np.ndarray | None" = None,
        classes: int = 0,
        weight: "np.ndarray | None" = None,
        seed: int = 0,
        recipe: Recipe | None = None,
    ) -> Self:
        """Learn from training rows. `roles` names the features and their role; other columns are ignored.

        Args:
            y: class codes 0 … classes-1, or values where `classes` is 0; (rows,). Without it, nothing averages it.
            weight: of each row; target means heed it.
            recipe: which methods; each column's role decides by default.

        Raises:
            ConfigError: the recipe names a method that needs `y`, or a custom transformer that does not work.
        """
        return cls.fit_transform(table, roles, view, y=y, classes=classes, weight=weight, seed=seed, recipe=recipe)[0]

    @classmethod
    def fit_transform(
        cls,
        table: "pa.Table",
        roles: Mapping[str, str],
        view: View,
        *,
        y: "np.ndarray | None" = None,
        classes: int = 0,
        weight: "np.ndarray | None" = None,
        seed: int = 0,
        recipe: Recipe | None = None,
    ) -> "tuple[Self, np.ndarray]":
        """`fit`, and the matrix of the training rows to fit a model on.

        Its target means are cross-fitted: no row's own target is in them, as none is in those of a later row. With
        `transform` of the training rows a model would learn to trust them too much.
        """
        from automl_assets.learn.features.fitting import fitted
        from automl_assets.learn.features.target import FitContext, Target

        target = None if y is None else Target.of(y, classes, weight, seed)
        return fitted(cls, table, roles, FitContext(view, recipe or Recipe(), target, seed))

    def transform(self, table: "pa.Table | Rows") -> "np.ndarray":
        """The matrix of shape (rows, features); a column that the table lacks counts as missing.

        Several encoders that are given the same `Rows` read each cell once.
        """
        return self._transformed(table if isinstance(table, Rows) else Rows(table))

    def transform_one(self, row: Mapping[str, Any]) -> "np.ndarray":
        """The matrix (1, features) of one row of Python values by column name, without a table."""
        return self._transformed(Rows.of_values(row))

    def _transformed(self, rows: Rows) -> "np.ndarray":
        return self.assembled([column.encode_rows(rows) for column in self.columns], len(rows))

    def assembled(self, pieces: "Sequence[np.ndarray]", rows: int) -> "np.ndarray":
        """The columns' outputs as one float32 matrix: numbers imputed and scaled, of all features those that stay."""
        import numpy as np

        matrix = np.empty((rows, self._layout.width), dtype=np.float32)
        for piece, place in zip(pieces, self._layout.places, strict=True):
            matrix[:, place] = piece
        if self.imputer is not None and self._layout.numbers is not None:
            filled = self.imputer.fill(self.numbers(pieces, rows))
            matrix[:, self._layout.numbers] = filled if self._scaler is None else self._scaled(filled)
        return matrix if self.kept is None else matrix[:, list(self.kept.positions)]

    def numbers(self, pieces: "Sequence[np.ndarray]", rows: int) -> "np.ndarray":
        """The columns' number outputs side by side, float64."""
        import numpy as np

        block = np.empty((rows, self._layout.number_width))
        for piece, (place, outputs) in zip(pieces, self._layout.number_places, strict=True):
            block[:, place] = piece[:, outputs]
        return block

    def _scaled(self, filled: "np.ndarray") -> "np.ndarray":
        import numpy as np

        assert self._scaler is not None
        if self.imputer is None or not self.imputer.leaves_missing:
            return self._scaler.apply(filled)
        missing = np.isnan(filled)
        return np.where(missing, 0.0, self._scaler.apply(np.where(missing, 0.0, filled)))

    @cached_property
    def _scaler(self) -> Scaler | None:
        scales = [column.scale for column in self.columns if column.scale is not None]
        return type(scales[0]).joined(scales) if scales else None

    @cached_property
    def _layout(self) -> "_Layout":
        return _Layout.of(self.columns)

    @cached_property
    def feature_names(self) -> list[str]:
        """A name for each column of the matrix."""
        return self._of_kept([name for column in self.columns for name in column.feature_names()])

    @cached_property
    def sources(self) -> list[str]:
        """The raw column that each column of the matrix comes from; ``a × b`` for two, a custom one's import path."""
        return self._of_kept([column.source for column in self.columns for _ in column.feature_names()])

    @cached_property
    def categorical(self) -> list[int]:
        """The positions of the columns that hold category codes, few enough for a tree to split by."""
        return self._positions([column.category_outputs() for column in self.columns])

    @cached_property
    def nominal(self) -> list[int]:
        """The positions of all columns that hold category codes."""
        return self._positions([column.nominal_outputs() for column in self.columns])

    def _positions(self, outputs: "Sequence[Sequence[int]]") -> list[int]:
        places = zip(outputs, self._layout.places, strict=True)
        found = [place.start + output for some, place in places for output in some]
        if self.kept is None:
            return found
        return [new for new, old in enumerate(self.kept.positions) if old in set(found)]

    @property
    def dropped(self) -> dict[str, str]:
        """The features that the selection left out, and why."""
        return {} if self.kept is None else dict(self.kept.dropped)

    def _of_kept(self, values: list[str]) -> list[str]:
        return values if self.kept is None else [values[i] for i in self.kept.positions]

    def unseen(self, table: "pa.Table") -> dict[str, int]:
        """Rows with a category that training did not have, by column."""
        rows, there = Rows(table), set(table.column_names)
        known = [c for c in self.columns if isinstance(c, CategoricalEncoder) and not c.crossed and c.name in there]
        counts = {column.name: column.unseen(rows[column.name]) for column in known}
        return {name: count for name, count in counts.items() if count}

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild it."""
        return {
            "format": FORMAT,
            "view": self.view,
            "columns": [column.to_json() for column in self.columns],
            "imputer": None if self.imputer is None else self.imputer.to_json(),
            "kept": None if self.kept is None else self.kept.to_json(),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any], *, trusted: Sequence[str] = ()) -> Self:
        """The encoder that `to_json` described, also that of version 0.1 without dense dates.

        Args:
            trusted: the import paths of the recipe's custom transformers; no other code is imported.

        Raises:
            StorageError: it is of another format, or names a custom transformer that is not trusted.
        """
        kinds = [older_kind(column["kind"]) for column in document["columns"]]
        checked_custom(document["columns"], trusted)
        made = [
            column_encoders.registry.get(kind).from_json(column)
            for kind, column in zip(kinds, document["columns"], strict=True)
        ]
        if "format" not in document:
            return cls(document["view"], tuple(made), older_imputer(document))
        imputer, kept = document["imputer"], document["kept"]
        return cls(
            document["view"],
            tuple(made),
            None if imputer is None else imputers.registry.get(imputer["kind"]).from_json(imputer),
            None if kept is None else Kept.from_json(kept),
        )


@dataclass(frozen=True)
class _Layout:
    """Where each column's outputs lie in the matrix, and its number outputs among all numbers."""

    width: int
    places: tuple[slice, ...]
    number_width: int
    number_places: tuple[tuple[slice, slice | list[int]], ...]
    numbers: "np.ndarray | None"

    @classmethod
    def of(cls, columns: Sequence[ColumnEncoder]) -> Self:
        import numpy as np

        places, number_places, numbers = [], [], []
        width = 0
        for column in columns:
            outputs = column.number_outputs()
            place = slice(width, width + len(column.feature_names()))
            whole = slice(outputs[0], outputs[-1] + 1) if outputs else slice(0, 0)
            dense = len(outputs) == whole.stop - whole.start
            number_places.append((slice(len(numbers), len(numbers) + len(outputs)), whole if dense else outputs))
            numbers += [width + output for output in outputs]
            places.append(place)
            width = place.stop
        positions = np.array(numbers) if numbers else None
        return cls(width, tuple(places), len(numbers), tuple(number_places), positions)
