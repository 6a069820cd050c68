"""What the windows of a table hold, in one pass: a digest of each window's rows.

What is appended to a table later changes only the windows in which it lies.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl_assets.core.errors import SourceError
from automl_assets.ingestion.sources._base import Reading
from automl_assets.ingestion.window_rows import edges_of, placed_rows, time_column_of
from automl_assets.ingestion.windows import Window

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass
class WindowContent:
    """What a window holds: how many rows, and a digest of their values in order."""

    rows: int = 0
    _hash: "hashlib.blake2b" = field(default_factory=lambda: hashlib.blake2b(digest_size=16))

    def add(self, hashes: "np.ndarray") -> None:
        """Add rows by their hashes."""
        self.rows += len(hashes)
        self._hash.update(hashes.tobytes())

    @property
    def digest(self) -> str:
        """The digest so far, as 32 hexadecimal digits."""
        return self._hash.hexdigest()


def contents(reading: Reading, windows: Sequence[Window], column: str | None) -> dict[str, WindowContent]:
    """The content of every window of a table, in one pass: rows that are appended change the windows they lie in only.

    Raises:
        SourceError: the column is not there, or holds no times at all.
    """
    import numpy as np

    position = time_column_of(reading, column)
    found = [WindowContent() for _ in windows]
    edges = edges_of(windows)
    dated = 0
    for batch in reading.batches():
        placed = placed_rows(reading, batch, position, edges)
        dated += int(np.sum(placed > -2))
        if not (placed >= 0).any():
            continue
        hashes = row_hashes(batch)
        order = np.argsort(placed, kind="stable")
        starts = np.searchsorted(placed[order], np.arange(len(windows) + 1))
        for number in np.unique(placed[placed >= 0]):
            found[number].add(hashes[order[starts[number] : starts[number + 1]]])
    if not dated:
        raise SourceError(
            f"Column {column!r} holds no time that can be read.",
            where=reading.where,
            remedy="batches.time_column takes dates, timestamps, or ISO-8601 text.",
        )
    return {window.key: content for window, content in zip(windows, found, strict=True)}


def row_hashes(batch: "pa.RecordBatch") -> "np.ndarray":
    """A 64-bit hash a row of all its cells: against accidental change, not against an adversary (pandas' SipHash)."""
    import numpy as np

    total = np.zeros(batch.num_rows, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for column in batch.columns:
            total = total * np.uint64(0x9E3779B97F4A7C15) + _cell_hashes(column)
    return total


def _cell_hashes(column: "pa.Array") -> "np.ndarray":
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t
    from pandas.core.util.hashing import hash_array

    if t.is_dictionary(column.type):
        words = np.append(_cell_hashes(column.dictionary), np.uint64(0))
        return words[np.asarray(pc.fill_null(column.indices, len(words) - 1))]
    missing = np.asarray(column.is_null())
    if t.is_floating(column.type):
        values = np.asarray(pc.fill_null(column.cast(pa.float64()), 0.0))
    elif t.is_boolean(column.type) or t.is_integer(column.type) or t.is_timestamp(column.type):
        values = np.asarray(pc.fill_null(column.cast(pa.int64()), 0))
    else:
        values = np.array(pc.fill_null(column.cast(pa.string()), "").to_pylist(), dtype=object)
    return np.where(missing, np.uint64(0), hash_array(values, categorize=False))
