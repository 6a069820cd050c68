"""Types are inferred once, recorded, and enforced: widening passes with a note, narrowing or loss is a break."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.core.errors import SourceError
from automl_assets.core.values import Column
from automl_assets.ingestion.sources.parquet import Parquet
from automl_assets.quality.report import batch_checks, quarantine_reasons
from tests.ingestion.reading import Ingested, ingest, ingest_csv


def follow(tmp_path: Path, first: str, later: str) -> Ingested:
    recorded = ingest_csv(first, tmp_path).recorded
    return ingest_csv(later, tmp_path, recorded=recorded, name="later.csv")


@pytest.mark.parametrize(
    ("first", "later", "types", "changes"),
    [
        ("a,b\n1,x\n2,y\n", "a,b\n3,x\n", {"a": "integer", "b": "text"}, ()),
        ("a,b\n1,x\n", "a,b\n3.5,x\n", {"a": "number", "b": "text"}, ("Column 'a' widened from integer to number.",)),
        ("a,b\n1.5,x\n", "a,b\n3,x\n", {"a": "number", "b": "text"}, ()),
        (
            "a,b\n1,x\n",
            "a,b\n1,x\n2,new\n3,newer\n",
            {"a": "integer", "b": "text"},
            ("Column 'b' has 2 new categories.",),
        ),
        ("a,b\n1,x\n", "a,b,c\n1,x,2\n", {"a": "integer", "b": "text", "c": "integer"}, ("Column 'c' is new.",)),
        ("a,b\n1,x\n", "b,a\nx,2\n", {"a": "integer", "b": "text"}, ()),
        ("a,b\n1,x\n", "a,b\n,x\n,x\n", {"a": "integer", "b": "text"}, ()),
        ("a,b\n1,x\nNA,x\n", "a,b\nNA,x\nNA,x\n", {"a": "integer", "b": "text"}, ()),
        ("a,b\nx,1\n", "a,b\n7,1\n8,2\n", {"a": "text", "b": "integer"}, ()),
        ("a,b\n2024-01-01,1\n", "a,b\n2025-01-01,1\n", {"a": "datetime", "b": "integer"}, ()),
    ],
)
def test_what_fits_or_widens_passes_with_a_note(
    tmp_path: Path, first: str, later: str, types: dict[str, str], changes: tuple[str, ...]
) -> None:
    read = follow(tmp_path, first, later)
    assert read.types == types
    assert read.raw.schema_breaks == ()
    assert read.raw.schema_changes == changes
    assert quarantine_reasons(batch_checks(read.raw)) == []
    assert {column.name: column.type for column in read.recorded.columns} == types


@pytest.mark.parametrize(
    ("first", "later", "told"),
    [
        ("a,b\n1,x\n", "a,b\nword,x\n", "Column 'a' was recorded as integer; this batch holds text."),
        ("a,b\n1.5,x\n", "a,b\nword,x\n", "Column 'a' was recorded as number; this batch holds text."),
        ("a,b\n1,x\n", "a,b\n2024-01-01,x\n", "Column 'a' was recorded as integer; this batch holds datetime."),
        ("a,b\n2024-01-01,x\n", "a,b\n5,x\n", "Column 'a' was recorded as datetime; this batch holds integer."),
        ("a,b\n1,x\n", "a,b\n99999999999999999999,x\n", "Column 'a' was recorded as integer; this batch holds text."),
        ("a,b\n1,x\n", "b,c\nx,1\n", "Column 'a' is missing."),
        (
            "a,b\n2024-01-01T10:00,x\n",
            "a,b\n2024-01-01T10:00Z,x\n",
            "Column 'a' mixes times with and without a zone across batches.",
        ),
    ],
)
def test_narrowing_or_loss_quarantines_the_batch_and_records_nothing(
    tmp_path: Path, first: str, later: str, told: str
) -> None:
    recorded = ingest_csv(first, tmp_path).recorded
    read = ingest_csv(later, tmp_path, recorded=recorded, name="later.csv")
    assert told in read.raw.schema_breaks
    assert read.recorded == recorded
    assert quarantine_reasons(batch_checks(read.raw)) == [f"schema_matches: {' '.join(read.raw.schema_breaks)}"]


def test_the_first_batch_fixes_the_schema(tmp_path: Path) -> None:
    read = ingest_csv("a,b,t\n1,x,2024-01-01T10:00Z\nNA,y,2024-01-01T11:00Z\n", tmp_path)
    assert read.recorded.columns == (
        Column(name="a", type="integer"),
        Column(name="b", type="text"),
        Column(name="t", type="datetime"),
    )
    assert read.recorded.utc == ("t",)
    assert read.recorded.missing_tokens == ("NA",)
    assert read.recorded.categories == {"b": ("x", "y")}
    assert read.raw.dialect is not None
    assert read.raw.dialect.missing_tokens == ("NA",)
    assert read.rows["t"][0] == datetime(2024, 1, 1, 10, tzinfo=UTC)


def test_a_literal_among_numbers_means_missing_throughout_the_file(tmp_path: Path) -> None:
    assert ingest_csv("a,b\n1,?\n?,x\n", tmp_path).rows == {"a": [1, None], "b": [None, "x"]}
    assert ingest_csv("a,b\n1,?\n2,x\n", tmp_path).rows == {"a": [1, 2], "b": ["?", "x"]}


def test_missing_tokens_and_categories_add_up_over_batches(tmp_path: Path) -> None:
    read = follow(tmp_path, "a,b\n1,x\nNA,y\n", "a,b\n1,z\n?,NA\n")
    assert read.rows == {"a": [1, None], "b": ["z", None]}
    assert read.recorded.missing_tokens == ("?", "NA")
    assert read.recorded.categories == {"b": ("x", "y", "z")}
    assert read.raw.schema_changes == ("Column 'b' has 1 new categories.",)


def test_a_column_recorded_as_text_keeps_the_text_of_later_numbers(tmp_path: Path) -> None:
    assert follow(tmp_path, "a,b\nx,1\n", "a,b\n07,1\n8,2\n").rows["a"] == ["07", "8"]


def test_findings_of_reading_travel_with_the_table(tmp_path: Path) -> None:
    read = ingest_csv("a,a,b\n1,inf,99999999999999999999\n1,2,1\nshort\n", tmp_path)
    assert read.findings == {"renamed_columns": 1, "ragged_rows": 1, "infinite_values": 1, "long_integers": 1}
    assert read.rows["b"] == ["99999999999999999999", "1"]


def write_parquet(path: Path, table: pa.Table) -> Parquet:
    pq.write_table(table, path)
    return Parquet(path=str(path))


def test_typed_batches_are_enforced_in_the_same_way(tmp_path: Path) -> None:
    def source(name: str, **columns) -> Parquet:
        return write_parquet(tmp_path / name, pa.table(columns))

    first = ingest(source("1.parquet", a=[1, 2], b=["x", "y"]), tmp_path)
    wider = ingest(source("2.parquet", a=[1.5, None], b=["x", "z"]), tmp_path, recorded=first.recorded)
    assert wider.raw.schema_changes == ("Column 'a' widened from integer to number.",)
    empty = ingest(source("3.parquet", a=pa.nulls(2), b=["x", "z"]), tmp_path, recorded=first.recorded)
    assert empty.types == {"a": "integer", "b": "text"}
    assert empty.raw.schema_breaks == ()
    broken = ingest(source("4.parquet", a=["w", "v"], b=["x", "z"]), tmp_path, recorded=first.recorded)
    assert broken.raw.schema_breaks == ("Column 'a' was recorded as integer; this batch holds text.",)
    texts = ingest(source("5.parquet", a=[1, 2], b=[1, 2]), tmp_path, recorded=first.recorded)
    assert texts.rows == {"a": [1, 2], "b": ["1", "2"]}


def test_whole_numbers_too_large_for_a_float_are_rounded_where_numbers_were_recorded(tmp_path: Path) -> None:
    first = ingest(write_parquet(tmp_path / "1.parquet", pa.table({"a": [1.5], "b": [1]})), tmp_path)
    later = write_parquet(tmp_path / "2.parquet", pa.table({"a": [2**53 + 1], "b": [1]}))
    assert ingest(later, tmp_path, recorded=first.recorded).rows["a"] == [float(2**53)]


def test_a_source_without_rows_is_refused(tmp_path: Path) -> None:
    class Nothing(Parquet):
        def open(self, batch: str):
            reading = super().open(batch)
            reading.load = tuple
            return reading

    write_parquet(tmp_path / "a.parquet", pa.table({"a": [1], "b": [2]}))
    with pytest.raises(SourceError, match="The file has no rows"):
        ingest(Nothing(path=str(tmp_path / "a.parquet")), tmp_path)


cell = st.sampled_from(["", "1", "-7", "2.5", "x", "NA", "?", "007", "inf", "2024-01-01", "2024-01-01T10:00Z", "1e5"])
tables = st.lists(st.tuples(cell, cell), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(tables, tables)
def test_any_later_batch_is_stored_and_either_fits_the_record_or_is_a_break(
    tmp_path_factory: pytest.TempPathFactory, first: list, later: list
) -> None:
    folder = tmp_path_factory.mktemp("batches")
    options = {"header": True, "separator": ","}
    texts = ["a,b\n" + "\n".join(",".join(row) for row in rows) + "\n" for rows in (first, later)]
    recorded = ingest_csv(texts[0], folder, **options).recorded
    read = ingest_csv(texts[1], folder, recorded=recorded, **options)
    assert read.raw.table.rows == len(later)
    allowed = {("integer", "number")}
    for column in recorded.columns:
        new = read.types[column.name]
        fits = new == column.type or (column.type, new) in allowed
        told = any(f"'{column.name}'" in text for text in read.raw.schema_breaks)
        assert fits or told
    if read.raw.schema_breaks:
        assert read.recorded == recorded
    again = ingest_csv(texts[1], folder, recorded=read.recorded, **options)
    assert again.raw.schema_breaks == read.raw.schema_breaks
    assert again.raw.table.digest == read.raw.table.digest


@pytest.mark.parametrize(
    ("first", "later", "rows"),
    [
        ("a,b\n1,x\n2,y\n", "a,b\nword,x\n7,y\n", {"a": [None, 7], "b": ["x", "y"]}),
        ("a,b\n1.5,x\n2,y\n", "a,b\n2024-01-01,x\n+3.5,y\n", {"a": [None, 3.5], "b": ["x", "y"]}),
        ("a,b,c\n1,x,2\n2,y,3\n", "a,b\nword,x\n8,y\n", {"a": [None, 8], "b": ["x", "y"]}),
        ("a,b\n1,x\n2,y\n", "a,b,c\nword,x,5\n8,y,6\n", {"a": [None, 8], "b": ["x", "y"], "c": [5, 6]}),
        (
            "a,b\n2024-01-01,1\n2024-01-02,2\n",
            "a,b\nsoon,1\n2024-01-02T03:00,2\n",
            {"a": [None, datetime(2024, 1, 2, 3)], "b": [1, 2]},
        ),
        (
            "a,b\n2024-01-01T00:00Z,1\n",
            "a,b\n2024-01-02T03:00,2\n",
            {"a": [datetime(2024, 1, 2, 3, tzinfo=UTC)], "b": [2]},
        ),
        ("a,b\n1,x\n", "a,b\nword,x\n99999999999999999999,y\n", {"a": [None, None], "b": ["x", "y"]}),
    ],
)
def test_an_accepted_break_is_read_as_what_was_recorded(tmp_path: Path, first: str, later: str, rows: dict) -> None:
    recorded = ingest_csv(first, tmp_path).recorded
    refused = ingest_csv(later, tmp_path, recorded=recorded, name="later.csv")
    assert refused.raw.schema_breaks
    accepted = ingest_csv(later, tmp_path, recorded=recorded, name="later.csv", accepted="ada")
    assert accepted.rows == rows
    assert accepted.raw.schema_breaks == ()
    told = [change for change in accepted.raw.schema_changes if change.endswith("Accepted by ada.")]
    assert len(told) == len(refused.raw.schema_breaks)
    assert accepted.recorded == recorded, "what was accepted once is not what is expected from now on"


def test_a_typed_batch_that_was_accepted_loses_only_what_does_not_fit(tmp_path: Path) -> None:
    def read(name: str, accepted: str | None = None, recorded=None, **columns) -> Ingested:
        pq.write_table(pa.table(columns), tmp_path / name)
        return ingest(Parquet(path=str(tmp_path / name)), tmp_path, recorded=recorded, accepted=accepted)

    day = datetime(2024, 1, 1)
    recorded = read("a.parquet", n=[1, 2], f=[0.5, 1.5], d=[day, day], w=["x", "y"]).recorded
    later = {"n": ["7", "many"], "f": [day, day], "d": [3, 4], "w": ["x", "z"]}
    done = read("b.parquet", accepted="ada", recorded=recorded, **later)
    assert done.rows == {"n": [7, None], "f": [None, None], "d": [None, None], "w": ["x", "z"]}
    assert {name: done.types[name] for name in "nfdw"} == {"n": "integer", "f": "number", "d": "datetime", "w": "text"}


def test_an_accepted_batch_without_a_break_is_read_as_any_other(tmp_path: Path) -> None:
    recorded = ingest_csv("a,b\n1,x\n", tmp_path).recorded
    one = ingest_csv("a,b\n2.5,x\n", tmp_path, recorded=recorded, name="l.csv")
    two = ingest_csv("a,b\n2.5,x\n", tmp_path, recorded=recorded, name="l.csv", accepted="ada")
    assert two.raw == one.raw
    assert two.recorded == one.recorded
