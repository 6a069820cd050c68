"""Column types from text, inferred over a whole file with bounded memory, and the cast that follows.

Work is done on each batch's distinct values, so its cost grows with how varied a column is, not with its length.
A column is as narrow as every filled cell allows: integer, number, datetime (ISO-8601), else text. Cells that look
like a code (``007``) or need more than 64 bits keep the column text. A literal such as ``NA`` or ``?`` means missing
throughout the file once it stands in a column that is otherwise numbers or dates.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl_assets.core.tables import arrow_type
from automl_assets.core.values import ColumnType, Finding

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

INTEGER = r"^[+-]?(0|[1-9][0-9]*)$"
CODE = r"^[+-]?0[0-9]+$"
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
INFINITE = r"(?i)^[+-]?inf(inity)?$"
DATE = r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}"
TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
OFFSET = r"(Z|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])"
DATETIME = f"^{DATE}([T ]{TIME}{OFFSET}?)?$"
ZONED = r"(Z|[0-9]{2}[+-][0-9]{2}:?[0-9]{2})$"
MISSING_LITERALS = frozenset(
    {"NA", "N/A", "n/a", "na", "NaN", "nan", "NAN", "NULL", "null", "Null", "None", "none", "#N/A", "#NA", "NIL", "nil"}
    | {"?", "-", "--", ".", "\\N", "missing", "MISSING"}
)
MOST_ODD_TOKENS = 64
MOST_CATEGORIES = 100
SAFE_DIGITS = 18


@dataclass
class ColumnEvidence:
    """What the cells of one text column looked like so far; literals that mean missing are looked for if `sniffs`."""

    sniffs: bool = True
    filled: int = 0
    blank: int = 0
    integers: int = 0
    numbers: int = 0
    infinite: int = 0
    codes: int = 0
    long_integers: int = 0
    naive_dates: int = 0
    zoned_dates: int = 0
    odd: Counter[str] = field(default_factory=Counter)
    odd_overflow: bool = False
    distinct: set[str] = field(default_factory=set)
    distinct_overflow: bool = False

    def add(self, column: "pa.DictionaryArray", explicit_missing: frozenset[str]) -> None:
        """Count the cells of one batch."""
        import numpy as np
        import pyarrow.compute as pc

        values = pc.utf8_trim_whitespace(column.dictionary)
        counts = np.bincount(column.indices.to_numpy(zero_copy_only=False), minlength=len(values))
        rest = np.flatnonzero(counts)
        if explicit_missing:
            rest = self._take(values, rest, counts, lambda v: pc.is_in(v, _strings(explicit_missing)), "blank")
        rest = self._take(values, rest, counts, lambda v: pc.equal(v, ""), "blank")
        self.filled += int(counts[rest].sum())
        self._keep_distinct(values, rest)
        integers = rest
        rest = self._take(values, rest, counts, lambda v: pc.match_substring_regex(v, INTEGER), "integers")
        self._count_long_integers(values, np.setdiff1d(integers, rest, assume_unique=True), counts)
        rest = self._take(values, rest, counts, lambda v: pc.match_substring_regex(v, CODE), "codes")
        rest = self._take(values, rest, counts, lambda v: pc.match_substring_regex(v, NUMBER), "numbers")
        rest = self._take(values, rest, counts, lambda v: pc.match_substring_regex(v, INFINITE), "infinite")
        dates = rest
        rest = self._take(values, rest, counts, _is_date, "naive_dates")
        zoned = np.setdiff1d(dates, rest, assume_unique=True)
        self._count_zoned(values, zoned, counts)
        self._keep_odd(values, rest, counts)

    def _take(self, values, rest, counts, test, name: str) -> "np.ndarray":
        """Count the cells that pass `test` under `name`; what is left over."""
        if not len(rest):
            return rest
        passed = test(values.take(rest)).to_numpy(zero_copy_only=False).astype(bool)
        setattr(self, name, getattr(self, name) + int(counts[rest[passed]].sum()))
        return rest[~passed]

    def _count_long_integers(self, values: "pa.Array", which: "np.ndarray", counts: "np.ndarray") -> None:
        import pyarrow.compute as pc

        if not len(which):
            return
        some = values.take(which)
        for position in pc.indices_nonzero(pc.greater(pc.utf8_length(some), SAFE_DIGITS)).to_pylist():
            if not -(2**63) <= int(some[position].as_py()) < 2**63:
                self.long_integers += int(counts[which[position]])

    def _count_zoned(self, values: "pa.Array", which: "np.ndarray", counts: "np.ndarray") -> None:
        import pyarrow.compute as pc

        if len(which):
            zoned = pc.match_substring_regex(values.take(which), ZONED).to_numpy(zero_copy_only=False)
            found = int(counts[which[zoned]].sum())
            self.zoned_dates += found
            self.naive_dates -= found

    def _keep_odd(self, values: "pa.Array", which: "np.ndarray", counts: "np.ndarray") -> None:
        if len(which) + len(self.odd) > MOST_ODD_TOKENS * 4:
            self.odd_overflow = True
        if self.odd_overflow:
            return
        for position in which:
            self.odd[values[int(position)].as_py()] += int(counts[position])
        self.odd_overflow = len(self.odd) > MOST_ODD_TOKENS

    def _keep_distinct(self, values: "pa.Array", which: "np.ndarray") -> None:
        if not self.distinct_overflow:
            self.distinct_overflow = len(which) > MOST_CATEGORIES
        if not self.distinct_overflow:
            self.distinct.update(values.take(which).to_pylist())
            self.distinct_overflow = len(self.distinct) > MOST_CATEGORIES

    def categories(self) -> tuple[str, ...]:
        """The trimmed distinct values, or nothing where there are more than 100."""
        return () if self.distinct_overflow else tuple(sorted(self.distinct))

    def missing_literals(self) -> frozenset[str]:
        """The literals that mean missing here, known from standing among numbers or dates."""
        if not self.sniffs or self.odd_overflow or self.codes or not self.odd or not set(self.odd) <= MISSING_LITERALS:
            return frozenset()
        regular = self.integers + self.numbers + self.naive_dates + self.zoned_dates
        return frozenset(self.odd) if regular else frozenset()

    def type(self) -> ColumnType:
        """The narrowest type that holds every filled cell."""
        odd = sum(self.odd.values()) if self.missing_literals() else 0
        if self.odd_overflow or self.codes or self.long_integers or not self.filled:
            return "text"
        if self.integers + self.numbers + self.infinite + odd == self.filled and self.integers + self.numbers:
            return "integer" if not self.numbers and not self.infinite else "number"
        for dates in (self.naive_dates, self.zoned_dates):
            if dates and dates + odd == self.filled:
                return "datetime"
        return "text"

    def is_utc(self) -> bool:
        """Whether the dates state a zone; they are stored in UTC then."""
        return self.zoned_dates > 0

    def findings(self, name: str) -> list[Finding]:
        """What a person should know about how the column was read."""
        found: list[Finding] = []
        if self.long_integers and not self.odd and self.integers == self.filled:
            advice = "Kept as text: a 64-bit integer can't hold them. They are probably identifiers."
            found.append(
                Finding(code="long_integers", severity="info", column=name, count=self.long_integers, advice=advice)
            )
        if self.infinite and self.type() == "number":
            advice = "Models treat infinities as missing; check what divides by zero."
            found.append(
                Finding(code="infinite_values", severity="warning", column=name, count=self.infinite, advice=advice)
            )
        return found


def _strings(values: frozenset[str]) -> "pa.Array":
    import pyarrow as pa

    return pa.array(sorted(values), pa.string())


def _is_date(values: "pa.Array") -> "pa.Array":
    """Which values are ISO-8601 dates that exist (there is no 30 February)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    shaped = pc.match_substring_regex(values, DATETIME)
    if not pc.any(shaped).as_py():
        return shaped
    naive = _without_zone(pc.if_else(shaped, values, None))
    try:
        naive.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        good = [_exists(value) for value in naive.to_pylist()]
        return pc.and_(shaped, pa.array(good))
    return shaped


def parse_datetimes(texts: "pa.Array | pa.ChunkedArray") -> "pa.Array | pa.ChunkedArray":
    """ISO-8601 texts as naive datetimes, those with a zone in UTC; what is no date is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(texts, pa.ChunkedArray):
        return pa.chunked_array([parse_datetimes(chunk) for chunk in texts.chunks], pa.timestamp("us"))
    trimmed = pc.utf8_trim_whitespace(texts)
    dates = pc.if_else(_is_date(trimmed), trimmed, None)
    bare = _without_zone(dates)
    zoned = pc.not_equal(bare, dates)
    naive = pc.if_else(zoned, None, bare).cast(pa.timestamp("us"))
    if not pc.any(zoned).as_py():
        return naive
    utc = pc.if_else(zoned, _with_colon(dates), None).cast(pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us"))
    return pc.coalesce(naive, utc)


def _exists(value: str | None) -> bool:
    from datetime import datetime

    if value is None:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _without_zone(values: "pa.Array") -> "pa.Array":
    import pyarrow.compute as pc

    return pc.replace_substring_regex(values, r"(Z|([0-9]{2})[+-][0-9]{2}:?[0-9]{2})$", r"\2")


def _with_colon(values: "pa.Array") -> "pa.Array":
    """Offsets such as +0200 as +02:00, which Arrow reads."""
    import pyarrow.compute as pc

    return pc.replace_substring_regex(values, r"([+-][0-9]{2})([0-9]{2})$", r"\1:\2")


def cast_text(
    column: "pa.DictionaryArray", kind: ColumnType, missing: frozenset[str], *, utc: bool = False
) -> "pa.Array":
    """The column as `kind`; blank cells and `missing` literals become null, text keeps its spaces.

    Raises:
        pyarrow.ArrowInvalid: a cell does not fit; `infer` never chooses such a type.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(column.dictionary)
    absent = pc.equal(trimmed, "")
    if missing:
        absent = pc.or_(absent, pc.is_in(trimmed, _strings(missing)))
    if kind == "text":
        values = pc.if_else(absent, None, column.dictionary)
    else:
        bare = pc.if_else(absent, None, pc.utf8_ltrim(trimmed, characters="+"))
        if kind == "datetime" and utc:
            bare = _with_colon(bare)
        values = bare.cast(arrow_type(kind, utc=utc))
    return pa.DictionaryArray.from_arrays(column.indices, values).dictionary_decode()


def cast_what_fits(
    column: "pa.Array | pa.DictionaryArray", kind: ColumnType, missing: frozenset[str], *, utc: bool = False
) -> "pa.Array":
    """The column as `kind` whatever it holds: a cell that does not fit becomes missing.

    A time without a zone counts as UTC where the zone is wanted, one with a zone as UTC where it is not.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    wanted = arrow_type(kind, utc=utc)
    if t.is_dictionary(column.type):
        fitting = cast_what_fits(column.dictionary, kind, missing, utc=utc)
        return pa.DictionaryArray.from_arrays(column.indices, fitting).dictionary_decode()
    if not t.is_string(column.type):
        if kind != "text" and (t.is_timestamp(column.type) != (kind == "datetime")):
            return pa.nulls(len(column), wanted)
        return column.cast(wanted, safe=False)
    trimmed = pc.utf8_trim_whitespace(column)
    absent = pc.or_(pc.equal(trimmed, ""), pc.is_in(trimmed, _strings(missing)))
    if kind == "text":
        return pc.if_else(absent, None, column)
    if kind == "datetime":
        return parse_datetimes(pc.if_else(absent, None, trimmed)).cast(wanted)
    bare = pc.utf8_ltrim(trimmed, characters="+")
    pattern = {"integer": INTEGER, "number": NUMBER, "boolean": "(?i)^(true|false)$"}[kind]
    fits = pc.and_(pc.match_substring_regex(trimmed, pattern), pc.invert(absent))
    if kind == "integer":
        fits = pc.and_(fits, pc.less_equal(pc.utf8_length(trimmed), SAFE_DIGITS))
    return pc.if_else(fits, bare, None).cast(wanted)
