"""Columns that never vary teach nothing."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from automl_assets.cleaning.operations._base import About, Accepted, Operation, Rejected

if TYPE_CHECKING:
    import pyarrow as pa


class DropConstant(Operation):
    """A column with a single value in every training row, or with none at all, is dropped."""

    order = 80
    structural = True
    types = ("integer", "number", "boolean", "datetime", "text")

    @classmethod
    def fit(cls, column: "pa.ChunkedArray", about: About) -> Accepted | Rejected:
        import pyarrow.compute as pc

        if column.null_count == len(column):
            return Accepted({}, "it is empty", 0)
        if column.null_count or pc.count_distinct(column).as_py() > 1:
            return Rejected("it varies")
        return Accepted({}, "it has the same value in every row", len(column))

    @classmethod
    def transform(cls, column: "pa.ChunkedArray", params: Mapping[str, Any]) -> None:
        return None
