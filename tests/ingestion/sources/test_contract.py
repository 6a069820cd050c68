"""What every source promises: a new file in `sources/` is held to this without writing a test, given an example."""

import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from automl_assets.core.config import REVEAL
from automl_assets.core.errors import SourceError
from automl_assets.ingestion.config import source_from
from automl_assets.ingestion.sources import Source, registry
from automl_assets.ingestion.windows import window_of_key


def options_for(name: str, folder: Path) -> dict[str, str]:
    """What a source needs beside its type to read the table a = 1, 2; b = x, y (or its own)."""
    fields = registry.get(name).model_fields
    if name == "sql":
        sqlite3.connect(folder / "shop.db").close()
        table = "SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, 'y'"
        return {"url": f"sqlite:///{folder / 'shop.db'}", "query": table}
    if "path" not in fields:
        return {"name": "digits"}
    path = folder / f"table.{name}"
    if name == "parquet":
        pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), path)
    else:
        path.write_text("a,b\n1,x\n2,y\n")
    return {"path": path.name}


@pytest.fixture(params=registry.names())
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    made = source_from({"type": request.param, **options_for(request.param, tmp_path)})
    assert isinstance(made, Source)
    return made.located(tmp_path)


def test_the_file_s_name_is_the_type(source: Source) -> None:
    assert type(source) is registry.get(source.type)


def test_it_is_frozen_closed_and_described(source: Source) -> None:
    with pytest.raises(ValidationError):
        type(source).model_validate({**source.model_dump(), "surprise": 1})
    with pytest.raises(ValidationError):
        source.type = "other"
    assert all(field.description for name, field in type(source).model_fields.items() if name != "type")


def test_its_configuration_comes_back_from_json(source: Source) -> None:
    assert source_from(source.model_dump(mode="json", context={REVEAL: True})) == source


def test_located_twice_is_located_once(source: Source, tmp_path: Path) -> None:
    assert source.located(tmp_path / "elsewhere") == source


def test_batches_give_the_same_rows_each_time_under_the_stated_names(source: Source) -> None:
    reading = source.open("all")
    first, second = ([batch.to_pylist() for batch in reading.batches()] for _ in range(2))
    assert first == second
    assert sum(map(len, first)) >= 2
    for batch in reading.batches():
        assert batch.num_columns == len(reading.columns)
        if not reading.typed:
            assert all(pa.types.is_dictionary(column.type) for column in batch.columns)


def test_equal_bytes_have_equal_digests(source: Source) -> None:
    assert source.digest("all") == source.digest("all")
    assert len(source.digest("all")) == 32


def test_a_window_s_reading_has_at_least_its_rows(source: Source) -> None:
    window = window_of_key("daily", "UTC", "2024-01-01")
    reading, exact = source.open_window(window, reading_columns(source)[0])
    assert not exact
    assert sum(batch.num_rows for batch in reading.batches()) >= 2
    assert source.window_digest(window) is None


def reading_columns(source: Source) -> tuple[str, ...]:
    return source.open("all").columns


@pytest.mark.parametrize("key", ["../table.csv", "/etc/passwd", "a/../../b"])
@pytest.mark.parametrize("name", [name for name in registry.names() if "path" in registry.get(name).model_fields])
def test_no_key_leads_out_of_the_folder(name: str, key: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="A batch is a file in the source's folder"):
        registry.get(name)(type=name, path=str(tmp_path)).open(key)


@pytest.mark.parametrize("name", [name for name in registry.names() if "path" in registry.get(name).model_fields])
def test_a_batch_that_is_not_there_is_a_source_error(name: str) -> None:
    lost = registry.get(name)(type=name, path="nowhere/at.all")
    for ask in (lost.open, lost.digest):
        with pytest.raises(SourceError, match="There is no such file"):
            ask("all")


@pytest.mark.parametrize(
    ("value", "told"),
    [({"type": "cvs"}, "Unknown source type 'cvs'. Did you mean 'csv'"), ({}, "Unknown source type ''")],
)
def test_an_unknown_type_is_answered_with_the_nearest(value: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        source_from(value)
