"""A table in memory as the stages read one: column by column."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds


def dataset_of(table: "pa.Table") -> "ds.Dataset":
    """The table as what the stages call a dataset.

    Arrow's own dataset of a table looks at every column whenever one is read: 25 ms at 10,000 columns, so that reading
    each of them once takes minutes.
    """
    return cast("ds.Dataset", _MemoryDataset(table))


class _MemoryDataset:
    """The part of `pyarrow.dataset.Dataset` that the stages use."""

    def __init__(self, table: "pa.Table"):
        self._table = table
        self.schema = table.schema

    def count_rows(self) -> int:
        return self._table.num_rows

    def to_table(self, columns: Sequence[str] | None = None) -> "pa.Table":
        return self._table if columns is None else self._table.select(list(columns))

    def scanner(
        self, columns: Sequence[str] | None = None, *, batch_size: int = 65_536, batch_readahead: int = 1
    ) -> "_Scanner":
        return _Scanner(self.to_table(columns), batch_size)


class _Scanner:
    def __init__(self, table: "pa.Table", batch_size: int):
        self._table = table
        self._batch_size = batch_size

    def to_batches(self) -> "Iterator[pa.RecordBatch]":
        yield from self._table.to_batches(max_chunksize=self._batch_size)
