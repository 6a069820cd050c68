"""How a delimited file is written, guessed from its first lines: separator, header, and the quote in use.

Separator: the candidate that splits most lines into the same number (two or more) of fields. Quote: the double one,
unless single ones wrap a field of nearly every line, or double ones open more fields than they wrap. Header: columns
vote. A column of numbers with a word on top votes for a header, one with a number on top against; a column of words
votes against when its top cell stands below again.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence

SEPARATORS = (",", ";", "\t", "|")
FIELD_STARTS, FIELD_ENDS = r"(?<![^,;\t|\r\n])", r"(?=[,;\t|\r\n]|\Z)"
SINGLE_QUOTED_SHARE = 0.9
SAMPLE_LINES = 200
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-", "."}


def sniff_quote(sample: str) -> str | None:
    """The quote that wraps the sample's fields, or None where double quotes are mere characters, such as inches."""
    double, stray = _wrapped_and_stray(sample, '"')
    if stray > double:
        return None
    if not double:
        single, stray = _wrapped_and_stray(sample, "'")
        lines = sum(bool(line.strip()) for line in sample.splitlines())
        if single >= max(2, SINGLE_QUOTED_SHARE * lines) and not stray:
            return "'"
    return '"'


def _wrapped_and_stray(sample: str, quote: str) -> tuple[int, int]:
    """How many fields the quote wraps, and how many it opens without closing."""
    wrapped = re.compile(f"{FIELD_STARTS}{quote}(?:[^{quote}]|{quote}{quote})*+{quote}{FIELD_ENDS}")
    rest, count = wrapped.subn("", sample)
    return count, len(re.findall(FIELD_STARTS + quote, rest))


def sniff_separator(sample: str, quote: str | None) -> str | None:
    """The separator of the sample's lines, or None when no candidate splits them."""
    best: tuple[float, int, str] | None = None
    for separator in SEPARATORS:
        counts = Counter(len(row) for row in rows_of(sample, separator, quote))
        if not counts:
            return None
        width, lines = max(counts.items(), key=lambda item: (item[1], item[0]))
        if width < 2:
            split = sum(n for fields, n in counts.items() if fields > 1)
            width, lines = max((fields for fields in counts), default=1), split // 2
        rank = (lines / counts.total(), width, separator)
        if width > 1 and lines and (best is None or rank[:2] > best[:2]):
            best = rank
    return best[2] if best else None


def sniff_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns. One row alone is a header."""
    if len(rows) < 2:
        return True
    first, body = rows[0], rows[1:]
    votes = 0.0
    for position, cell in enumerate(first):
        below = [row[position].strip() for row in body if position < len(row)]
        filled = [value for value in below if value.lower() not in MISSING]
        if not filled:
            continue
        votes += _vote(cell.strip(), filled)
    return votes >= 0


def _vote(top: str, filled: Sequence[str]) -> float:
    numeric = sum(bool(NUMBER.fullmatch(value)) for value in filled) / len(filled)
    if numeric > 0.9:
        if top.lower() in MISSING:
            return 0.0
        return -1.0 if NUMBER.fullmatch(top) else 1.0
    return -1.0 if top in filled else 0.25 if len(top) < 64 else 0.0


def rows_of(sample: str, separator: str, quote: str | None) -> list[list[str]]:
    """The sample's rows that are not blank, split into fields."""
    csv.field_size_limit(max(csv.field_size_limit(), len(sample)))
    reader = csv.reader(
        io.StringIO(sample, newline=""),
        delimiter=separator,
        quotechar=quote or '"',
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
    )
    rows: list[list[str]] = []
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) >= SAMPLE_LINES:
                break
    except csv.Error:
        pass
    return rows


def unique_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Column names made unique and non-empty, and the originals that had to change.

    >>> unique_names(["a", "a", "", "a_1"])
    (['a', 'a_2', 'column_2', 'a_1'], ['a', ''])
    """
    taken = {name for name in names if name.strip()}
    seen: set[str] = set()
    result: list[str] = []
    renamed: list[str] = []
    for position, name in enumerate(names):
        new = name
        if not name.strip():
            new = f"column_{position}"
            renamed.append(name)
        elif name in seen:
            renamed.append(name)
        suffix = 1
        base = new
        while new in seen or (new != name and new in taken):
            suffix += 1
            new = f"{base}_{suffix}"
        seen.add(new)
        result.append(new)
    return result, renamed
