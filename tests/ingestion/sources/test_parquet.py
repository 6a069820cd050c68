"""Parquet with the types that it states."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl_assets.core.errors import SourceError
from automl_assets.ingestion.sources.parquet import Parquet, normalised
from tests.conftest import shared_file
from tests.ingestion.reading import ingest

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("array", "stored", "values"),
    [
        (pa.array([1, None], pa.int8()), pa.int64(), [1, None]),
        (pa.array([1, 2**63], pa.uint64()), pa.float64(), [1.0, 2.0**63]),
        (pa.array([1.5, NAN, None], pa.float64()), pa.float64(), [1.5, None, None]),
        (pa.array([1.5, NAN, INF], pa.float32()), pa.float64(), [1.5, None, INF]),
        (pa.array([Decimal("1.25")]), pa.float64(), [1.25]),
        (pa.array([True, None]), pa.bool_(), [True, None]),
        (pa.array([date(2024, 1, 2)]), pa.timestamp("us"), [datetime(2024, 1, 2)]),
        (pa.array([datetime(2024, 1, 2, 3)], pa.timestamp("ns")), pa.timestamp("us"), [datetime(2024, 1, 2, 3)]),
        (
            pa.array([datetime(2024, 1, 2, 3, tzinfo=UTC)], pa.timestamp("ms", tz="Europe/Warsaw")),
            pa.timestamp("us", tz="UTC"),
            [datetime(2024, 1, 2, 3, tzinfo=UTC)],
        ),
        (pa.array([time(1, 2)]), pa.string(), ["01:02:00"]),
        (pa.array(["a", None], pa.large_string()), pa.string(), ["a", None]),
        (pa.array(["a", None, "a"]).dictionary_encode(), pa.string(), ["a", None, "a"]),
        (pa.array([1, None, 1]).dictionary_encode(), pa.int64(), [1, None, 1]),
        (pa.array([[1, 2], None]), pa.string(), ["[1, 2]", None]),
        (pa.nulls(2), pa.string(), [None, None]),
    ],
)
def test_every_arrow_type_has_a_column_type(array: pa.Array, stored: pa.DataType, values: list) -> None:
    found = normalised(array)
    assert found.type == stored
    assert found.to_pylist() == values


def write(path: Path, table: pa.Table) -> Parquet:
    pq.write_table(table, path)
    return Parquet(path=str(path))


def test_a_table_keeps_its_types_and_infinities_are_told(tmp_path: Path) -> None:
    table = pa.table({"n": [1, 2, 3], "x": [1.0, INF, NAN], "s": ["a", None, "b"]})
    read = ingest(write(tmp_path / "t.parquet", table), tmp_path)
    assert read.types == {"n": "integer", "x": "number", "s": "text"}
    assert read.rows == {"n": [1, 2, 3], "x": [1.0, INF, None], "s": ["a", None, "b"]}
    assert read.findings == {"infinite_values": 1}
    assert read.raw.dialect is None


def test_repeated_names_are_renamed_and_told(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    read = ingest(write(tmp_path / "t.parquet", table), tmp_path)
    assert read.rows == {"a": [1], "a_2": [2]}
    assert read.findings == {"renamed_columns": 1}


def test_a_table_may_be_read_twice(tmp_path: Path) -> None:
    reading = write(tmp_path / "t.parquet", pa.table({"a": [1, 2], "b": [3, 4]})).open("all")
    assert [batch.to_pydict() for batch in reading.batches()] == [batch.to_pydict() for batch in reading.batches()]


def damaged(path: Path) -> None:
    pq.write_table(pa.table({"a": list(range(5_000)), "b": list(range(5_000))}), path)
    data = bytearray(path.read_bytes())
    data[4:3_000] = bytes(2_996)
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path.write_bytes(b""), "The file is empty"),
        (lambda path: path.write_bytes(b"a,b\n1,2\n"), "The file is not Parquet"),
        (lambda path: pq.write_table(pa.table({"a": [], "b": []}), path), "The file has no rows"),
        (lambda path: pq.write_table(pa.table({"a": [1]}), path), "The file has one column"),
        (damaged, "The table is damaged"),
        (lambda path: None, "There is no such file"),
        (lambda path: path.mkdir(), "The source is a folder"),
    ],
)
def test_what_is_no_table_is_refused_with_a_reason(tmp_path: Path, make, told: str) -> None:
    path = tmp_path / "t.parquet"
    make(path)
    with pytest.raises(SourceError, match=told) as refused:
        ingest(Parquet(path=str(path)), tmp_path)
    assert refused.value.exit_code == 2
    assert refused.value.remedy


def test_a_real_table_is_read_whole() -> None:
    reading = Parquet(path=str(shared_file("online_retail/online_retail.parquet"))).open("all")
    assert sum(batch.num_rows for batch in reading.batches()) == 541_909
    assert len(reading.columns) == 8
