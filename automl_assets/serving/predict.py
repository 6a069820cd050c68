"""Batch predictions: any table through a model folder, in pieces, to one Parquet table."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_assets.core.memory import BatchSize
from automl_assets.core.tables import iterate, open_files, write_table
from automl_assets.learn.split import hash_rows, label_texts

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds

    from automl_assets.training.model import Model

PREDICTION_ID_BYTES = 16
OUTPUT_COLUMNS = {"prediction", "lower", "upper", "prediction_id", "model_version", "batch", "scored_at"}


def predict_table(
    model: str,
    digest: str | None,
    tables: list[str],
    root: str,
    folder: str,
    *,
    pipeline: str,
    version: str,
    batch: str,
    batch_rows: int,
    memory_mb: float,
    threads: int,
) -> dict[str, Any]:
    """What a child process does: score Parquet files into a table under ``root/folder``.

    Returns:
        The handle, and what the table lacked, had too much of, or had not been seen in training.
    """
    from automl_assets.training.model import Model

    loaded = Model.load(Path(model), digest=digest)
    scorer = Scorer(loaded, pipeline=pipeline, version=version, batch=batch, threads=threads)
    dataset = open_files(tables)
    size = BatchSize(batch_rows, budget_mb=memory_mb)
    handle = write_table(scorer.score(dataset, size), scorer.schema(dataset.schema), Path(root), folder)
    columns = loaded.check_columns(dataset.schema.names)
    return {
        "table": handle.model_dump(mode="json"),
        "missing_columns": list(columns.missing),
        "extra_columns": list(columns.extra),
        "unseen": dict(scorer.unseen),
        "smallest_batch_rows": size.rows,
    }


@dataclass
class Scorer:
    """Turns rows into predictions with their ids.

    Columns: the id columns, prediction, probability_<class> or lower and upper (a 90% interval), prediction_id,
    model_version, batch, scored_at (UTC).
    """

    model: "Model"
    pipeline: str
    version: str
    batch: str
    threads: int = 1
    unseen: Counter[str] = field(default_factory=Counter)
    scored_at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    _occurrences: Counter[str] = field(default_factory=Counter)

    def schema(self, of: "pa.Schema") -> "pa.Schema":
        """The schema of the predictions of a table with schema `of`."""
        import pyarrow as pa

        card = self.model.card
        fields = [pa.field(self._id_column(name), of.field(name).type) for name in self._ids(of.names)]
        if card.classes:
            fields.append(pa.field("prediction", pa.string()))
            fields += [pa.field(f"probability_{label}", pa.float64()) for label in card.classes]
        else:
            fields += [pa.field(name, pa.float64()) for name in ("prediction", "lower", "upper")]
        fields += [pa.field(name, pa.string()) for name in ("prediction_id", "model_version", "batch")]
        return pa.schema([*fields, pa.field("scored_at", pa.timestamp("us", tz="UTC"))])

    def _id_column(self, name: str) -> str:
        """The id column's name, unless one of ours is called so."""
        classes = {f"probability_{label}" for label in self.model.card.classes}
        return f"id_{name}" if name in OUTPUT_COLUMNS | classes else name

    def _ids(self, names: list[str]) -> list[str]:
        return [name for name in self.model.card.id_columns if name in names]

    def score(self, dataset: "ds.Dataset", size: BatchSize) -> "Iterator[pa.RecordBatch]":
        """Predictions in the rows' order; the pieces get smaller when memory gets tight."""
        schema = self.schema(dataset.schema)
        for piece in iterate(dataset, size=size):
            yield self._score_piece(piece, schema)

    def _score_piece(self, piece: "pa.RecordBatch", schema: "pa.Schema") -> "pa.RecordBatch":
        import pyarrow as pa

        table = pa.Table.from_batches([piece])
        clean = self.model.clean(table)
        self.unseen.update(self.model.unseen(clean))
        predicted = self.model.predict_clean(clean, threads=self.threads)
        columns = [table.column(name).combine_chunks() for name in self._ids(table.column_names)]
        columns += self._values(clean, predicted)
        columns.append(pa.array([self._prediction_id(row_id) for row_id in self._row_ids(piece)]))
        columns += [pa.array([text] * len(predicted)) for text in (self.version, self.batch)]
        columns.append(pa.array([self.scored_at] * len(predicted), pa.timestamp("us", tz="UTC")))
        arrays = [column.cast(field.type) for column, field in zip(columns, schema, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _values(self, clean: "pa.Table", predicted: "np.ndarray") -> "list[pa.Array]":
        import pyarrow as pa

        card = self.model.card
        if card.classes:
            labels = pa.array(self.model.labels(predicted), pa.string())
            return [labels, *(pa.array(predicted[:, k]) for k in range(len(card.classes)))]
        lower, upper = self.model.interval_clean(clean, predicted, threads=self.threads)
        return [pa.array(predicted), pa.array(lower), pa.array(upper)]

    def _row_ids(self, piece: "pa.RecordBatch") -> list[str]:
        """The id columns' values, else a hash of the row; a repeated one gets its occurrence's number."""
        ids = self._ids(piece.schema.names)
        if ids:
            parts = [[str(v) for v in label_texts(piece.column(name))] for name in ids]
            keys = ["\x1f".join(values) for values in zip(*parts, strict=True)]
        else:
            keys = [f"{value:016x}" for value in hash_rows(piece, piece.schema.names, "row").tolist()]
        result: list[str] = []
        for key in keys:
            seen = self._occurrences[key]
            self._occurrences[key] += 1
            result.append(key if not seen else f"{key}\x1d{seen}")
        return result

    def _prediction_id(self, row_id: str) -> str:
        text = "\x1e".join((self.pipeline, self.batch, row_id, self.version))
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=PREDICTION_ID_BYTES).hexdigest()
