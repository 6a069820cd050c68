"""Which rows of a table lie in a window of time.

A time without a zone is local, one with a zone is an instant.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from automl_assets.core.errors import SourceError, did_you_mean
from automl_assets.core.values import Finding
from automl_assets.ingestion.sources._base import Reading
from automl_assets.ingestion.windows import Window

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1)
MOST_KEPT_BYTES = 128 << 20


@dataclass(frozen=True)
class Edges:
    """Where windows that follow each other begin and end, in microseconds since 1970: local, and in UTC."""

    local: "np.ndarray"
    utc: "np.ndarray"


def edges_of(windows: Sequence[Window]) -> Edges:
    """The edges of consecutive windows: one more than there are windows."""
    import numpy as np

    days = [*(window.start for window in windows), windows[-1].end]
    zone = ZoneInfo(windows[0].timezone)
    local = [datetime(day.year, day.month, day.day) for day in days]
    instants = [midnight.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None) for midnight in local]
    as_numbers = [[(time - EPOCH) // MICROSECOND for time in times] for times in (local, instants)]
    return Edges(*(np.array(numbers, dtype=np.int64) for numbers in as_numbers))


def place(column: "pa.Array", edges: Edges) -> "np.ndarray":
    """Each row's window by its position, -1 outside all of them and -2 where there is no time.

    Raises:
        TypeError: the column holds neither times nor text.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    from automl_assets.ingestion.infer import ZONED, parse_datetimes

    if t.is_dictionary(column.type):
        placed = np.append(place(column.dictionary, edges), -2)
        return placed[np.asarray(pc.fill_null(column.indices, len(placed) - 1))]
    if t.is_timestamp(column.type) or t.is_date(column.type):
        zoned = np.full(len(column), t.is_timestamp(column.type) and column.type.tz is not None)
        times = column.cast(pa.timestamp("us", tz=getattr(column.type, "tz", None)), safe=False)
    elif t.is_string(column.type) or t.is_large_string(column.type):
        texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
        zoned = np.asarray(pc.fill_null(pc.match_substring_regex(texts, ZONED), False))
        times = parse_datetimes(texts)
    elif t.is_null(column.type):
        return np.full(len(column), -2)
    else:
        raise TypeError(str(column.type))
    numbers = np.asarray(pc.fill_null(times.cast(pa.int64()), 0))
    placed = np.where(zoned, _between(numbers, edges.utc), _between(numbers, edges.local))
    return np.where(np.asarray(times.is_null()), -2, placed)


def _between(numbers: "np.ndarray", edges: "np.ndarray") -> "np.ndarray":
    import numpy as np

    position = np.searchsorted(edges, numbers, side="right") - 1
    return np.where(position < len(edges) - 1, position, -1)


def time_column_of(reading: Reading, column: str | None) -> int:
    """The position of the column that places rows in time.

    Raises:
        SourceError: none is named, or it is not there.
    """
    if column is None:
        raise SourceError(
            "No column places the rows in a window of time.",
            where=reading.where,
            remedy="Set batches.time_column; a query may take :start and :end instead.",
        )
    if column not in reading.columns:
        near = did_you_mean(column, reading.columns)
        raise SourceError(
            f"batches.time_column {column!r} is no column.",
            where=reading.where,
            remedy=f"Did you mean {near!r}?" if near else "Correct batches.time_column.",
        )
    return reading.columns.index(column)


def placed_rows(reading: Reading, batch: "pa.RecordBatch", position: int, edges: Edges) -> "np.ndarray":
    """`place` by the column at `position`.

    Raises:
        SourceError: the column holds no times.
    """
    try:
        return place(batch.column(position), edges)
    except TypeError as error:
        raise SourceError(
            f"Column {reading.columns[position]!r} holds {error}, not times.",
            where=reading.where,
            remedy="batches.time_column takes dates, timestamps, or ISO-8601 text.",
        ) from error


@dataclass
class WindowReading(Reading):
    """The rows of another reading that lie in one window; kept in memory after the first pass unless they are many."""

    whole: Reading | None = None
    window: Window | None = None
    position: int = 0

    def __post_init__(self) -> None:
        self._kept: list[pa.RecordBatch] | None = None

    @classmethod
    def of(cls, whole: Reading, window: Window, column: str | None) -> "WindowReading":
        """The rows of `whole` in `window` by `column`.

        Raises:
            SourceError: there is no such column.
        """
        return cls(
            where=f"{whole.where}, {window.key}",
            columns=whole.columns,
            typed=whole.typed,
            findings=list(whole.findings),
            dialect=whole.dialect,
            sniffs_missing=whole.sniffs_missing,
            whole=whole,
            window=window,
            position=time_column_of(whole, column),
        )

    def batches(self) -> Iterator["pa.RecordBatch"]:
        import numpy as np
        import pyarrow as pa

        assert self.whole is not None
        assert self.window is not None
        if self._kept is not None:
            yield from self._kept
            return
        edges = edges_of([self.window])
        kept: list[pa.RecordBatch] | None = []
        size, dated, rows = 0, 0, 0
        for batch in self.whole.batches():
            placed = placed_rows(self.whole, batch, self.position, edges)
            rows += len(placed)
            dated += int(np.sum(placed > -2))
            inside = placed == 0
            if not inside.any():
                continue
            piece = _rows(batch, pa.array(inside))
            size += piece.nbytes
            kept = [*kept, piece] if kept is not None and size <= MOST_KEPT_BYTES else None
            yield piece
        self._kept = kept
        self.findings[:] = findings_of_window(self.whole, rows, dated, self.position)


def _rows(batch: "pa.RecordBatch", inside: "pa.Array") -> "pa.RecordBatch":
    """Some rows; dictionaries hold the values that are left only, as types are inferred from them."""
    import pyarrow as pa
    import pyarrow.types as t

    chosen = batch.filter(inside)
    arrays = [
        column.dictionary_decode().dictionary_encode() if t.is_dictionary(column.type) else column
        for column in chosen.columns
    ]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def findings_of_window(whole: Reading, rows: int, dated: int, position: int) -> list[Finding]:
    """What is worth knowing about a window: ragged rows of the file can't be placed, so they don't count against it."""
    ragged = sum(finding.count for finding in whole.findings if finding.code == "ragged_rows")
    found = [finding for finding in whole.findings if finding.code != "ragged_rows"]
    nowhere = rows - dated + ragged
    if nowhere:
        advice = "They have no time that can be read, so they are in no window; times are ISO-8601."
        column = whole.columns[position]
        found.append(Finding(code="rows_in_no_window", severity="warning", column=column, count=nowhere, advice=advice))
    return found
