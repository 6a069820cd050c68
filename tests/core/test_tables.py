"""Tables at content-hash paths: whole or absent, never overwritten, and read back in order whatever the batches."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.core.errors import StorageError
from automl_assets.core.fingerprint import digest_of_file
from automl_assets.core.memory import BatchSize
from automl_assets.core.tables import (
    arrow_type,
    column_type,
    columns_of,
    iterate,
    open_tables,
    read,
    read_arrow,
    where,
    write_arrow,
    write_table,
)
from automl_assets.core.values import Column, TableHandle

SCHEMA = pa.schema([("x", pa.int64()), ("name", pa.string())])


def batch(*rows: tuple[int | None, str | None]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"x": x, "name": name} for x, name in rows], schema=SCHEMA)


def test_a_table_lies_at_its_content_s_hash(tmp_path: Path) -> None:
    handle = write_table([batch((1, "a"), (None, None)), batch((3, "c"))], SCHEMA, tmp_path, "churn/raw")
    file = tmp_path / handle.path
    assert handle.path == f"churn/raw/{handle.digest}.parquet"
    assert handle.digest == digest_of_file(file)
    assert handle.size_bytes == file.stat().st_size
    assert handle.rows == 3
    assert handle.columns == (Column(name="x", type="integer"), Column(name="name", type="text"))
    assert handle.names() == ("x", "name")
    assert pq.read_table(file).to_pydict() == {"x": [1, None, 3], "name": ["a", None, "c"]}


def test_the_same_rows_give_the_same_file_and_it_is_not_written_again(tmp_path: Path) -> None:
    first = write_table([batch((1, "a"))], SCHEMA, tmp_path, "t")
    before = (tmp_path / first.path).stat().st_mtime_ns
    again = write_table([batch((1, "a"))], SCHEMA, tmp_path, "t")
    other = write_table([batch((2, "a"))], SCHEMA, tmp_path, "t")
    assert again == first
    assert (tmp_path / first.path).stat().st_mtime_ns == before
    assert other.digest != first.digest
    assert len(list((tmp_path / "t").iterdir())) == 2


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken():
        yield batch((1, "a"))
        raise RuntimeError("the source went away")

    with pytest.raises(RuntimeError, match="went away"):
        write_table(broken(), SCHEMA, tmp_path, "t")
    assert list((tmp_path / "t").iterdir()) == []


def test_an_empty_table_keeps_its_columns(tmp_path: Path) -> None:
    handle = write_table([], SCHEMA, tmp_path, "t")
    assert handle.rows == 0
    assert read(open_tables(tmp_path, [handle])).schema.equals(SCHEMA)


def test_tables_are_read_in_the_order_given_and_integers_widen(tmp_path: Path) -> None:
    wide = pa.schema([("x", pa.float64()), ("name", pa.string())])
    second = pa.RecordBatch.from_pydict({"x": [2.5], "name": ["b"]}, schema=wide)
    handles = [write_table([batch((1, "a"))], SCHEMA, tmp_path, "t"), write_table([second], wide, tmp_path, "t")]
    assert read(open_tables(tmp_path, handles)).to_pydict() == {"x": [1.0, 2.5], "name": ["a", "b"]}
    assert read(open_tables(tmp_path, handles[::-1])).to_pydict() == {"x": [2.5, 1.0], "name": ["b", "a"]}


def test_a_column_that_one_table_lacks_is_missing_there(tmp_path: Path) -> None:
    narrow = pa.schema([("x", pa.int64())])
    second = pa.RecordBatch.from_pydict({"x": [2]}, schema=narrow)
    handles = [write_table([batch((1, "a"))], SCHEMA, tmp_path, "t"), write_table([second], narrow, tmp_path, "t")]
    assert read(open_tables(tmp_path, handles)).to_pydict() == {"x": [1, 2], "name": ["a", None]}


def test_a_stored_table_that_is_gone_is_named_with_the_command(tmp_path: Path) -> None:
    handle = TableHandle(path="t/gone.parquet", digest="d", rows=1, size_bytes=1, columns=())
    with pytest.raises(StorageError, match=r"gone\.parquet: A stored table is missing\. Run .* --force"):
        open_tables(tmp_path, [handle])


@pytest.mark.parametrize(
    ("arrow", "kind"),
    [
        (pa.int8(), "integer"),
        (pa.uint32(), "integer"),
        (pa.uint64(), "number"),
        (pa.float32(), "number"),
        (pa.decimal128(10, 2), "number"),
        (pa.bool_(), "boolean"),
        (pa.date32(), "datetime"),
        (pa.timestamp("ns", tz="UTC"), "datetime"),
        (pa.time64("us"), "text"),
        (pa.duration("s"), "text"),
        (pa.string(), "text"),
        (pa.null(), "text"),
        (pa.list_(pa.int64()), "text"),
        (pa.dictionary(pa.int32(), pa.int64()), "integer"),
        (pa.dictionary(pa.int32(), pa.string()), "text"),
    ],
)
def test_an_arrow_type_is_read_as_a_column_type(arrow: pa.DataType, kind: str) -> None:
    assert column_type(arrow) == kind


@pytest.mark.parametrize("kind", ["integer", "number", "boolean", "datetime", "text"])
def test_what_stores_a_column_type_is_read_as_that_type(kind) -> None:
    assert column_type(arrow_type(kind)) == kind
    assert column_type(arrow_type(kind, utc=True)) == kind


def test_only_datetimes_know_utc() -> None:
    assert arrow_type("datetime") == pa.timestamp("us")
    assert arrow_type("datetime", utc=True) == pa.timestamp("us", tz="UTC")
    assert arrow_type("number", utc=True) == pa.float64()
    assert columns_of(SCHEMA) == (Column(name="x", type="integer"), Column(name="name", type="text"))


lengths = st.lists(st.integers(0, 40), min_size=1, max_size=4)


@settings(max_examples=25, deadline=None)
@given(lengths, st.randoms(use_true_random=False), st.integers(1, 50))
def test_where_gives_the_rows_that_the_mask_chooses_whatever_the_batches(
    tmp_path_factory: pytest.TempPathFactory, parts: list[int], random, rows: int
) -> None:
    root = tmp_path_factory.mktemp("tables")
    start, handles, expected = 0, [], []
    for length in parts:
        numbers = list(range(start, start + length))
        start += length
        expected += numbers
        handles.append(write_table([batch(*((n, f"row {n}") for n in numbers))], SCHEMA, root, "t"))
    dataset = open_tables(root, handles)
    mask = np.array([random.random() < 0.4 for _ in expected], dtype=bool)
    size = BatchSize(rows, budget_mb=1)
    assert [n for piece in iterate(dataset, ["x"], size=size) for n in piece.column("x").to_pylist()] == expected
    chosen = [n for n, wanted in zip(expected, mask, strict=True) if wanted]
    pieces = list(where(dataset, mask, ["name", "x"], size=BatchSize(rows, budget_mb=1)))
    assert [n for piece in pieces for n in piece.column("x").to_pylist()] == chosen
    assert all(0 < piece.num_rows <= rows for piece in pieces)
    assert read(dataset, ["name"], mask).to_pydict() == {"name": [f"row {n}" for n in chosen]}


def test_read_keeps_the_columns_order_that_was_asked_for(tmp_path: Path) -> None:
    dataset = open_tables(tmp_path, [write_table([batch((1, "a"))], SCHEMA, tmp_path, "t")])
    assert read(dataset, ["name", "x"]).column_names == ["name", "x"]
    assert read(dataset, []).num_columns == 0


def test_an_arrow_file_comes_back_as_it_was(tmp_path: Path) -> None:
    table = pa.table({"x": [1, None, 3], "c": pa.array(["a", "b", "a"]).dictionary_encode()})
    write_arrow(tmp_path / "t.arrow", table)
    assert read_arrow(tmp_path / "t.arrow").equals(table)
