"""Read bytes as a batch, for the tests of this folder."""

from pathlib import Path
from typing import Any

from automl_assets.core.tables import open_tables, read
from automl_assets.core.values import RawTable
from automl_assets.ingestion.read import RecordedSchema, read_batch
from automl_assets.ingestion.sources import Source
from automl_assets.ingestion.sources.csv import Csv


class Ingested:
    """A batch that was read, its rows in memory, and the schema to hold the next one against."""

    def __init__(self, raw: RawTable, recorded: RecordedSchema, root: Path):
        self.raw = raw
        self.recorded = recorded
        self.root = root
        self.rows = read(open_tables(root, [raw.table])).to_pydict()
        self.types = {column.name: column.type for column in raw.table.columns}
        self.findings = {finding.code: finding.count for finding in raw.findings}


def ingest(
    source: Source,
    folder: Path,
    *,
    recorded: RecordedSchema | None = None,
    batch: str = "all",
    accepted: str | None = None,
) -> Ingested:
    """One batch of a source, stored below `folder`."""
    raw, record = read_batch(
        source.open(batch),
        batch=batch,
        source_digest=source.digest(batch),
        recorded=recorded,
        root=folder / "tables",
        folder="t",
        accepted=accepted,
    )
    return Ingested(raw, record, folder / "tables")


def ingest_csv(
    data: bytes | str,
    folder: Path,
    *,
    recorded: RecordedSchema | None = None,
    name: str = "t.csv",
    accepted: str | None = None,
    **options: Any,
) -> Ingested:
    """The same of a delimited file with these contents."""
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return ingest(Csv(path=str(path), **options), folder, recorded=recorded, accepted=accepted)
