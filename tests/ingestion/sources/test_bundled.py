"""The tables that come with the installed libraries."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pydantic import ValidationError

from automl_assets.core.errors import SourceError
from automl_assets.ingestion.sources.bundled import TABLES, Bundled
from tests.ingestion.reading import ingest


def whole(name: str) -> pa.Table:
    return pa.Table.from_batches(list(Bundled(name=name).open("all").batches()))


@pytest.mark.parametrize(
    ("name", "rows", "columns"), [("randhie", 20_190, 11), ("digits", 1_797, 65), ("diabetes", 442, 11)]
)
def test_every_bundled_table_is_there(name: str, rows: int, columns: int) -> None:
    table = whole(name)
    assert (table.num_rows, table.num_columns) == (rows, columns)


def test_any_visit_says_whether_there_was_one() -> None:
    table = whole("randhie")
    visited = pc.greater(table.column("mdvis"), 0)
    assert table.column("any_visit").to_pylist() == pc.if_else(visited, "yes", "no").to_pylist()


def test_digits_are_whole_numbers_from_0_to_9() -> None:
    table = whole("digits")
    assert table.schema.field("digit").type == pa.int64()
    assert sorted(table.column("digit").unique().to_pylist()) == list(range(10))


def test_a_bundled_table_is_ingested_like_any_other(tmp_path: Path) -> None:
    read = ingest(Bundled(name="diabetes"), tmp_path)
    assert read.raw.table.rows == 442
    assert read.types["progression"] == "number"


def test_the_digest_is_that_of_the_library_s_file() -> None:
    digests = {Bundled(name=name).digest("all") for name in TABLES}
    assert len(digests) == len(TABLES)
    assert Bundled(name="digits").digest("all") in digests


def test_an_unknown_table_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValidationError, match=r"Unknown bundled table 'randhi'\. Did you mean 'randhie'"):
        Bundled(name="randhi")


def test_no_files_land_in_a_bundled_table() -> None:
    with pytest.raises(SourceError, match="has no files that land"):
        Bundled(name="digits").landed(None)
