"""The platform's own records: who moved a champion, when and why. SQLite by default, PostgreSQL by AUTOML_DATABASE_URL.

Tables are called ``automl_<noun>`` and migrated by Alembic when the database is opened: an older one is upgraded, one
that a newer version wrote is refused.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from automl_assets.core.errors import StorageError

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "automl_schema_version"


@dataclass(frozen=True)
class Act:
    """A champion moved: by whom (a person, or the gate), why, from which version to which."""

    pipeline: str
    what: str
    actor: str
    reason: str
    before: str | None
    after: str | None
    at: datetime

    def same_move_as(self, other: "Act") -> bool:
        """Whether both are the same move, whenever and by whomever."""
        return (self.pipeline, self.what, self.before, self.after) == (
            other.pipeline, other.what, other.before, other.after,
        )  # fmt: skip


class PlatformDatabase:
    """The database, opened and migrated when first used."""

    def __init__(self, url: str):
        self._url = _driver_url(url)
        self._engine: sa.Engine | None = None

    @classmethod
    def of(cls, home: Path, database_url: str | None) -> "PlatformDatabase":
        """The database that the settings name."""
        return cls(database_url or f"sqlite:///{home / 'platform.db'}")

    def record(self, act: Act) -> None:
        """Write down what is about to happen; once, when a killed attempt wrote it down already.

        Raises:
            StorageError: the database does not answer, or a newer version wrote it.
        """
        newest = next(iter(self.acts(act.pipeline)), None)
        if newest is not None and newest.same_move_as(act):
            return
        with self._connection() as connection:
            connection.execute(_acts().insert().values(**_row(act)))

    def acts(self, pipeline: str) -> Sequence[Act]:
        """What happened to a pipeline's champion, newest first."""
        table = _acts()
        with self._connection() as connection:
            query = table.select().where(table.c.pipeline == pipeline).order_by(table.c.id.desc())
            rows = connection.execute(query).mappings().all()
        return [
            Act(
                pipeline=row["pipeline"],
                what=row["what"],
                actor=row["actor"],
                reason=row["reason"],
                before=row["version_before"],
                after=row["version_after"],
                at=row["at"].replace(tzinfo=UTC),
            )
            for row in rows
        ]

    @contextmanager
    def _connection(self) -> "Iterator[sa.Connection]":
        from sqlalchemy.exc import SQLAlchemyError

        try:
            if self._engine is None:
                self._engine = _opened(self._url)
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StorageError(
                f"The platform's database refused: {str(error.__cause__ or error).strip().splitlines()[0]}",
                where=_shown(self._url),
                remedy="Check AUTOML_DATABASE_URL and that it runs.",
            ) from error


class PlatformRecords(dg.ConfigurableResource):
    """The platform's database as a resource."""

    home: str
    database_url: str | None = None

    def database(self) -> PlatformDatabase:
        """The database that the settings name; opened when first used."""
        return PlatformDatabase.of(Path(self.home), self.database_url)


def _acts() -> "sa.Table":
    import sqlalchemy as sa

    return sa.Table(
        "automl_act",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("pipeline", sa.String(63), nullable=False, index=True),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("version_before", sa.String(32)),
        sa.Column("version_after", sa.String(32)),
    )


def _row(act: Act) -> dict[str, object]:
    return {
        "at": act.at.astimezone(UTC).replace(tzinfo=None),
        "pipeline": act.pipeline,
        "what": act.what,
        "actor": act.actor,
        "reason": act.reason,
        "version_before": act.before,
        "version_after": act.after,
    }


def _opened(url: str) -> "sa.Engine":
    """An engine on a database that has every migration."""
    import sqlalchemy as sa
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    engine = sa.create_engine(url)
    config = _alembic(url)
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
    with engine.begin() as connection:
        options = {"version_table": VERSION_TABLE}
        found = MigrationContext.configure(connection, opts=options).get_current_revision()
        if found is not None and found not in known:
            raise StorageError(
                f"The platform's database is of the newer format {found!r}.",
                where=_shown(url),
                remedy="Upgrade automl-assets.",
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return engine


def _alembic(url: str) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    config.attributes["version_table"] = VERSION_TABLE
    return config


def _driver_url(url: str) -> str:
    """SQLAlchemy 2.1 reads ``postgresql://`` as psycopg 3; dagster-postgres brings psycopg2."""
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg2{separator}{rest}" if scheme in ("postgres", "postgresql") else url


def _shown(url: str) -> str:
    """The URL without its password."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}…@{rest.rsplit('@', 1)[1]}" if "@" in rest else url


def now() -> datetime:
    """The time of an act, in UTC."""
    return datetime.now(UTC)
