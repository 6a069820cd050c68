"""The process that fits are forked from: it imports the model families, and what is called, once and never computes.

It reads tasks as JSON lines on standard input and answers on standard output, a line when a task has ended. Each task
runs in a child of its own, killed when its deadline passes or its own memory, what it does not share with the process
that it was forked from, exceeds its limit. When standard input closes, because the parent ended or was killed, it kills
its children and exits.

Run by `automl_assets.learn.runner` as ``python -m automl_assets.learn.zygote``.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import sys
import time
import traceback
from dataclasses import dataclass, field
from typing import Any, NoReturn

from automl_assets.core.imports import without

TICK_SECONDS = 0.05
READ_BYTES = 1 << 16
PR_SET_PDEATHSIG = 1
NEEDLESS = ("polars", "torch")  # 22 and 180 MiB that CatBoost and skops import, and that no forked fit uses


@dataclass
class Child:
    """A running task."""

    id: str
    pid: int
    pipe: int
    started: float
    deadline: float
    memory_bytes: int
    peak_bytes: int = 0
    received: bytearray = field(default_factory=bytearray)
    killed_for: str | None = None
    ended: bool = False


def main(argv: list[str]) -> None:
    """Serve tasks until standard input closes; with ``--task JSON``, be one spawned child."""
    if argv[:1] == ["--task"]:
        _run_task(json.loads(argv[1]), int(argv[2]))
    zygote = Zygote()
    with without(*NEEDLESS):
        for package in argv:
            with contextlib.suppress(ImportError):
                importlib.import_module(package)
    zygote.serve()


class Zygote:
    """The loop that starts, watches and reports children."""

    def __init__(self) -> None:
        self._in = os.dup(0)
        self._out = os.dup(1)
        devnull = os.open(os.devnull, os.O_RDWR)
        os.dup2(devnull, 0)
        os.dup2(2, 1)
        os.close(devnull)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
        self._children: dict[int, Child] = {}
        self._selector = selectors.DefaultSelector()
        self._buffer = bytearray()

    def serve(self) -> NoReturn:
        """Say that all is imported, then work until standard input closes."""
        os.set_blocking(self._in, False)
        self._selector.register(self._in, selectors.EVENT_READ)
        self._answer({"ready": True})
        while True:
            for key, _ in self._selector.select(TICK_SECONDS if self._children else None):
                if key.fd == self._in:
                    if not self._read_tasks():
                        self._kill_all()
                        os._exit(0)  # tearing every imported library down would take a second
                elif key.fd in self._children:
                    self._read_child(self._children[key.fd])
            for child in list(self._children.values()):
                self._watch(child)

    def _answer(self, message: dict[str, Any]) -> None:
        os.write(self._out, json.dumps(message).encode() + b"\n")

    def _read_tasks(self) -> bool:
        data = os.read(self._in, READ_BYTES)
        if not data:
            return False
        self._buffer += data
        *lines, rest = self._buffer.split(b"\n")
        self._buffer = bytearray(rest)
        for line in lines:
            message = json.loads(line)
            if "cancel" in message:
                self._cancel(message["cancel"])
            else:
                self._start(message)
        return True

    def _start(self, task: dict[str, Any]) -> None:
        for module in (*task.get("imports", ()), task["call"].partition(":")[0]):
            with contextlib.suppress(Exception), without(*NEEDLESS):  # the child says what is wrong
                importlib.import_module(module)
        gc.freeze()  # what was imported is no child's to collect: it would copy every page it looks at
        reader, writer = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            self._become_child(task, writer, parent)
        os.close(writer)
        os.set_blocking(reader, False)
        now = time.monotonic()
        child = Child(task["id"], pid, reader, now, now + task["deadline_seconds"], task["memory_bytes"])
        self._children[reader] = child
        self._selector.register(reader, selectors.EVENT_READ)

    def _become_child(self, task: dict[str, Any], writer: int, parent: int) -> None:
        """Never returns: the child runs the task and exits."""
        try:
            os.setpgid(0, 0)
            if self._libc is not None:
                self._libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            for fd in (self._in, self._out, *self._children):
                os.close(fd)
            self._selector.close()
            if task.get("spawn"):
                os.set_inheritable(writer, True)
                arguments = ["-m", "automl_assets.learn.zygote", "--task", json.dumps(task), str(writer)]
                os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - ourselves
            _run_task(task, writer)
        finally:
            os._exit(1)

    def _read_child(self, child: Child) -> None:
        try:
            data = os.read(child.pipe, READ_BYTES)
        except BlockingIOError:
            return
        if data:
            child.received += data
        else:
            self._selector.unregister(child.pipe)
            child.ended = True

    def _watch(self, child: Child) -> None:
        """Enforce the limits, and report the task once its process is gone."""
        child.peak_bytes = max(child.peak_bytes, own_bytes(child.pid))
        if child.killed_for is None and not child.ended:
            if time.monotonic() > child.deadline:
                child.killed_for = "timeout"
            elif child.peak_bytes > child.memory_bytes:
                child.killed_for = "memory"
            if child.killed_for:
                _kill_group(child.pid)
        pid, status = os.waitpid(child.pid, os.WNOHANG)
        if pid:
            self._report(child, status)

    def _report(self, child: Child, status: int) -> None:
        _kill_group(child.pid)  # what it left behind would hold the pipe open
        while not child.ended:
            with contextlib.suppress(OSError):
                os.set_blocking(child.pipe, True)
            self._read_child(child)
        os.close(child.pipe)
        del self._children[child.pipe]
        self._answer(_outcome(child, status))

    def _cancel(self, task_id: str) -> None:
        for child in self._children.values():
            if child.id == task_id and child.killed_for is None:
                child.killed_for = "cancelled"
                _kill_group(child.pid)

    def _kill_all(self) -> None:
        for child in self._children.values():
            _kill_group(child.pid)
        for child in self._children.values():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child.pid, 0)


def _outcome(child: Child, status: int) -> dict[str, Any]:
    base = {"id": child.id, "seconds": time.monotonic() - child.started, "peak_mb": child.peak_bytes / 2**20}
    if child.killed_for:
        return {**base, "outcome": child.killed_for}
    if child.received:
        answer = json.loads(child.received)
        base["peak_mb"] = max(base["peak_mb"], answer.pop("grown_mb", 0.0))
        return {**base, **answer}
    number = os.waitstatus_to_exitcode(status)
    return {**base, "outcome": "crashed", "message": f"the process ended with {_exit_words(number)}"}


def _exit_words(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _kill_group(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _run_task(task: dict[str, Any], writer: int) -> None:
    """Run one task in this process, write its answer to the pipe, and exit."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    before = resident_bytes()
    try:
        module, _, function = task["call"].partition(":")
        value = getattr(importlib.import_module(module), function)(**task["arguments"])
        answer: dict[str, Any] = {"outcome": "ok", "value": value}
    except MemoryError as error:
        answer = {"outcome": "memory", "message": str(error)}
    except Exception as error:  # the edge of a process: whatever it was goes to the parent
        traceback.print_exc()
        answer = {"outcome": "error", "message": f"{type(error).__name__}: {error}"[:2000]}
    answer["grown_mb"] = max(0, peak_resident_bytes() - before) / 2**20
    data = memoryview(json.dumps(answer).encode())
    while data:
        data = data[os.write(writer, data) :]
    sys.stderr.flush()
    os._exit(0)


def own_bytes(pid: int) -> int:
    """What the process has in memory and shares with no other: what it took since it was forked."""
    return _rollup_bytes(pid, (b"Private_Clean:", b"Private_Dirty:"))


def proportional_bytes(pid: int) -> int:
    """The process's proportional set size: its own pages, and its share of those that it has in common with others."""
    return _rollup_bytes(pid, (b"Pss:",))


def _rollup_bytes(pid: int, keys: tuple[bytes, ...]) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            return sum(int(line.split()[1]) << 10 for line in file if line.startswith(keys))
    except (OSError, IndexError, ValueError):
        return 0


def resident_bytes() -> int:
    """This process's resident memory now, 0 where the system doesn't say."""
    return _status_bytes("VmRSS:")


def peak_resident_bytes() -> int:
    """This process's largest resident memory so far."""
    return _status_bytes("VmHWM:")


def _status_bytes(key: str) -> int:
    try:
        with open("/proc/self/status") as file:
            return next((int(line.split()[1]) << 10 for line in file if line.startswith(key)), 0)
    except OSError:
        return 0


if __name__ == "__main__":
    main(sys.argv[1:])
