"""The rows of a query, read once into a scratch file, without the right to write."""

import re
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, SecretStr, field_validator

from automl_assets.core.config import Secret
from automl_assets.core.errors import SourceError
from automl_assets.core.fingerprint import digest_of
from automl_assets.core.tables import DEFAULT_BATCH_ROWS, arrow_type, column_type
from automl_assets.core.values import ColumnType
from automl_assets.ingestion.sniff import unique_names
from automl_assets.ingestion.sources._base import WHOLE, Reading, Source, renamed_columns
from automl_assets.ingestion.sources.parquet import normalised

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

    from automl_assets.ingestion.windows import Window

CONNECT_SECONDS = 10
READ_ONLY = ("postgresql", "sqlite")
_BORDERS = re.compile(r"(?<![:\w\\]):(start|end)\b")


class Sql(Source):
    """A query on PostgreSQL or SQLite. With windows of time it may take :start and :end, [start, end).

    A closed window of such a query is final: its rows are asked for once, and again by `automl backfill --force`.
    """

    type: Literal["sql"] = "sql"
    url: Secret = Field(description="SQLAlchemy's URL, as {{ env.NAME }}: it holds a password.")
    query: str = Field(min_length=1, description="One SELECT; :start and :end are bound to a window's borders.")

    @field_validator("url")
    @classmethod
    def _read_only(cls, value: SecretStr) -> SecretStr:
        dialect = value.get_secret_value().partition(":")[0].partition("+")[0]
        if dialect not in (*READ_ONLY, "postgres") and "*" not in dialect:
            raise ValueError(f"a query runs read-only on {' or '.join(READ_ONLY)}, not on {dialect!r}")
        return value

    def located(self, folder: Path) -> Self:
        return self

    def digest(self, batch: str) -> str:
        from automl_assets.ingestion.window_content import WindowContent, row_hashes

        content = WindowContent()
        reading = self.open(batch)
        for piece in reading.batches():
            content.add(row_hashes(piece))
        return digest_of([list(reading.columns), content.digest])

    def open(self, batch: str) -> "SpooledReading":
        if batch != WHOLE:
            raise SourceError(
                f"A query has no batch {batch!r}.",
                where="sql",
                remedy="Set batches.kind to none, or to windows of time.",
            )
        if self._takes_borders():
            raise SourceError(
                "The query takes :start and :end.", where="sql", remedy="Set batches.kind to daily, weekly or monthly."
            )
        return self._run({}, "UTC")

    def window_digest(self, window: "Window") -> str | None:
        if not self._takes_borders():
            return None
        return digest_of([self.query, window.start.isoformat(), window.end.isoformat(), window.timezone])

    def open_window(self, window: "Window", column: str | None) -> tuple[Reading, bool]:
        if not self._takes_borders():
            return self.open(WHOLE), False
        postgres = self._dialect() == "postgresql"
        first, last = window.instants() if postgres else (window.start.isoformat(), window.end.isoformat())
        return self._run({"start": first, "end": last}, window.timezone), True

    def _takes_borders(self) -> bool:
        return {found.group(1) for found in _BORDERS.finditer(self.query)} == {"start", "end"}

    def _dialect(self) -> str:
        return "sqlite" if self.url.get_secret_value().startswith("sqlite") else "postgresql"

    def _run(self, borders: Mapping[str, Any], timezone: str) -> "SpooledReading":
        """The rows in a scratch file: the same however often they are read, whatever happens to the database."""
        import sqlalchemy as sa
        from sqlalchemy.exc import SQLAlchemyError

        spool = _Spool()
        try:
            with self._connection(timezone) as connection:
                result = connection.execute(sa.text(self.query), dict(borders))
                names, renamed = unique_names(list(map(str, result.keys())))
                for rows in result.partitions(DEFAULT_BATCH_ROWS):
                    spool.add(names, rows)
        except SQLAlchemyError as error:
            told = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise SourceError(
                f"The database refused: {told}", where=f"sql ({self._dialect()})", remedy="Check source.url and query."
            ) from error
        if len(names) < 2:
            raise SourceError(
                "The query gives one column, so nothing can be predicted from it.", where="sql", remedy="Select more."
            )
        return SpooledReading(
            where=f"sql ({self._dialect()})",
            columns=tuple(names),
            typed=True,
            findings=[renamed_columns(renamed)] if renamed else [],
            spool=spool,
        )

    @contextmanager
    def _connection(self, timezone: str) -> "Iterator[sa.Connection]":
        """A connection that can't write, in the time zone in which naive columns are local."""
        import sqlalchemy as sa

        url = sa.make_url(self.url.get_secret_value())
        if url.get_backend_name() == "sqlite":
            engine = _sqlite(url)
        else:  # SQLAlchemy 2.1 reads postgresql:// as psycopg 3; dagster-postgres brings psycopg2
            settings = f"-c default_transaction_read_only=on -c TimeZone={timezone}"
            engine = sa.create_engine(
                url.set(drivername="postgresql+psycopg2"),
                connect_args={"connect_timeout": CONNECT_SECONDS, "options": settings},
                poolclass=sa.NullPool,
            )
        with engine.connect() as connection:
            connection.execute(
                sa.text("PRAGMA query_only = ON" if url.get_backend_name() == "sqlite" else "SET TRANSACTION READ ONLY")
            )
            yield connection.execution_options(stream_results=True, max_row_buffer=DEFAULT_BATCH_ROWS)
        engine.dispose()


def _sqlite(url: "sa.URL") -> "sa.Engine":
    """An engine on a file that is there: SQLite would create it."""
    import sqlite3

    import sqlalchemy as sa

    path = Path(url.database or "")
    if not path.is_file():
        raise SourceError("There is no such database.", where=str(path), remedy="Correct source.url.")
    return sa.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True),
        poolclass=sa.NullPool,
    )


class _Spool:
    """Pieces of a result in a scratch file that goes away with this object, and the type that each column needs."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="automl-sql-")  # noqa: SIM115 - open as long as this object
        weakref.finalize(self, self._file.close)
        self._offsets: list[int] = []
        self._types: dict[str, ColumnType] = {}
        self._zoned: dict[str, bool] = {}

    def add(self, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write some rows down."""
        import pyarrow as pa

        arrays = [_array([row[number] for row in rows]) for number in range(len(names))]
        for name, array in zip(names, arrays, strict=True):
            self._widen(name, array)
        piece = pa.RecordBatch.from_arrays(arrays, names=list(names))
        self._offsets.append(self._file.tell())
        with pa.ipc.new_stream(self._file, piece.schema) as writer:
            writer.write_batch(piece)

    def _widen(self, name: str, array: "pa.Array") -> None:
        import pyarrow.types as t

        if t.is_null(array.type) or array.null_count == len(array):
            return
        kind, zoned = column_type(array.type), t.is_timestamp(array.type) and array.type.tz is not None
        before = self._types.get(name, kind)
        same = before == kind and self._zoned.get(name, zoned) == zoned
        wider: ColumnType = kind if same else "number" if {before, kind} == {"integer", "number"} else "text"
        self._types[name], self._zoned[name] = wider, zoned

    def pieces(self) -> "Iterator[pa.RecordBatch]":
        """The rows in order, each column with one type."""
        import pyarrow as pa

        for offset in self._offsets:
            self._file.seek(offset)
            piece = pa.ipc.open_stream(self._file).read_next_batch()
            arrays = [
                _as(array, arrow_type(self._types.get(name, "text"), utc=self._zoned.get(name, False)))
                for name, array in zip(piece.schema.names, piece.columns, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, names=piece.schema.names)


def _array(values: list[Any]) -> "pa.Array":
    """The values as the database typed them; what Arrow has no type for, or is mixed, becomes text."""
    import pyarrow as pa

    try:
        return normalised(pa.array(values))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _as(array: "pa.Array", wanted: "pa.DataType") -> "pa.Array":
    import pyarrow as pa
    import pyarrow.types as t

    if array.type == wanted:
        return array
    if t.is_string(wanted):
        return pa.array([None if value is None else str(value) for value in array.to_pylist()], wanted)
    return pa.nulls(len(array), wanted) if array.null_count == len(array) else array.cast(wanted, safe=False)


@dataclass
class SpooledReading(Reading):
    """The rows of a query, from the scratch file in which they were kept."""

    spool: _Spool = field(default_factory=_Spool)

    def batches(self) -> Iterator["pa.RecordBatch"]:
        return self.spool.pieces()
