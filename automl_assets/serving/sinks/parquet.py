"""A Parquet file a batch."""

from typing import TYPE_CHECKING, Literal

from automl_assets.core.tables import iterate
from automl_assets.serving.sinks._base import FileSink, SinkReceipt

if TYPE_CHECKING:
    import pyarrow.dataset as ds


class Parquet(FileSink):
    """Predictions as Parquet, with their types; a batch that is scored again replaces its file."""

    type: Literal["parquet"] = "parquet"

    def write(self, dataset: "ds.Dataset", *, pipeline: str, batch: str, version: str) -> SinkReceipt:
        import pyarrow.parquet as pq

        del version
        rows = 0
        with (
            self._replaced(pipeline, batch) as partial,
            pq.ParquetWriter(partial, dataset.schema, compression="zstd") as writer,
        ):
            for piece in iterate(dataset):
                writer.write_batch(piece)
                rows += piece.num_rows
        return SinkReceipt(rows, str(self.file(pipeline, batch)))
