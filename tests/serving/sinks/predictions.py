"""Predictions to put into sinks, and how to read each kind of sink back."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from automl_assets.serving.sinks import Sink
from automl_assets.serving.sinks.csv import Csv
from automl_assets.serving.sinks.parquet import Parquet
from automl_assets.serving.sinks.sql import Sql

AT = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
Row = dict[str, Any]


def predictions(rows: int = 3, *, version: str = "1", batch: str = "monday") -> pa.Table:
    """What serving/predict.py makes of `rows` rows: every type, missing cells, names that want quoting."""
    return pa.table(
        {
            "customer id": pa.array([10**15 + i for i in range(rows)], pa.int64()),
            'o"n %s(1)': pa.array(["a,b\n\"c\" 'd' ü" if i % 3 else None for i in range(rows)]),
            "seen": pa.array([datetime(2024, 1, 1, 0, 0, i % 60) for i in range(rows)], pa.timestamp("us")),
            "old": pa.array([i % 2 == 0 if i % 3 else None for i in range(rows)], pa.bool_()),
            "prediction": ["yes"] * rows,
            "probability_yes": [0.1 + 1e-17 * i + i / (7 * rows) for i in range(rows)],
            "prediction_id": [f"{batch}-{version}-{i}".rjust(32, "0") for i in range(rows)],
            "model_version": [version] * rows,
            "batch": [batch] * rows,
            "scored_at": pa.array([AT] * rows, pa.timestamp("us", tz="UTC")),
        }
    )


def in_csv(sink: Sink, batch: str) -> list[Row]:
    assert isinstance(sink, Csv)
    types = dict(zip(predictions().column_names, predictions().schema.types, strict=True))
    options = pcsv.ConvertOptions(column_types=types, strings_can_be_null=True)
    parse = pcsv.ParseOptions(newlines_in_values=True)
    return pcsv.read_csv(sink.file("churn", batch), convert_options=options, parse_options=parse).to_pylist()


def in_parquet(sink: Sink, batch: str) -> list[Row]:
    assert isinstance(sink, Parquet)
    return pq.read_table(sink.file("churn", batch)).to_pylist()


def in_sql(sink: Sink, batch: str) -> list[Row]:
    import sqlalchemy as sa

    assert isinstance(sink, Sql)
    engine = sa.create_engine(sink.url.get_secret_value(), poolclass=sa.pool.NullPool)
    space, _, name = sink.table.rpartition(".")
    with engine.connect() as connection:
        table = sa.Table(name, sa.MetaData(), schema=space or None, autoload_with=connection)
        found = connection.execute(table.select().order_by(table.c.prediction_id)).mappings().all()
    rows = [dict(row) for row in found if row["batch"] == batch]
    for row in rows if engine.dialect.name == "sqlite" else []:
        row["scored_at"], row["seen"] = (datetime.fromisoformat(row[name]) for name in ("scored_at", "seen"))
    return rows


READERS: dict[str, Callable[[Sink, str], list[Row]]] = {"csv": in_csv, "parquet": in_parquet, "sql": in_sql}


def rows_in(sink: Sink, batch: str = "monday") -> list[Row]:
    """What a sink holds of a batch of the pipeline churn."""
    return READERS[sink.type](sink, batch)


def options_for(name: str, folder: Path) -> dict[str, str]:
    """A sink's settings beside its type, on this machine."""
    if name == "sql":
        return {"url": f"sqlite:///{folder / 'sink.db'}", "table": "predictions"}
    return {"path": str(folder / "out")}
