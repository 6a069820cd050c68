"""All columns' encoders together: a table in, a float32 matrix out."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from automl_assets.learn.features.columns import (
    KINDS,
    CategoricalEncoder,
    ColumnEncoder,
    View,
    column_encoder_from_json,
)

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass(frozen=True)
class Encoder:
    """The fitted encoders of one view, in column order."""

    view: View
    columns: tuple[ColumnEncoder, ...]

    @classmethod
    def fit(cls, table: "pa.Table", roles: Mapping[str, str], view: View) -> Self:
        """Learn from training rows. `roles` names the features and their role; other columns are ignored."""
        return cls(view, tuple(KINDS[role].fit(name, table.column(name), view) for name, role in roles.items()))

    def transform(self, table: "pa.Table") -> "np.ndarray":
        """The matrix of shape (rows, features); a column that the table lacks counts as missing."""
        import numpy as np
        import pyarrow as pa

        names = set(table.column_names)
        pieces = [
            encoder.transform(
                table.column(encoder.name)
                if encoder.name in names
                else pa.chunked_array([pa.nulls(table.num_rows, _empty_type(encoder))])
            )
            for encoder in self.columns
        ]
        return np.concatenate(pieces, axis=1) if pieces else np.empty((table.num_rows, 0), dtype=np.float32)

    @cached_property
    def feature_names(self) -> list[str]:
        """A name for each column of the matrix."""
        return [name for encoder in self.columns for name in encoder.feature_names()]

    @cached_property
    def categorical(self) -> list[int]:
        """The positions of the columns that hold category codes."""
        positions: list[int] = []
        start = 0
        for encoder in self.columns:
            if encoder.is_categorical():
                positions.append(start)
            start += len(encoder.feature_names())
        return positions

    def unseen(self, table: "pa.Table") -> dict[str, int]:
        """Rows with a category that training did not have, by column."""
        encoders = [e for e in self.columns if isinstance(e, CategoricalEncoder) and e.name in table.column_names]
        counts = {encoder.name: encoder.unseen(table.column(encoder.name)) for encoder in encoders}
        return {name: count for name, count in counts.items() if count}

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild it."""
        return {"view": self.view, "columns": [encoder.to_json() for encoder in self.columns]}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The encoder that `to_json` described."""
        return cls(document["view"], tuple(column_encoder_from_json(column) for column in document["columns"]))


def _empty_type(encoder: ColumnEncoder) -> "pa.DataType":
    import pyarrow as pa

    return {"numeric": pa.float64(), "datetime": pa.timestamp("us")}.get(encoder.kind, pa.string())
