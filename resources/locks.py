"""Locks that a killed holder can't keep: `flock` on a file, or PostgreSQL's advisory locks, and who holds them.

Both are released by the system when their holder dies.
"""

import fcntl
import hashlib
import json
import socket
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Self

import psutil

from automl_assets.core.errors import StorageError

START_TOLERANCE_SECONDS = 2.0


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: a process, known by its start time too because process ids come back."""

    host: str
    pid: int
    started: float
    what: str

    @classmethod
    def this_process(cls, what: str) -> Self:
        """The process that asks."""
        process = psutil.Process()
        return cls(socket.gethostname(), process.pid, process.create_time(), what)

    def is_alive(self) -> bool | None:
        """Whether the process still runs; None where it is on another host and nobody here can tell."""
        if self.host != socket.gethostname():
            return None
        return process_runs(self.pid, self.started)

    def to_text(self) -> str:
        """A line that `from_text` reads back."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """The holder that a text describes, None where it describes none."""
        with suppress(ValueError, TypeError, KeyError):
            return cls(**json.loads(text))
        return None

    def __str__(self) -> str:
        return f"{self.what} (process {self.pid} on {self.host})"


def process_runs(pid: int, started: float) -> bool:
    """Whether the process with this id is the one that started then."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < START_TOLERANCE_SECONDS
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Lock(ABC):
    """One pipeline's lock, held by this process or not."""

    @abstractmethod
    def try_acquire(self, holder: Holder) -> bool:
        """Take it unless someone else has it."""

    @abstractmethod
    def holder(self) -> str | None:
        """Who has it, in words, as far as that is known."""

    @abstractmethod
    def release(self) -> None:
        """Give it back."""


class FileLock(Lock):
    """`flock` on a file that also says who holds it."""

    def __init__(self, path: Path):
        self._path = path
        self._file: IO[str] | None = None

    def try_acquire(self, holder: Holder) -> bool:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        file.truncate(0)
        file.write(holder.to_text())
        file.flush()
        self._file = file
        return True

    def holder(self) -> str | None:
        with suppress(OSError):
            holder = Holder.from_text(self._path.read_text())
            return str(holder) if holder else None
        return None

    def release(self) -> None:
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None


class PostgresLock(Lock):
    """`pg_try_advisory_lock` on a connection of its own, whose application name says who holds it."""

    def __init__(self, url: str, pipeline: str):
        self._url = postgres_url(url)
        self._key = int.from_bytes(hashlib.blake2b(f"automl/{pipeline}".encode(), digest_size=4).digest(), "big") >> 1
        self._connection: Any = None

    def _connect(self, name: str) -> Any:
        import psycopg2

        try:
            connection = psycopg2.connect(self._url, application_name=name[:63])
        except psycopg2.OperationalError as error:
            raise StorageError(
                f"The database does not answer: {str(error).strip().splitlines()[0]}.",
                where="AUTOML_DATABASE_URL",
                remedy="Start it, or unset the variable.",
            ) from error
        connection.autocommit = True
        return connection

    def try_acquire(self, holder: Holder) -> bool:
        connection = self._connect(f"{holder.what} {holder.host}:{holder.pid}")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (self._key,))
            if cursor.fetchone()[0]:
                self._connection = connection
                return True
        connection.close()
        return False

    def holder(self) -> str | None:
        connection = self._connect("automl")
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
                    "WHERE l.locktype = 'advisory' AND l.classid = 0 AND l.objid = %s AND l.granted",
                    (self._key,),
                )
                row = cursor.fetchone()
                return row[0] if row else None
        finally:
            connection.close()

    def release(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def postgres_url(url: str) -> str:
    """The URL as libpq reads it: SQLAlchemy's driver suffix removed."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}{separator}{rest}"
