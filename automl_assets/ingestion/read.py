"""One batch from its source to a typed table: types inferred once, recorded, and enforced on later batches.

Widening (integers that become numbers, a new category, a new column) passes with a note. Narrowing or loss (words
where numbers were recorded, a column that is gone) is a break: the batch is stored, but quarantined by its check.
Once a person accepts such a batch it is read again as what was recorded, so that it can stand beside the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl_assets.core.errors import SourceError
from automl_assets.core.files import write_text
from automl_assets.core.tables import arrow_type, column_type, write_table
from automl_assets.core.values import Column, ColumnType, Finding, RawTable, Value
from automl_assets.ingestion.infer import ColumnEvidence, cast_text, cast_what_fits
from automl_assets.ingestion.sources import Reading

if TYPE_CHECKING:
    import pyarrow as pa


class RecordedSchema(Value):
    """What the first batch fixed for those that follow. `categories` holds the values of columns with few."""

    columns: tuple[Column, ...]
    utc: tuple[str, ...] = ()
    missing_tokens: tuple[str, ...] = ()
    categories: dict[str, tuple[str, ...]] = {}


@dataclass
class _Inferred:
    """A batch's own types, before anything recorded is enforced."""

    types: dict[str, ColumnType]
    utc: frozenset[str]
    missing: frozenset[str]
    empty: frozenset[str]
    categories: dict[str, tuple[str, ...]]
    findings: list[Finding]
    rows: int


def read_batch(
    reading: Reading,
    *,
    batch: str,
    source_digest: str,
    recorded: RecordedSchema | None,
    root: Path,
    folder: str,
    target: str | None = None,
    accepted: str | None = None,
) -> tuple[RawTable, RecordedSchema]:
    """Read one batch into ``root/folder``; the table with its findings, and the schema to record from now on.

    Args:
        target: a batch may lack this column: its rows are not labelled yet.
        accepted: who accepted the batch although it breaks the recorded schema. It is then read as what was recorded:
            cells that don't fit become missing, missing columns stay absent, further columns are kept.

    Raises:
        SourceError: the source has no rows, or can't be read as a table.
    """
    inferred = _infer_typed(reading) if reading.typed else _infer_text(reading, recorded)
    if not inferred.rows:
        raise SourceError(
            "No row fits the header." if reading.findings else "The file has no rows.",
            where=reading.where,
            remedy="Check the separator and the quoting.",
            code="no_rows",
        )
    types, utc, changes, breaks = _enforce(inferred, recorded, target)
    forced = _forced(types, recorded) if accepted and breaks else frozenset[str]()
    if recorded is not None and forced:
        types |= {column.name: column.type for column in recorded.columns if column.name in forced}
        utc = (utc - forced) | (forced & set(recorded.utc))
    schema = _arrow_schema(types, utc)
    table = write_table(_typed_batches(reading, schema, types, inferred.missing, utc, forced), schema, root, folder)
    rejected = _keep_rejected(reading.rejected_lines(), root, folder, table.digest)
    if breaks:
        record = recorded
    else:
        record = _record(recorded, types, utc, inferred.missing, inferred.categories)
    tokens = {"missing_tokens": tuple(sorted(inferred.missing))}
    dialect = reading.dialect.model_copy(update=tokens) if reading.dialect else None
    raw = RawTable(
        batch=batch,
        source_digest=source_digest,
        table=table,
        dialect=dialect,
        rejected_path=rejected,
        findings=tuple(reading.findings + inferred.findings),
        schema_changes=(*changes, *(f"{told} Accepted by {accepted}." for told in breaks if accepted)),
        schema_breaks=() if accepted else tuple(breaks),
    )
    assert record is not None
    return raw, record


def _infer_text(reading: Reading, recorded: RecordedSchema | None) -> _Inferred:
    known = frozenset(recorded.missing_tokens if recorded else ())
    known |= frozenset(reading.dialect.missing_tokens if reading.dialect else ())
    evidence = {name: ColumnEvidence(sniffs=reading.sniffs_missing) for name in reading.columns}
    rows = 0
    for batch in reading.batches():
        rows += batch.num_rows
        for name, column in zip(reading.columns, batch.columns, strict=True):
            evidence[name].add(column, known)
    sniffed = frozenset[str]().union(*(e.missing_literals() for e in evidence.values()))
    return _Inferred(
        types={name: e.type() for name, e in evidence.items()},
        utc=frozenset(name for name, e in evidence.items() if e.is_utc() and e.type() == "datetime"),
        missing=known | sniffed,
        empty=frozenset(name for name, e in evidence.items() if not e.filled),
        categories={name: e.categories() for name, e in evidence.items() if e.type() == "text" and e.categories()},
        findings=[finding for name, e in evidence.items() for finding in e.findings(name)],
        rows=rows,
    )


def _infer_typed(reading: Reading) -> _Inferred:
    import pyarrow.compute as pc

    types: dict[str, ColumnType] = {}
    utc: set[str] = set()
    filled: dict[str, int] = dict.fromkeys(reading.columns, 0)
    infinite: dict[str, int] = dict.fromkeys(reading.columns, 0)
    rows = 0
    for batch in reading.batches():
        rows += batch.num_rows
        for field, column in zip(batch.schema, batch.columns, strict=True):
            types[field.name] = column_type(field.type)
            if types[field.name] == "datetime" and field.type.tz:
                utc.add(field.name)
            filled[field.name] += batch.num_rows - column.null_count
            if types[field.name] == "number":
                infinite[field.name] += pc.sum(pc.is_inf(column)).as_py() or 0
    advice = "Models treat infinities as missing; check what divides by zero."
    return _Inferred(
        types=types,
        utc=frozenset(utc),
        missing=frozenset(),
        empty=frozenset(name for name, n in filled.items() if not n),
        categories={},
        findings=[
            Finding(code="infinite_values", severity="warning", column=name, count=n, advice=advice)
            for name, n in infinite.items()
            if n
        ],
        rows=rows,
    )


def _enforce(
    inferred: _Inferred, recorded: RecordedSchema | None, target: str | None
) -> tuple[dict[str, ColumnType], frozenset[str], list[str], list[str]]:
    """The types to store, with the notes (changes) and the breaks against what was recorded."""
    if recorded is None:
        return inferred.types, inferred.utc, [], []
    types: dict[str, ColumnType] = {}
    utc = set(inferred.utc)
    changes: list[str] = []
    breaks: list[str] = []
    for column in recorded.columns:
        name, old = column.name, column.type
        if name not in inferred.types:
            if name == target:
                changes.append(f"Column {name!r}, the target, is missing: the rows are not labelled.")
            else:
                breaks.append(f"Column {name!r} is missing.")
            continue
        new = inferred.types[name]
        types[name] = new
        if name in inferred.empty or old == "text" or (old, new) == ("number", "integer"):
            types[name] = old
            utc = utc | {name} if name in recorded.utc else utc - {name}
        elif (old, new) == ("integer", "number"):
            changes.append(f"Column {name!r} widened from integer to number.")
        elif old != new:
            breaks.append(f"Column {name!r} was recorded as {old}; this batch holds {new}.")
        elif (name in recorded.utc) != (name in inferred.utc):
            breaks.append(f"Column {name!r} mixes times with and without a zone across batches.")
        unseen = set(inferred.categories.get(name, ())) - set(recorded.categories.get(name, ()))
        if name in recorded.categories and unseen:
            changes.append(f"Column {name!r} has {len(unseen)} new categories.")
    for name in inferred.types:
        if name not in types and all(column.name != name for column in recorded.columns):
            types[name] = inferred.types[name]
            changes.append(f"Column {name!r} is new.")
    return types, frozenset(utc), changes, breaks


def _forced(types: dict[str, ColumnType], recorded: RecordedSchema | None) -> frozenset[str]:
    """The recorded columns that are there; an integer that widened to a number stays one."""
    columns = recorded.columns if recorded is not None else ()
    return frozenset(
        column.name
        for column in columns
        if column.name in types and (column.type, types[column.name]) != ("integer", "number")
    )


def _arrow_schema(types: dict[str, ColumnType], utc: frozenset[str]) -> "pa.Schema":
    import pyarrow as pa

    return pa.schema([(name, arrow_type(kind, utc=name in utc)) for name, kind in types.items()])


def _typed_batches(
    reading: Reading,
    schema: "pa.Schema",
    types: dict[str, ColumnType],
    missing: frozenset[str],
    utc: frozenset[str],
    forced: frozenset[str],
) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa

    for batch in reading.batches():
        by_name = dict(zip(reading.columns, batch.columns, strict=True))
        arrays = [
            cast_what_fits(by_name[name], types[name], missing, utc=name in utc)
            if name in forced
            else by_name[name].cast(schema.field(name).type, safe=False)
            if reading.typed
            else cast_text(by_name[name], types[name], missing, utc=name in utc)
            for name in schema.names
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _keep_rejected(lines: list[str], root: Path, folder: str, digest: str) -> str | None:
    """Write the rows that were left out beside the table; the path, or None where there are none."""
    if not lines:
        return None
    path = f"{folder}/{digest}.rejected.txt"
    write_text(root / path, "\n".join(lines) + "\n")
    return path


def _record(
    recorded: RecordedSchema | None,
    types: dict[str, ColumnType],
    utc: frozenset[str],
    missing: frozenset[str],
    categories: dict[str, tuple[str, ...]],
) -> RecordedSchema:
    known = {name: set(values) for name, values in (recorded.categories if recorded else {}).items()}
    for name, values in categories.items():
        known[name] = known.get(name, set()) | set(values)
    kept = [column for column in (recorded.columns if recorded else ()) if column.name not in types]
    return RecordedSchema(
        columns=(*(Column(name=name, type=kind) for name, kind in types.items()), *kept),
        utc=tuple(sorted({*utc, *(column.name for column in kept if recorded and column.name in recorded.utc)})),
        missing_tokens=tuple(sorted(missing)),
        categories={name: tuple(sorted(values)) for name, values in sorted(known.items())},
    )
