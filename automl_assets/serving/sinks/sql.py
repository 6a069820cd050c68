"""A table of a SQL database: SQLite or PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, SecretStr, field_validator

from automl_assets.core.config import Secret
from automl_assets.core.errors import StorageError, bounded
from automl_assets.core.tables import iterate
from automl_assets.serving.sinks._base import Sink, SinkReceipt

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds
    import sqlalchemy as sa

KEY = "prediction_id"
KEY_CHARACTERS = 32
NAME = "[A-Za-z_][A-Za-z0-9_]{0,62}"
SCHEMES = ("sqlite", "postgresql", "postgres", "postgresql+psycopg2")
MOST_NAME_BYTES = {"postgresql": 63}
CONNECT_SECONDS = 15
ROWS_A_STATEMENT = 5_000


class Sql(Sink):
    """Predictions as rows of a table, upserted by prediction_id in one transaction.

    The table is made when it is absent. A prediction's id depends on the version, so a batch that a new version scores
    adds rows; `model_version` and `batch` tell them apart.
    """

    type: Literal["sql"] = "sql"
    url: Secret = Field(description="sqlite:///file, or postgresql://user:password@host/database; from {{ env.NAME }}.")
    table: str = Field(pattern=rf"^({NAME}\.)?{NAME}$", description="The table, with its schema before a dot if any.")

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, value: SecretStr) -> SecretStr:
        scheme, separator, _ = value.get_secret_value().partition("://")
        if not is_template(value) and (not separator or scheme not in SCHEMES):
            raise ValueError("the URL must start with sqlite:/// or postgresql://")
        return value

    def located(self, folder: Path) -> Self:
        url = self.url.get_secret_value()
        path = url.removeprefix("sqlite:///")
        if path == url or not path or path.startswith(":memory:") or is_template(self.url):
            return self
        located = (folder / Path(path).expanduser()).resolve()
        return self.model_copy(update={"url": SecretStr(f"sqlite:///{located}")})

    def write(self, dataset: "ds.Dataset", *, pipeline: str, batch: str, version: str) -> SinkReceipt:
        del pipeline, batch, version
        rows = 0
        with self._connection() as (connection, where):
            table = self._table(dataset.schema, connection.dialect.name, where)
            self._prepare(connection, table, where)
            statement = _upsert(table, connection.dialect.name)
            for piece in iterate(dataset):
                for start in range(0, piece.num_rows, ROWS_A_STATEMENT):
                    some = piece.slice(start, ROWS_A_STATEMENT)
                    connection.execute(statement, _rows_of(some, connection.dialect.name))
                    rows += some.num_rows
        return SinkReceipt(rows, where)

    @contextmanager
    def _connection(self) -> "Iterator[tuple[sa.Connection, str]]":
        """A connection in a transaction, and how messages may call the database; errors name neither cell nor secret.

        The pool keeps nothing: a run writes once.
        """
        import sqlalchemy as sa
        from sqlalchemy.exc import SQLAlchemyError

        url, where = self._address()
        lite = url.get_backend_name() == "sqlite"
        waits = {"timeout" if lite else "connect_timeout": CONNECT_SECONDS}
        try:
            engine = sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args=waits, hide_parameters=True)
            with engine.begin() as connection:
                yield connection, where
        except (SQLAlchemyError, ValueError) as error:
            raise self._refused(_plain(error, url), where) from None

    def _address(self) -> "tuple[sa.URL, str]":
        """The URL with its driver, and its host, database and table for messages: no user, password or option."""
        import sqlalchemy as sa
        from sqlalchemy.exc import ArgumentError

        try:
            url = sa.make_url(self.url.get_secret_value())
        except (ArgumentError, ValueError):
            raise self._refused("its URL can't be read", self.table) from None
        if url.get_backend_name() in ("postgres", "postgresql"):
            url = url.set(drivername="postgresql+psycopg2")
        return url, f"{url.get_backend_name()}://{url.host or ''}/{url.database or ''}, table {self.table}"

    def _refused(self, why: str, where: str) -> StorageError:
        remedy = "Check predictions.sink and that the database runs; then run again: the predictions are stored."
        return StorageError(f"The sink 'sql' did not take the predictions: {why}.", where=where, remedy=remedy)

    def _table(self, schema: "pa.Schema", dialect: str, where: str) -> "sa.Table":
        """The table as these predictions want it; the columns' keys are plain, since they become parameters."""
        import sqlalchemy as sa

        most = MOST_NAME_BYTES.get(dialect)
        long = [name for name in schema.names if most and len(name.encode()) > most]
        if long:
            raise self._refused(f"{dialect} has no column names of more than {most} bytes: {bounded(long, 3)}", where)
        space, _, name = self.table.rpartition(".")
        columns = [
            sa.Column(
                sa.quoted_name(field.name, quote=True),
                _sql_type(field.name, field.type, dialect),
                key=f"c{position}",
                primary_key=field.name == KEY,
            )
            for position, field in enumerate(schema)
        ]
        return sa.Table(sa.quoted_name(name, quote=True), sa.MetaData(), *columns, schema=space or None)

    def _prepare(self, connection: "sa.Connection", table: "sa.Table", where: str) -> None:
        """Make the table, or see that the one that is there takes these columns."""
        import sqlalchemy as sa

        connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
        found = sa.inspect(connection)
        known = {column["name"] for column in found.get_columns(table.name, schema=table.schema)}
        new = [column.name for column in table.columns if column.name not in known]
        if new:
            raise self._refused(f"the table has no column {bounded(new, 5)}; add it, or name another table", where)
        unique = [found.get_pk_constraint(table.name, schema=table.schema)["constrained_columns"]]
        unique += [one["column_names"] for one in found.get_unique_constraints(table.name, schema=table.schema)]
        if [KEY] not in unique:
            raise self._refused(f"{KEY} is not the table's primary key, so rows can't be replaced", where)


def is_template(value: SecretStr) -> bool:
    """Whether the environment is still to be filled in."""
    return "{{" in value.get_secret_value()


def _sql_type(name: str, arrow: "pa.DataType", dialect: str) -> "sa.types.TypeEngine[Any]":
    """The column type that keeps an Arrow type; SQLite has no times, so they are ISO-8601 there."""
    import pyarrow.types as t
    import sqlalchemy as sa

    if name == KEY:
        return sa.String(KEY_CHARACTERS)
    if t.is_timestamp(arrow):
        return sa.Text() if dialect == "sqlite" else sa.DateTime(timezone=arrow.tz is not None)
    if t.is_boolean(arrow):
        return sa.Boolean()
    if t.is_integer(arrow):
        return sa.BigInteger()
    return sa.Double() if t.is_floating(arrow) else sa.Text()


def _upsert(table: "sa.Table", dialect: str) -> Any:
    """Insert, or replace the row with the same id.

    With RETURNING, psycopg2 gets many rows a statement instead of a round trip a row: twice as fast.
    """
    from sqlalchemy.dialects import postgresql, sqlite

    insert = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    key = next(column for column in table.columns if column.name == KEY)
    others = {column: insert.excluded[column.key] for column in table.columns if column is not key}
    statement = insert.on_conflict_do_update(index_elements=[key], set_=others)
    return statement if dialect == "sqlite" else statement.returning(key)


def _rows_of(piece: "pa.RecordBatch", dialect: str) -> list[dict[str, Any]]:
    """The rows as parameters by the columns' keys."""
    import pyarrow.types as t

    columns = []
    for field, column in zip(piece.schema, piece.columns, strict=True):
        values = column.to_pylist()
        if t.is_timestamp(field.type) and dialect == "sqlite":
            values = [None if value is None else value.isoformat() for value in values]
        columns.append(values)
    keys = [f"c{position}" for position in range(len(columns))]
    return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain(error: Exception, url: "sa.URL") -> str:
    """What the driver said where it can't hold a cell's value or a secret, else only the error's name."""
    from sqlalchemy.exc import OperationalError

    cause = getattr(error, "orig", None) or error
    told = str(cause).strip().splitlines()[0] if str(cause).strip() else ""
    sayable = url.get_backend_name() == "sqlite" or isinstance(error, OperationalError)
    secrets = [part for part in (str(url.password or ""), *map(str, url.query.values())) if part]
    if not told or not sayable or isinstance(error, ValueError) or any(secret in told for secret in secrets):
        return type(cause).__name__
    return f"{type(cause).__name__}, {told.rstrip('.')}"
