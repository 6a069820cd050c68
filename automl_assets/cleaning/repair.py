"""Repairing any file: the plan for its cells, the repaired copy, and a log of every changed cell.

Without `structural`, rows, order, columns and names stay, and a cell that is not in the log keeps its text.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_assets.cleaning.apply import apply_plan, schema_after
from automl_assets.cleaning.local import plan_cleaning
from automl_assets.cleaning.operations import registry
from automl_assets.core.errors import ConfigError, SchemaError, bounded
from automl_assets.core.files import atomic_file, write_text
from automl_assets.core.tables import iterate, open_tables, write_table
from automl_assets.core.values import CleaningPlan, TableHandle
from automl_assets.ingestion.read import read_batch
from automl_assets.ingestion.sources import Reading
from automl_assets.quality.report import assess

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

STAGED = "staged"


@dataclass(frozen=True)
class Repaired:
    """What was done to a file."""

    rows: int
    columns: int
    changed_cells: int
    changed_by_step: tuple[int, ...]
    plan: CleaningPlan


def repair(
    reading: Reading, out: Path, changes: Path, *, plan: CleaningPlan | None, structural: bool, scratch: Path
) -> Repaired:
    """Write the repaired copy to `out` and the log of changes to `changes` (Parquet), whole or not at all.

    Args:
        plan: a plan to replay; by default the local planner makes one from the file itself.
        structural: whether columns may be dropped and retyped, too; a given plan's steps that would are flagged else.
        scratch: a folder for intermediate files.

    Raises:
        ConfigError: a given plan's step does not fit its column, or lacks what it should have learnt.
        SchemaError: a given plan names columns that the file lacks.
        SourceError: the file can't be read.
    """
    handle = _staged(reading, scratch, typed=structural)
    dataset = open_tables(scratch, [handle])
    if plan is None:
        report = assess(dataset)
        roles = {profile.name: profile.role for profile in report.columns}
        plan = plan_cleaning(dataset, roles, structural=structural)
    elif not structural:
        plan = _cells_only(plan)
    _require_columns(plan, dataset.schema.names, reading.where)
    schema = _schema_after(plan, dataset.schema, reading.where)
    log = _ChangeLog(plan)
    with atomic_file(changes) as changes_file, atomic_file(out) as out_file:
        import pyarrow.parquet as pq

        with pq.ParquetWriter(changes_file, log.schema()) as writer:
            _write(out_file, out.suffix, reading, schema, log.apply(dataset, writer))
    return Repaired(
        rows=handle.rows,
        columns=len(schema.names),
        changed_cells=sum(log.changed),
        changed_by_step=tuple(log.changed),
        plan=plan,
    )


def read_plan(path: Path) -> CleaningPlan:
    """A plan that was exported, or edited by hand.

    Raises:
        ConfigError: the file is no plan, or names an operation that does not exist.
    """
    try:
        plan = CleaningPlan.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The plan can't be read: {str(error).splitlines()[0]}",
            where=str(path),
            remedy="Export one with automl clean.",
        ) from error
    for step in plan.steps:
        registry.get(step.operation, where=str(path))
    return plan


def write_plan(path: Path, plan: CleaningPlan) -> None:
    """Export a plan: JSON that a person can read, edit and re-apply."""
    write_text(path, json.dumps(plan.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n")


def _staged(reading: Reading, scratch: Path, *, typed: bool) -> TableHandle:
    """The file as Parquet: typed, or with every cell's text as it stands."""
    if typed or reading.typed:
        raw, _ = read_batch(reading, batch="all", source_digest="", recorded=None, root=scratch, folder=STAGED)
        return raw.table
    import pyarrow as pa

    schema = pa.schema([(name, pa.string()) for name in reading.columns])

    def decoded() -> "Iterator[pa.RecordBatch]":
        for batch in reading.batches():
            arrays = [column.cast(pa.string()) for column in batch.columns]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return write_table(decoded(), schema, scratch, STAGED)


def _require_columns(plan: CleaningPlan, names: list[str], where: str) -> None:
    lacking = sorted({name for step in plan.steps for name in step.columns} - set(names))
    if lacking:
        raise SchemaError(
            f"The plan names columns that the file lacks: {bounded(lacking)}.",
            where=where,
            remedy="Use the plan of a file with the same columns.",
        )


def _cells_only(plan: CleaningPlan) -> CleaningPlan:
    """The plan with its structural steps set aside as flagged."""
    structural = tuple(step for step in plan.steps if registry.get(step.operation).structural)
    return CleaningPlan(
        steps=tuple(step for step in plan.steps if step not in structural), flagged=(*plan.flagged, *structural)
    )


def _schema_after(plan: CleaningPlan, schema: "pa.Schema", where: str) -> "pa.Schema":
    import pyarrow as pa

    try:
        return schema_after(plan, schema)
    except (KeyError, TypeError, pa.ArrowException) as error:
        raise ConfigError(
            f"The plan can't be applied: {type(error).__name__}: {str(error).splitlines()[0]}.",
            where=where,
            remedy="Compare its steps with a plan that automl clean exports for this file.",
        ) from error


class _ChangeLog:
    """Applies the plan step by step and writes down every cell that a step changed."""

    def __init__(self, plan: CleaningPlan):
        self._plan = plan
        self.changed = [0] * len(plan.steps)

    def schema(self) -> "pa.Schema":
        import pyarrow as pa

        text = pa.string()
        return pa.schema(
            [
                ("row", pa.int64()),
                ("column", text),
                ("before", text),
                ("after", text),
                ("operation", text),
                ("confidence", pa.float64()),
                ("author", text),
            ]
        )

    def apply(self, dataset: "ds.Dataset", writer: Any) -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        start = 0
        for batch in iterate(dataset):
            table = pa.Table.from_batches([batch])
            for position, step in enumerate(self._plan.steps):
                after = apply_plan(CleaningPlan(steps=(step,)), table)
                for name in step.columns:
                    if name in table.column_names and name in after.column_names:
                        found = self._changes(table.column(name), after.column(name), start, position, name)
                        self.changed[position] += found.num_rows
                        writer.write_table(found)
                table = after
            start += batch.num_rows
            yield from table.combine_chunks().to_batches()

    def _changes(
        self, before: "pa.ChunkedArray", after: "pa.ChunkedArray", start: int, position: int, name: str
    ) -> "pa.Table":
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        old, new = before.cast(pa.string()), after.cast(pa.string())
        same = pc.or_(
            pc.fill_null(pc.equal(old, new), False),
            pc.and_(pc.is_null(old), pc.is_null(new)),
        )
        rows = np.flatnonzero(~np.asarray(same))
        step, count = self._plan.steps[position], len(rows)
        columns = [
            pa.array(rows + start, pa.int64()),
            pa.array([name] * count, pa.string()),
            old.take(pa.array(rows)).combine_chunks(),
            new.take(pa.array(rows)).combine_chunks(),
            pa.array([step.operation] * count, pa.string()),
            pa.array([step.confidence] * count, pa.float64()),
            pa.array([step.author] * count, pa.string()),
        ]
        return pa.Table.from_arrays(columns, schema=self.schema())


def _write(path: Path, suffix: str, reading: Reading, schema: "pa.Schema", batches: "Iterator[pa.RecordBatch]") -> None:
    """Write Parquet, or delimited text with the input's separator."""
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        with pq.ParquetWriter(path, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return
    separator = reading.dialect.separator if reading.dialect else ("\t" if suffix == ".tsv" else ",")
    header = reading.dialect is None or reading.dialect.header
    write_delimited(path, schema, batches, separator=separator, header=header)


def write_delimited(
    path: Path,
    schema: "pa.Schema",
    batches: "Iterator[pa.RecordBatch]",
    *,
    separator: str = ",",
    header: bool = True,
) -> None:
    """Write delimited text in UTF-8, quoted where needed; missing cells are empty."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as pcsv

    with path.open("w", encoding="utf-8", newline="") as file:
        if header:
            csv.writer(file, delimiter=separator, lineterminator="\n").writerow(schema.names)
    options = pcsv.WriteOptions(include_header=False, delimiter=separator, quoting_style="needed")
    with path.open("ab") as file, pcsv.CSVWriter(file, schema, write_options=options) as writer:
        for batch in batches:
            arrays = [
                pc.if_else(pc.equal(column, ""), None, column) if pa.types.is_string(column.type) else column
                for column in batch.columns
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
