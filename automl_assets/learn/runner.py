"""Runs functions in child processes that can be stopped: a deadline, a memory limit, and no orphans.

>>> with Runner() as runner:
...     runner.run("math:hypot", {"x": 3, "y": 4}, deadline_seconds=5, memory_mb=500)  # doctest: +SKIP
Outcome(kind='ok', value=5.0, …)

A function is named ``module:function``, takes keyword arguments and returns a value, both JSON; what is large travels
in files.
"""

import contextlib
import itertools
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

from automl_assets.core.errors import BudgetError, FitError, JobError

OutcomeKind = Literal["ok", "error", "timeout", "memory", "crashed", "cancelled"]
START_SECONDS = 120.0
CLOSE_SECONDS = 5.0


@dataclass(frozen=True)
class Outcome:
    """How a task ended. `peak_mb` is the most memory that it had of its own."""

    kind: OutcomeKind
    value: Any
    seconds: float
    peak_mb: float
    message: str

    def value_or_raise(self, what: str) -> Any:
        """The value of a task that went well.

        Raises:
            BudgetError: it was stopped for time or memory.
            FitError: it failed by itself.
        """
        if self.kind == "ok":
            return self.value
        if self.kind == "timeout":
            raise BudgetError(
                f"{what} took longer than it may ({self.seconds:.0f} s).", remedy="Raise the time budget."
            )
        if self.kind == "memory":
            raise BudgetError(
                f"{what} needed more memory than it may ({self.peak_mb:,.0f} MiB).",
                remedy="Free memory, raise AUTOML_MEMORY_CRITICAL_MB, or use fewer columns.",
            )
        raise FitError(f"{what} failed: {self.message or self.kind}.", remedy="The log above has the details.")


class Task:
    """A submitted call. `wait` blocks until it has ended."""

    def __init__(self, task_id: str):
        self.id = task_id
        self._done = threading.Event()
        self._outcome: Outcome | None = None

    def finish(self, outcome: Outcome) -> None:
        """Record how it ended; only the runner calls this."""
        self._outcome = outcome
        self._done.set()

    def outcome(self) -> Outcome:
        """How it ended; blocks until it has."""
        self._done.wait()
        assert self._outcome is not None
        return self._outcome

    def wait(self, timeout_seconds: float | None = None) -> Outcome | None:
        """The outcome, or None when it has not ended in time."""
        self._done.wait(timeout_seconds)
        return self._outcome


class Runner:
    """One zygote and its tasks. Start-up, about 2 s of imports, happens once and in the background."""

    def __init__(self, *, packages: tuple[str, ...] = (), log: Path | None = None):
        self._packages = packages
        self._log = log
        self._ids = itertools.count()
        self._tasks: dict[str, Task] = {}
        self._ended: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The zygote's process id, None when it is not running."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the zygote in the background unless it runs already."""
        with self._lock:
            if self.pid is not None:
                return
            self._close_input()
            self._ready = threading.Event()
            log: IO[bytes] | int = subprocess.DEVNULL
            if self._log is not None:
                self._log.parent.mkdir(parents=True, exist_ok=True)
                log = self._log.open("ab")
            path = os.pathsep.join(folder for folder in sys.path if folder)  # what this process finds, its children do
            environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore", "PYTHONPATH": path}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "automl_assets.learn.zygote", *self._packages],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
            if not isinstance(log, int):
                log.close()
            threading.Thread(target=self._listen, args=(self._process, self._ready), daemon=True).start()

    def submit(
        self,
        call: str,
        arguments: Mapping[str, Any],
        *,
        deadline_seconds: float,
        memory_mb: float,
        spawn: bool = False,
        imports: Sequence[str] = (),
    ) -> Task:
        """Start a call in a child of its own.

        Args:
            call: ``module:function``.
            deadline_seconds: wall-clock seconds after which the child is killed.
            memory_mb: MiB of its own, shared with no other process, above which it is killed.
            spawn: start a fresh interpreter instead of a fork, as CUDA wants.
            imports: packages that the zygote imports first, unless it has them: once, not in every child.

        Raises:
            JobError: the zygote could not be started.
        """
        self.start()
        process, ready = self._process, self._ready
        if not ready.wait(START_SECONDS) or process is None or process.poll() is not None or process.stdin is None:
            raise JobError("The process that fits run in did not start.", remedy="Run `automl doctor`.")
        task = Task(str(next(self._ids)))
        message = {
            "id": task.id,
            "call": call,
            "arguments": dict(arguments),
            "deadline_seconds": deadline_seconds,
            "memory_bytes": int(memory_mb * 2**20),
            "spawn": spawn,
            "imports": list(imports),
        }
        self._tasks[task.id] = task
        try:
            process.stdin.write(json.dumps(message).encode() + b"\n")
            process.stdin.flush()
        except OSError:
            self._fail(task, "the zygote is gone")
        return task

    def run(
        self, call: str, arguments: Mapping[str, Any], *, deadline_seconds: float, memory_mb: float, spawn: bool = False
    ) -> Outcome:
        """`submit` and wait."""
        return self.submit(
            call, arguments, deadline_seconds=deadline_seconds, memory_mb=memory_mb, spawn=spawn
        ).outcome()

    def next_ended(self, timeout_seconds: float) -> Task | None:
        """A task that has ended since the last call, or None when none does in time."""
        try:
            return self._ended.get(timeout=max(0.0, timeout_seconds))
        except queue.Empty:
            return None

    def cancel(self, task: Task) -> None:
        """Kill a task's child; its outcome becomes ``cancelled``."""
        if self._process and self._process.stdin and self._process.poll() is None:
            try:
                self._process.stdin.write(json.dumps({"cancel": task.id}).encode() + b"\n")
                self._process.stdin.flush()
            except OSError:
                self._fail(task, "the zygote is gone")

    def close(self) -> None:
        """End the zygote and with it every child."""
        self._close_input()
        process, self._process = self._process, None
        if process is None:
            return
        if not self._ready.is_set():
            process.kill()  # it still imports, and has no children
        try:
            process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _close_input(self) -> None:
        if self._process and self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _listen(self, process: "subprocess.Popen[bytes]", ready: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            message = json.loads(line)
            if "ready" in message:
                ready.set()
                continue
            task = self._tasks.pop(message["id"], None)
            if task is not None:
                self._finish(task, _outcome(message))
        process.stdout.close()
        ready.set()
        for task in list(self._tasks.values()):
            self._fail(task, "the zygote ended")

    def _fail(self, task: Task, why: str) -> None:
        if self._tasks.pop(task.id, None) is not None:
            self._finish(task, Outcome("crashed", None, 0.0, 0.0, why))

    def _finish(self, task: Task, outcome: Outcome) -> None:
        task.finish(outcome)
        self._ended.put(task)


def _outcome(message: dict[str, Any]) -> Outcome:
    return Outcome(
        message["outcome"], message.get("value"), message["seconds"], message["peak_mb"], message.get("message", "")
    )
