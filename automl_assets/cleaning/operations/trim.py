"""Spaces around a value go."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from automl_assets.cleaning.operations._base import About, Accepted, Operation, Rejected, count_true, over_distinct

if TYPE_CHECKING:
    import pyarrow as pa


class Trim(Operation):
    """Leading and trailing white space is removed; a cell of nothing else becomes missing."""

    order = 20

    @classmethod
    def fit(cls, column: "pa.ChunkedArray", about: About) -> Accepted | Rejected:
        import pyarrow.compute as pc

        changed = count_true(pc.not_equal(over_distinct(column, pc.utf8_trim_whitespace), column))
        if not changed:
            return Rejected("no cell has spaces around it")
        return Accepted({}, "spaces around values", changed)

    @classmethod
    def transform(cls, column: "pa.ChunkedArray", params: Mapping[str, Any]) -> "pa.ChunkedArray":
        import pyarrow.compute as pc

        def trimmed(values: "pa.Array") -> "pa.Array":
            short = pc.utf8_trim_whitespace(values)
            return pc.if_else(pc.and_(pc.equal(short, ""), pc.not_equal(values, "")), None, short)

        return over_distinct(column, trimmed)
