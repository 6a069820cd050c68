"""What tests let the runner's children do."""

import os
import subprocess
import sys
import time
from pathlib import Path


def add(x: int, y: int) -> int:
    return x + y


def sleep_for_ever(pid_file: str | None = None) -> None:
    if pid_file:
        Path(pid_file).write_text(str(os.getpid()))
    while True:
        time.sleep(60)


def eat(step_mb: int) -> None:
    """Allocate and touch memory without end, about 500 MB a second at most."""
    eaten = []
    while True:
        eaten.append(bytearray(os.urandom(1) * (step_mb << 20)))
        time.sleep(step_mb / 500)


def hold(megabytes: int) -> int:
    held = bytearray(b"x" * (megabytes << 20))
    time.sleep(0.2)
    return len(held) >> 20


def fail(message: str) -> None:
    raise ValueError(message)


def run_out_of_memory() -> None:
    raise MemoryError("too much")


def die(code: int) -> None:
    os._exit(code)


def kill_itself(signal_number: int) -> None:
    os.kill(os.getpid(), signal_number)
    time.sleep(60)


def leave_a_fork_behind(pid_file: str) -> str:
    """The fork inherits the pipe on which the runner waits for this task's answer."""
    pid = os.fork()
    if not pid:
        time.sleep(300)
        os._exit(0)
    Path(pid_file).write_text(str(pid))
    return "done"


def leave_a_process_behind(pid_file: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    Path(pid_file).write_text(str(process.pid))
    time.sleep(300)


def long_text(characters: int) -> str:
    return "x" * characters


def shout() -> str:
    """What a noisy library writes must not reach the answers."""
    print("{not json")
    os.write(1, b"{not json either\n")
    return "heard"


def own_ids() -> tuple[int, int]:
    return os.getpid(), os.getppid()


def is_imported(name: str) -> bool:
    return name in sys.modules
