"""Words that stand for a missing value become one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from automl_assets.cleaning.operations._base import About, Accepted, Operation, Rejected, count_true, over_distinct

if TYPE_CHECKING:
    import pyarrow as pa

LITERALS = ("NA", "N/A", "n/a", "NaN", "nan", "NULL", "Null", "null", "#N/A", "#NA", "\\N", "?", "nil")
COLUMN_WIDE = 0.98


class NormaliseMissing(Operation):
    """Cells that hold only a literal such as NULL or ? become missing; `None` and `unknown` may be answers and stay."""

    order = 10

    @classmethod
    def fit(cls, column: "pa.ChunkedArray", about: About) -> Accepted | Rejected:
        import pyarrow as pa
        import pyarrow.compute as pc

        trimmed = over_distinct(column, pc.utf8_trim_whitespace)
        found = pc.is_in(trimmed, pa.array(LITERALS))
        count = count_true(found)
        filled = len(column) - column.null_count
        if not count:
            return Rejected("no cell holds a missing literal")
        if count >= COLUMN_WIDE * filled:
            return Rejected("nearly the whole column is one literal, so it may be an answer")
        literals = sorted(set(pc.unique(trimmed.filter(found)).to_pylist()))
        return Accepted({"literals": literals}, f"{', '.join(literals)} mean missing", count)

    @classmethod
    def transform(cls, column: "pa.ChunkedArray", params: Mapping[str, Any]) -> "pa.ChunkedArray":
        import pyarrow as pa
        import pyarrow.compute as pc

        literals = pa.array(params["literals"], pa.string())

        def clear(values: "pa.Array") -> "pa.Array":
            return pc.if_else(pc.is_in(pc.utf8_trim_whitespace(values), literals), None, values)

        return over_distinct(column, clear)
