"""How much of a time budget is left, also after the process that was spending it was killed."""

import json
import time
from pathlib import Path

from automl_assets.core.files import write_text

SAVE_EVERY_SECONDS = 1.0


class Clock:
    """Counts wall-clock seconds against a budget and keeps the count in a file, so that a retry goes on from there."""

    def __init__(self, budget_seconds: float, file: Path):
        self.budget_seconds = budget_seconds
        self._file = file
        self._spent_before = _read(file)
        self._started = time.monotonic()
        self._saved = 0.0

    def spent(self) -> float:
        """Seconds used so far, those of earlier attempts included."""
        return self._spent_before + time.monotonic() - self._started

    def charge(self, seconds: float) -> None:
        """Told of work that was done; this clock goes by itself."""

    def left(self) -> float:
        """Seconds that remain; negative when the budget is overrun."""
        return self.budget_seconds - self.spent()

    def restart(self) -> None:
        """Forget what earlier attempts spent."""
        self._spent_before = 0.0
        self._started = time.monotonic()

    def stop_at(self) -> float:
        """The monotonic time at which the budget ends."""
        return time.monotonic() + self.left()

    def save(self, *, at_once: bool = False) -> None:
        """Note the seconds spent, at most once a second unless `at_once`."""
        now = time.monotonic()
        if at_once or now - self._saved >= SAVE_EVERY_SECONDS:
            write_text(self._file, json.dumps({"seconds": round(self.spent(), 3)}))
            self._saved = now


class WorkClock(Clock):
    """Counts the work that it is told of, in the seconds that a usual processor would take for it.

    A search that is resumed goes through its finished fits again, and counts them again.
    """

    def __init__(self, budget_seconds: float, file: Path):
        super().__init__(budget_seconds, file)
        self._charged = 0.0

    def spent(self) -> float:
        """The work of this attempt, what it took over from earlier ones included."""
        return self._charged

    def charge(self, seconds: float) -> None:
        """Count work."""
        self._charged += seconds

    def restart(self) -> None:
        """Forget what was counted."""
        self._charged = 0.0


def _read(file: Path) -> float:
    try:
        return float(json.loads(file.read_text())["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
