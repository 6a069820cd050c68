"""The platform's database: SQLite by default, PostgreSQL by AUTOML_DATABASE_URL. What it holds is in `records/`.

Tables are called ``automl_<noun>`` and migrated by Alembic when the database is opened: an older one is upgraded, one
that a newer version wrote is refused.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from automl_assets.core.errors import StorageError

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "automl_schema_version"
BUSY_SECONDS = 30
CONNECT_SECONDS = 10
_engines: "dict[str, sa.Engine]" = {}
_opening = threading.Lock()


class PlatformDatabase:
    """The database, opened and migrated when first used."""

    def __init__(self, url: str):
        self._url = _driver_url(url)

    @classmethod
    def of(cls, home: Path, database_url: str | None) -> "PlatformDatabase":
        """The database that the settings name."""
        return cls(database_url or f"sqlite:///{home / 'platform.db'}")

    @contextmanager
    def connection(self) -> "Iterator[sa.Connection]":
        """A connection in a transaction, which is committed when the block ends well.

        Raises:
            StorageError: the database does not answer, or a newer version wrote it.
        """
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with _engine(self._url).begin() as connection:
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


def _engine(url: str) -> "sa.Engine":
    """The process's engine on a database: opened and migrated once, so that a sensor's tick pays for neither."""
    with _opening:
        if url not in _engines or _is_gone(url):
            _engines[url] = _opened(url)
        return _engines[url]


def close_all() -> None:
    """Close this process's connections; the next use opens and checks the database again."""
    with _opening:
        while _engines:
            _engines.popitem()[1].dispose()


def _is_gone(url: str) -> bool:
    """Whether a SQLite file was deleted since it was opened."""
    file = url.removeprefix("sqlite:///") if url.startswith("sqlite:///") else ""
    return bool(file) and not Path(file).exists()


def _opened(url: str) -> "sa.Engine":
    """An engine on a database that has every migration."""
    import sqlalchemy as sa
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    engine = sa.create_engine(url, **_options(url))
    config = _alembic(url)
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
    with engine.begin() as connection:
        found = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
        if found is not None and found not in known:
            raise StorageError(
                f"The platform's database is of the newer format {found!r}.",
                where=_shown(url),
                remedy="Upgrade automl-assets.",
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return engine


def _options(url: str) -> dict[str, Any]:
    """How an engine meets a database that is busy or gone: cut connections are replaced, silence has an end."""
    if url.startswith("sqlite"):
        return {"connect_args": {"timeout": BUSY_SECONDS}}
    stated = "connect_timeout" in url or not url.startswith("postgresql")
    return {"pool_pre_ping": True, "connect_args": {} if stated else {"connect_timeout": CONNECT_SECONDS}}


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
