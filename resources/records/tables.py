"""The tables of the platform's database as SQLAlchemy sees them; `resources/migrations` creates them."""

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa


@cache
def metadata() -> "sa.MetaData":
    """All tables."""
    import sqlalchemy as sa

    known = sa.MetaData()

    def table(noun: str, *columns: sa.Column) -> None:
        first = sa.Column("id", sa.Integer, primary_key=True, autoincrement=True)
        when = sa.Column("at", sa.DateTime, nullable=False)
        pipeline = sa.Column("pipeline", sa.String(63), nullable=False)
        sa.Table(f"automl_{noun}", known, first, when, pipeline, *columns)

    def text(name: str, length: int | None = None) -> sa.Column:
        return sa.Column(name, sa.String(length) if length else sa.Text, nullable=False)

    table(
        "act",
        text("what", 32), text("actor", 128), text("reason"),
        sa.Column("version_before", sa.String(32)), sa.Column("version_after", sa.String(32)),
    )  # fmt: skip
    table(
        "batch",
        text("key", 512), text("digest", 128), text("state", 16), sa.Column("same_as", sa.String(512)),
        sa.Column("size", sa.BigInteger, nullable=False), sa.Column("mtime_ns", sa.BigInteger, nullable=False),
    )  # fmt: skip
    table(
        "verdict",
        text("batch", 512), text("champion", 32), text("finding", 128), text("action", 16), text("run_id", 64),
        sa.Column("sequence", sa.Integer, nullable=False), sa.Column("acts", sa.Boolean, nullable=False),
        sa.Column("measured", sa.Boolean, nullable=False), text("document"),
    )  # fmt: skip
    table(
        "action",
        text("kind", 16), text("key", 256), text("state", 16), text("finding", 128), text("run_id", 64),
        text("reason"), text("outcome"), text("actor", 128), text("payload"),
        sa.Column("requested_at", sa.DateTime), sa.Column("done_at", sa.DateTime),
    )  # fmt: skip
    table(
        "notice",
        text("severity", 16), text("title"), text("body"), text("key", 256), text("state", 16), text("delivered"),
        text("error"), sa.Column("attempts", sa.Integer, nullable=False), sa.Column("next_try", sa.DateTime),
    )  # fmt: skip
    table(
        "quarantine",
        text("batch", 512), text("digest", 128), text("reasons"), text("answer", 16), text("actor", 128), text("why"),
        sa.Column("answered_at", sa.DateTime),
    )  # fmt: skip
    return known


def table(noun: str) -> "sa.Table":
    """The table ``automl_<noun>``."""
    return metadata().tables[f"automl_{noun}"]


def stored(time: datetime) -> datetime:
    """A time as the database keeps it: naive, in UTC."""
    return time.astimezone(UTC).replace(tzinfo=None)


def loaded(time: datetime) -> datetime:
    """A time as the database gave it, aware again."""
    return time.replace(tzinfo=UTC)


def insert_new(connection: "sa.Connection", noun: str, values: dict[str, object]) -> bool:
    """Insert a row unless one with the same key is there already, whoever wrote it; whether it was inserted."""
    from sqlalchemy.dialects import postgresql, sqlite

    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table(noun)).values(**values).on_conflict_do_nothing()
    return connection.execute(statement).rowcount > 0
