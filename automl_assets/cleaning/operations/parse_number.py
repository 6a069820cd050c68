"""Numbers kept as text become numbers: currency signs, thousands separators, decimal commas, percent, brackets."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from automl_assets.cleaning.operations._base import About, Accepted, Operation, Rejected, count_true, over_distinct

if TYPE_CHECKING:
    import pyarrow as pa

LEAST_SHARE = 0.95
LEAST_CELLS = 5
SIGNS = r"[\s\x{00A0}$€£¥₹%]"
CODE = r"^[+-]?0[0-9]+$"
LONG = r"^[+-]?[0-9]{16,}$"
STYLES = {
    "point": r"^[+-]?(([0-9]{1,3}(,[0-9]{3})+|[0-9]+)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$",
    "comma": r"^[+-]?(([0-9]{1,3}(\.[0-9]{3})+|[0-9]+)(,[0-9]*)?|,[0-9]+)$",
}
BRACKETS = r"^\((.*)\)$"


class ParseNumber(Operation):
    """A text column of which at least 95% reads as numbers of one style becomes numeric; other cells become missing.

    Codes with leading zeros and numbers of 16 digits or more are identifiers and stay text.
    """

    order = 30
    structural = True
    role_after = "numeric"

    @classmethod
    def fit(cls, column: "pa.ChunkedArray", about: About) -> Accepted | Rejected:
        import pyarrow.compute as pc

        filled = len(column) - column.null_count
        if filled < LEAST_CELLS:
            return Rejected("too few filled cells to tell")
        bare = over_distinct(column, _bare)
        for pattern, what in ((CODE, "codes with leading zeros"), (LONG, "numbers too long to count with")):
            if count_true(pc.match_substring_regex(bare, pattern)):
                return Rejected(f"it holds {what}")
        counts = {style: count_true(_reads_as(bare, style)) for style in STYLES}
        style = max(counts, key=lambda s: counts[s])  # of equals the first: 1,234 is more than a thousand
        if counts[style] < LEAST_SHARE * filled:
            return Rejected(f"only {counts[style] / filled:.0%} of the cells read as numbers")
        lost = filled - counts[style]
        reason = "numbers kept as text" + (f"; {lost} cells that are none become missing" if lost else "")
        return Accepted({"style": style}, reason, filled, confidence=counts[style] / filled)

    @classmethod
    def transform(cls, column: "pa.ChunkedArray", params: Mapping[str, Any]) -> "pa.ChunkedArray":
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.types as t

        if not t.is_string(column.type):
            return column.cast(pa.float64())
        style = params["style"]

        def parsed(values: "pa.Array") -> "pa.Array":
            bare = _bare(values)
            bare = pc.if_else(_reads_as(bare, style), bare, None)
            bare = pc.replace_substring(bare, "," if style == "point" else ".", "")
            return pc.utf8_ltrim(pc.replace_substring(bare, ",", "."), characters="+").cast(pa.float64())

        return over_distinct(column, parsed)


def _bare(values: "pa.Array") -> "pa.Array":
    """Without signs and spaces; accountants' brackets become a minus."""
    import pyarrow.compute as pc

    stripped = pc.replace_substring_regex(values, SIGNS, "")
    return pc.replace_substring_regex(stripped, BRACKETS, r"-\1")


def _reads_as(bare: "pa.Array", style: str) -> "pa.Array":
    import pyarrow.compute as pc

    return pc.match_substring_regex(bare, STYLES[style])
