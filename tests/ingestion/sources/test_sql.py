"""Queries: read-only, bound, streamed, with the types of the database, on SQLite and on PostgreSQL."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from automl_assets.core.config import REVEAL
from automl_assets.core.errors import SourceError
from automl_assets.ingestion.sources import Reading
from automl_assets.ingestion.sources.sql import Sql
from automl_assets.ingestion.windows import Window, window_of_key
from tests.conftest import postgres_database
from tests.ingestion.reading import ingest

ROWS = (
    "(1, 2.5, '2024-03-30 23:59:59', 'a'), (2, NULL, '2024-03-31 00:00:00', NULL), "
    "(3, 4, '2024-03-31 23:59:59', 'b'), (4, 5, '2024-04-01 00:00:00', 'b')"
)
WINDOW = window_of_key("daily", "Europe/Warsaw", "2024-03-31")


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_database() as url:
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE sold (n int, price numeric, at timestamp, word text)"))
            connection.execute(sa.text(f"INSERT INTO sold VALUES {ROWS}".replace(":", "\\:")))
        engine.dispose()
        yield url.replace("+psycopg2", "")


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return request.getfixturevalue("postgres")
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE sold (n int, price numeric, at timestamp, word text)")
        connection.execute(f"INSERT INTO sold VALUES {ROWS}")
    connection.close()
    return f"sqlite:///{tmp_path / 'shop.db'}"


def rows(reading: Reading) -> list[dict[str, Any]]:
    first, second = ([row for batch in reading.batches() for row in batch.to_pylist()] for _ in range(2))
    assert first == second
    return first


def test_a_query_is_a_table_with_the_database_s_types(url: str, tmp_path: Path) -> None:
    done = ingest(Sql(url=url, query="SELECT * FROM sold ORDER BY n"), tmp_path)
    assert done.types["n"] == "integer"
    assert done.types["price"] == "number"
    assert done.rows["price"] == [2.5, None, 4.0, 5.0]
    assert done.rows["word"] == ["a", None, "b", "b"]
    assert done.types["at"] == ("datetime" if url.startswith("postgresql") else "text")


def test_a_window_s_borders_are_bound_half_open_in_the_pipeline_s_zone(url: str) -> None:
    source = Sql(url=url, query="SELECT * FROM sold WHERE at >= :start AND at < :end ORDER BY n")
    reading, exact = source.open_window(WINDOW, None)
    assert exact
    assert [row["n"] for row in rows(reading)] == [2, 3]
    assert rows(source.open_window(window_of_key("daily", "UTC", "2023-01-01"), None)[0]) == []


def test_an_instant_is_compared_in_the_pipeline_s_zone(postgres: str) -> None:
    instants = "SELECT n, at AT TIME ZONE 'UTC' AS moment FROM sold"
    query = f"SELECT * FROM ({instants}) AS t WHERE moment >= :start AND moment < :end ORDER BY n"
    assert [row["n"] for row in rows(Sql(url=postgres, query=query).open_window(WINDOW, None)[0])] == [1, 2]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM sold RETURNING n, word",
        "SELECT 1 AS a, 2 AS b; DELETE FROM sold",
        "COMMIT; DELETE FROM sold",
        "CREATE TABLE more (n int)",
        "INSERT INTO sold (n) VALUES (9) RETURNING n, word",
    ],
)
def test_nothing_can_be_written(url: str, query: str) -> None:
    with pytest.raises(SourceError, match="The database refused"):
        Sql(url=url, query=query).open("all")
    assert len(rows(Sql(url=url, query="SELECT n, word FROM sold").open("all"))) == 4


def test_a_closed_window_is_known_without_asking_and_a_whole_query_by_its_rows(url: str) -> None:
    windowed = Sql(url=url, query="SELECT * FROM sold WHERE at >= :start AND at < :end")
    assert windowed.window_digest(WINDOW) == windowed.window_digest(WINDOW)
    assert windowed.window_digest(WINDOW) != windowed.window_digest(Window(WINDOW.start, WINDOW.end, "UTC"))
    whole = Sql(url=url, query="SELECT * FROM sold ORDER BY n")
    assert whole.window_digest(WINDOW) is None
    assert whole.digest("all") == whole.digest("all")
    assert whole.digest("all") != Sql(url=url, query="SELECT * FROM sold ORDER BY n DESC").digest("all")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT n FROM sold", "gives one column"),
        ("SELECT * FROM nothing", "The database refused"),
        ("SELECT * FROM sold WHERE at >= :start AND at < :end", "Set batches.kind to daily"),
        ("SELECT * FROM sold WHERE n = :other", "The database refused"),
    ],
)
def test_what_can_t_be_read_is_a_source_error(url: str, query: str, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        Sql(url=url, query=query).open("all")


def test_mixed_and_late_types_get_one_that_holds_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl_assets.ingestion.sources.sql.DEFAULT_BATCH_ROWS", 2)
    values = "(NULL, 1, 1, NULL), (NULL, 2, 2, NULL), (7, 2.5, 'word', x'00ff'), (8, NULL, 3, NULL)"
    query = f"SELECT column1 AS late, column2 AS wider, column3 AS mixed, column4 AS raw FROM (VALUES {values})"
    sqlite3.connect(tmp_path / "t.db").close()
    read = rows(Sql(url=f"sqlite:///{tmp_path / 't.db'}", query=query).open("all"))
    assert [row["late"] for row in read] == [None, None, 7, 8]
    assert [row["wider"] for row in read] == [1.0, 2.0, 2.5, None]
    assert [row["mixed"] for row in read] == ["1", "2", "word", "3"]


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no such database"):
        Sql(url=f"sqlite:///{tmp_path / 'none.db'}", query="SELECT 1, 2").open("all")
    assert not (tmp_path / "none.db").exists()


def test_the_password_is_shown_nowhere() -> None:
    source = Sql(url="postgresql://ada:hidden@127.0.0.1:1/shop", query="SELECT 1, 2")
    with pytest.raises(SourceError) as caught:
        source.open("all")
    shown = (repr(source), str(source.model_dump()), source.model_dump_json(), str(caught.value))
    assert all("hidden" not in text for text in shown)
    assert "hidden" in source.model_dump_json(context={REVEAL: True})
    with pytest.raises(ValidationError, match="read-only on postgresql or sqlite, not on 'mysql'"):
        Sql(url="mysql://ada@h/x", query="SELECT 1, 2")
