"""A CSV file a batch."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from automl_assets.core.tables import iterate
from automl_assets.serving.sinks._base import FileSink, SinkReceipt

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds


class Csv(FileSink):
    """Predictions as CSV in UTF-8 with a header; times are UTC, ISO-8601; missing cells and empty texts are empty."""

    type: Literal["csv"] = "csv"

    def write(self, dataset: "ds.Dataset", *, pipeline: str, batch: str, version: str) -> SinkReceipt:
        from automl_assets.cleaning.repair import write_delimited

        del version
        rows = 0

        def counted() -> "Iterator[pa.RecordBatch]":
            nonlocal rows
            for piece in iterate(dataset):
                rows += piece.num_rows
                yield _with_texts(piece)

        with self._replaced(pipeline, batch) as partial:
            write_delimited(partial, _with_texts(dataset.schema.empty_table()).schema, counted())
        return SinkReceipt(rows, str(self.file(pipeline, batch)))


def _with_texts(rows: "pa.RecordBatch | pa.Table") -> "pa.RecordBatch":
    """The rows with times as ISO-8601, those in UTC with a Z: Arrow writes a blank where the T belongs."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    columns = []
    for column in rows.columns:
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if t.is_timestamp(array.type):
            zone = "Z" if array.type.tz is not None else ""
            array = pc.strftime(array, format=f"%Y-%m-%dT%H:%M:%S{zone}")
        columns.append(array)
    return pa.RecordBatch.from_arrays(columns, names=rows.schema.names)
