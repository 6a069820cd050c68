"""Where work tells how far it is. A display that cares registers itself; otherwise nothing happens."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Progress:
    """A step of a pipeline began, said something, ended, was reused, or failed; or it waits for another run."""

    pipeline: str
    step: str
    state: Literal["started", "working", "done", "reused", "failed", "waiting"]
    detail: str = ""
    seconds: float = 0.0


_listeners: list[Callable[[Progress], None]] = []


def tell(progress: Progress) -> None:
    """Pass a message to every display."""
    for listener in list(_listeners):
        listener(progress)


def tell_waiting(pipeline: str, who: str) -> None:
    """Say that a pipeline waits for whoever writes it."""
    tell(Progress(pipeline, "lock", "waiting", f"{who} is writing {pipeline}; waiting for it to end"))


@contextmanager
def listening(listener: Callable[[Progress], None]) -> Iterator[None]:
    """Call `listener` for every message, from whichever thread tells it, until the block ends."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


class StopRequest:
    """Whether someone asked for an early end. What can end with what it has looks here now and then."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask."""
        self._event.set()

    def clear(self) -> None:
        """Forget it."""
        self._event.clear()

    def is_set(self) -> bool:
        """Whether someone asked."""
        return self._event.is_set()


STOP = StopRequest()


def stop_requested() -> bool:
    """Whether the user pressed Ctrl-C once: a search then ends with the best so far."""
    return STOP.is_set()
