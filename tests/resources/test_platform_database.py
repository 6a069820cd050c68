"""The platform's database: migrated when older, refused when newer, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from automl_assets.core.errors import StorageError
from automl_assets.core.records import Act
from resources.platform_database import VERSION_TABLE, PlatformDatabase, close_all
from resources.records.acts import Acts
from tests.conftest import postgres_database

AT = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of its own."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'platform.db'}"
        return
    with postgres_database() as url:
        yield url.replace("+psycopg2", "")


def test_what_was_recorded_comes_back_newest_first(url: str) -> None:
    first = Act("churn", "promote", "the gate", "there was none", None, "1", AT)
    second = Act("churn", "rollback", "ada", "it was wrong, 100%", "2", "1", AT.replace(minute=31))
    acts = Acts(PlatformDatabase(url))
    for act in (first, second, Act("ames", "promote", "the gate", "better", "1", "2", AT)):
        acts.record(act)
    assert list(Acts(PlatformDatabase(url)).of("churn")) == [second, first]
    assert list(Acts(PlatformDatabase(url)).of("nobody")) == []


def test_a_move_that_a_killed_attempt_wrote_down_already_is_not_written_twice(url: str) -> None:
    acts = Acts(PlatformDatabase(url))
    for version, minute in (("1", 0), ("1", 1), ("2", 2), ("1", 3)):
        before = {"1": "2", "2": "1"}[version] if minute else None
        acts.record(Act("churn", "promote", "the gate", "why", before, version, AT.replace(minute=minute)))
    acts.record(Act("churn", "promote", "the gate", "again", "2", "1", AT.replace(minute=4)))
    assert [act.at.minute for act in acts.of("churn")] == [3, 2, 1, 0]


def test_a_database_of_a_newer_version_is_refused(url: str) -> None:
    Acts(PlatformDatabase(url)).of("churn")
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    engine.dispose()
    close_all()
    with pytest.raises(StorageError, match="newer format '9999'") as caught:
        Acts(PlatformDatabase(url)).of("churn")
    assert caught.value.remedy == "Upgrade automl-assets."


def test_all_tables_carry_the_prefix(url: str) -> None:
    Acts(PlatformDatabase(url)).of("churn")
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    assert {name.partition("_")[0] for name in sa.inspect(engine).get_table_names()} == {"automl"}
    engine.dispose()


def test_a_database_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(StorageError) as caught:
        Acts(PlatformDatabase("postgresql://ada:secret@127.0.0.1:1/x")).of("churn")
    assert "127.0.0.1:1/x" in str(caught.value)
    assert "secret" not in str(caught.value)
