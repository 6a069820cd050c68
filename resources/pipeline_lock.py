"""One writer a pipeline, and the cleaning up after one that was killed.

A file lock under AUTOML_HOME, or PostgreSQL's advisory locks where AUTOML_DATABASE_URL names such a database.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psutil
from pydantic import PrivateAttr

from automl_assets.core.errors import JobError
from automl_assets.core.files import remove_partials
from resources.locks import FileLock, Holder, Lock, PostgresLock, process_runs

POLL_SECONDS = 0.5
_process_locks: "dict[tuple[str, str | None, str], _Shared]" = {}
_process_guard = threading.Lock()
PIPELINE_TAG = "automl/pipeline"
PROCESS_TAG = ".dagster/automl_process"  # the prefix hides it in the UI


@dataclass
class _Shared:
    """A lock of this process and how many of its parts hold it."""

    lock: "Lock"
    holders: int = 1


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
            if not told:
                waiting(who)
                told = True
            if time.monotonic() >= deadline:
                raise JobError(
                    f"The pipeline {pipeline!r} is being written by {who}.",
                    where=pipeline,
                    remedy="Wait until it has ended, or end it.",
                    code="pipeline_busy",
                )
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
