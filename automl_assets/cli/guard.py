"""Ends the servers of an `automl ui` that is gone, however it went: a `kill -9` leaves it no time to end them itself.

Run as a script, in a session of its own: the groups to end come by stdin, a number a line, and the end of stdin says
that the other side is gone. It imports nothing of the platform, so it is there before the first server is.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

GRACE_SECONDS = 10.0
POLL_SECONDS = 0.2


class Guard:
    """The process that watches this one."""

    def __init__(self) -> None:
        command = [sys.executable, "-I", __file__]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # who reads what the command says is not kept waiting
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """End this process group when this process is gone; one that can't be watched any more is no error."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{group}\n")
            self._process.stdin.flush()

    def dismiss(self) -> None:
        """Everything has been ended: nothing is left to watch."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()


def end_groups(groups: Iterable[int], grace_seconds: float = GRACE_SECONDS) -> None:
    """Ask process groups to end, then make them."""
    left = {group for group in groups if _signalled(group, signal.SIGTERM)}
    deadline = time.monotonic() + grace_seconds
    while left and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        left = {group for group in left if _signalled(group, 0)}
    for group in left:
        _signalled(group, signal.SIGKILL)


def _signalled(group: int, number: int) -> bool:
    """Whether the group was there to get the signal."""
    with suppress(ProcessLookupError):
        os.killpg(group, number)
        return True
    return False


if __name__ == "__main__":
    end_groups([int(line) for line in sys.stdin])
