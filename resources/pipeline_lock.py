"""One writer a pipeline: an advisory lock that a killed holder can't keep, and the cleaning up after it.

A file lock under AUTOML_HOME, or PostgreSQL's advisory locks where AUTOML_DATABASE_URL names such a database. Both
are released by the system when their holder dies.
"""

import fcntl
import hashlib
import json
import os
import signal
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Self

import dagster as dg
import psutil
from pydantic import PrivateAttr

from automl_assets.core.errors import JobError, StorageError
from automl_assets.core.files import remove_partials

POLL_SECONDS = 0.5
_process_locks: "dict[tuple[str, str | None, str], _Shared]" = {}
_process_guard = threading.Lock()
PIPELINE_TAG = "automl/pipeline"
PROCESS_TAG = "automl/process"
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


@dataclass
class _Shared:
    """A lock of this process and how many of its parts hold it."""

    lock: "Lock"
    holders: int = 1


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


class PipelineLock(dg.ConfigurableResource):
    """Locks by pipeline, held by a process: every step of its runs may call `hold`, and the last to let go releases."""

    home: str
    database_url: str | None = None
    wait_seconds: float = 24 * 3600.0

    _held: set[str] = PrivateAttr(default_factory=set)

    def lock(self, pipeline: str) -> Lock:
        """A pipeline's lock, not taken yet."""
        if self.database_url and self.database_url.startswith(("postgresql", "postgres")):
            return PostgresLock(self.database_url, pipeline)
        return FileLock(Path(self.home) / "locks" / f"{pipeline}.lock")

    def hold(
        self,
        pipeline: str,
        what: str,
        *,
        instance: dg.DagsterInstance | None = None,
        run_id: str | None = None,
        waiting: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take a pipeline's lock and clean up after a dead holder; at once if this object holds it already.

        Args:
            what: who asks, such as ``automl run churn``: shown to those who wait.
            instance: where this pipeline's dead runs are marked failed; `run_id` is the run that asks.
            waiting: told who holds it, once, before waiting.

        Raises:
            JobError: it was held for longer than `wait_seconds`.
        """
        if pipeline in self._held:
            return
        if not self._join(pipeline):
            self._acquire(pipeline, what, waiting)
            end_orphans(self._children_file(pipeline))
            for folder in written_folders(Path(self.home), pipeline):
                remove_partials(folder)
        self._held.add(pipeline)
        if instance is not None:
            if run_id is not None:
                process = Holder.this_process(what).to_text()
                instance.add_run_tags(run_id, {PIPELINE_TAG: pipeline, PROCESS_TAG: process})
            fail_dead_runs(instance, pipeline, but=run_id)

    def _key(self, pipeline: str) -> tuple[str, str | None, str]:
        return (self.home, self.database_url, pipeline)

    def _join(self, pipeline: str) -> bool:
        """Whether another part of this process holds the lock: `automl run` does, around the runs that it starts."""
        with _process_guard:
            shared = _process_locks.get(self._key(pipeline))
            if shared is not None:
                shared.holders += 1
            return shared is not None

    def _acquire(self, pipeline: str, what: str, waiting: Callable[[str], None]) -> None:
        lock = self.lock(pipeline)
        holder = Holder.this_process(what)
        deadline = time.monotonic() + self.wait_seconds
        told = False
        while not lock.try_acquire(holder):
            who = lock.holder() or "another process"
            if time.monotonic() >= deadline:
                raise JobError(
                    f"The pipeline {pipeline!r} is being written by {who}.",
                    where=pipeline,
                    remedy="Wait until it has ended, or end it.",
                    code="pipeline_busy",
                )
            if not told:
                waiting(who)
                told = True
            time.sleep(POLL_SECONDS)
        with _process_guard:
            _process_locks[self._key(pipeline)] = _Shared(lock)

    @contextmanager
    def holding(self, pipeline: str, what: str, waiting: Callable[[str], None] = lambda _: None) -> Iterator[None]:
        """`hold` for the length of a block."""
        self.hold(pipeline, what, waiting=waiting)
        try:
            yield
        finally:
            self.release_all()

    def note_child(self, pipeline: str, pid: int) -> None:
        """Remember a child process, so that whoever takes the lock after a kill can end it."""
        file = self._children_file(pipeline)
        file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(psutil.NoSuchProcess), file.open("a") as children:
            children.write(f"{pid} {psutil.Process(pid).create_time()}\n")

    def _children_file(self, pipeline: str) -> Path:
        return Path(self.home) / "locks" / f"{pipeline}.children"

    def release_all(self) -> None:
        """Give back every lock that this object holds."""
        while self._held:
            key = self._key(self._held.pop())
            with _process_guard:
                shared = _process_locks[key]
                shared.holders -= 1
                if not shared.holders:
                    del _process_locks[key]
                    shared.lock.release()

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Dagster calls this when a run's steps have ended, well or not."""
        self.release_all()


def written_folders(home: Path, pipeline: str) -> list[Path]:
    """Where the runs of a pipeline write."""
    own = [home / kind / pipeline for kind in ("tables", "values", "models", "reports")]
    return [*own, *(home / "studies").glob(f"{pipeline}-*")]


def end_orphans(file: Path) -> int:
    """Kill the noted children that still run, and forget them all; how many there were."""
    if not file.is_file():
        return 0
    ended = 0
    for line in file.read_text().splitlines():
        with suppress(ValueError, ProcessLookupError, PermissionError):
            pid, started = line.split()
            if process_runs(int(pid), float(started)) and int(pid) != os.getpid() and not _is_our_child(int(pid)):
                os.kill(int(pid), signal.SIGKILL)
                ended += 1
    file.unlink(missing_ok=True)
    return ended


def _is_our_child(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).ppid() == os.getpid()
    return False


def fail_dead_runs(instance: dg.DagsterInstance, pipeline: str, *, but: str | None = None) -> list[str]:
    """Mark a pipeline's runs whose process is gone as failed and free their pool slots; their ids.

    Runs of other hosts are left to Dagster's own run monitoring.
    """
    unfinished = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING],
        tags={PIPELINE_TAG: pipeline},
    )
    failed: list[str] = []
    for run in instance.get_runs(unfinished):
        holder = Holder.from_text(run.tags.get(PROCESS_TAG, ""))
        if run.run_id == but or holder is None or holder.is_alive() is not False:
            continue
        instance.report_run_failed(run, f"Its process ({holder}) is gone; the run was marked failed.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        failed.append(run.run_id)
    return failed
