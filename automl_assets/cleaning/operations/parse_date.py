"""Dates kept as text become times, when one format reads nearly all of them and no other reads them differently."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from automl_assets.cleaning.operations._base import About, Accepted, Operation, Rejected, over_distinct

if TYPE_CHECKING:
    import pyarrow as pa

LEAST_SHARE = 0.98
LEAST_CELLS = 5
DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y",
)  # fmt: skip
TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S")
SHAPE = r"[0-9]{1,4}[-/. ]([0-9]{1,2}|[A-Za-z]{3,9})[-/. ,]|[A-Za-z]{3,9} [0-9]{1,2}, [0-9]{4}"
SAMPLE = 2_000


class ParseDate(Operation):
    """A text column of which at least 98% reads as dates of one format becomes a datetime; other cells become missing.

    Where day and month can't be told apart, the column stays text.
    """

    order = 40
    structural = True
    role_after = "datetime"

    @classmethod
    def fit(cls, column: "pa.ChunkedArray", about: About) -> Accepted | Rejected:
        import pyarrow.compute as pc

        filled = column.drop_null()
        if len(filled) < LEAST_CELLS:
            return Rejected("too few filled cells to tell")
        sample = pc.utf8_trim_whitespace(filled.slice(0, SAMPLE).combine_chunks())
        if (pc.sum(pc.match_substring_regex(sample, SHAPE)).as_py() or 0) < LEAST_SHARE * len(sample):
            return Rejected("its cells are not shaped like dates")
        reading = [(f, n) for f in _formats() if (n := _count(sample, f)) >= LEAST_SHARE * len(sample)]
        reading = [(f, n) for f, _ in reading if (n := _count(filled, f)) >= LEAST_SHARE * len(filled)]
        if not reading:
            return Rejected("no single format reads its cells")
        chosen, count = max(reading, key=lambda item: item[1])
        if any(n == count and f != chosen and not _agree(filled, chosen, f) for f, n in reading):
            return Rejected("day and month can't be told apart")
        lost = len(filled) - count
        reason = f"dates of the form {chosen}" + (f"; {lost} cells that are none become missing" if lost else "")
        return Accepted({"format": chosen}, reason, len(filled), confidence=count / len(filled))

    @classmethod
    def transform(cls, column: "pa.ChunkedArray", params: Mapping[str, Any]) -> "pa.ChunkedArray":
        import pyarrow as pa
        import pyarrow.types as t

        if not t.is_string(column.type):
            return column.cast(pa.timestamp("us"))
        return over_distinct(column, lambda values: _parsed(values, params["format"]))


def _formats() -> list[str]:
    return [date + time for date in DATES for time in TIMES]


def _parsed(values: "pa.Array", form: str) -> "pa.Array":
    """Times, null where the format does not read the whole cell or the year has not four digits."""
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(values)
    times = pc.strptime(trimmed, format=form, unit="s", error_is_null=True)
    if times.null_count == len(times):
        return times.cast(pa.timestamp("us"))
    year = pc.year(times)
    sensible = pc.and_(pc.greater_equal(year, 1000), pc.less(year, 2262))
    written = pc.struct_field(pc.extract_regex(trimmed, _day_of(form)), "day").cast(pa.int64())
    exists = pc.equal(written, pc.day(times))  # strptime takes 30 February for 1 March
    return pc.if_else(pc.and_(sensible, exists), times, None).cast(pa.timestamp("us"))


def _day_of(form: str) -> str:
    """A regular expression for texts of a format, with the day as its group `day`."""
    parts = {
        "%d": "(?P<day>[0-9]{1,2})",
        "%Y": "[0-9]{4}",
        "%b": "[A-Za-z]+",
        "%B": "[A-Za-z]+",
        " ": r"\s*",
        ".": r"\.",
    }
    return "^" + re.sub("%.|[ .]", lambda part: parts.get(part[0], "[0-9]{1,2}"), form) + "$"


def _count(values: "pa.ChunkedArray | pa.Array", form: str) -> int:
    import pyarrow as pa

    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    parsed = _parsed(array, form)
    return len(parsed) - parsed.null_count


def _agree(values: "pa.ChunkedArray", one: str, other: str) -> bool:
    """Whether two formats read every cell as the same time."""
    array = values.combine_chunks()
    return _parsed(array, one).equals(_parsed(array, other))
