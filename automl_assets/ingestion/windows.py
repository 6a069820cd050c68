"""Batches that are windows of time: which there are, and which of them are closed.

A window runs from local midnight to local midnight, [start, end), in the schedule's time zone; a day has 23 to 25
hours.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from automl_assets.core.errors import SourceError

WindowKind = Literal["daily", "weekly", "monthly"]


@dataclass(frozen=True)
class Window:
    """A window of time; `key` is its first day, as Dagster names its partition."""

    start: date
    end: date
    timezone: str

    @property
    def key(self) -> str:
        """The partition key."""
        return self.start.isoformat()

    def instants(self) -> tuple[datetime, datetime]:
        """The two local midnights, with their zone."""
        zone = ZoneInfo(self.timezone)
        first, last = (datetime(day.year, day.month, day.day, tzinfo=zone) for day in (self.start, self.end))
        return first, last


def next_start(kind: WindowKind, start: date) -> date:
    """The first day of the window after the one that starts at `start`."""
    if kind == "monthly":
        return (start.replace(day=1) + timedelta(days=32)).replace(day=start.day)
    return start + timedelta(days=1 if kind == "daily" else 7)


def last_closed(kind: WindowKind, first: date, timezone: str, now: datetime) -> date | None:
    """The first day of the newest window that has ended by `now` (an aware time); None before the first has."""
    today = now.astimezone(ZoneInfo(timezone)).date()
    if today < next_start(kind, first):
        return None
    if kind != "monthly":
        days = 1 if kind == "daily" else 7
        return first + timedelta(days=(today - first).days // days * days - days)
    this = today.replace(day=first.day)
    ended = this if this <= today else (this.replace(day=1) - timedelta(days=1)).replace(day=first.day)
    return (ended.replace(day=1) - timedelta(days=1)).replace(day=first.day)


def closed_windows(kind: WindowKind, first: date, timezone: str, now: datetime) -> list[Window]:
    """The windows since `first` that have ended by `now` (an aware time), oldest first."""
    last = last_closed(kind, first, timezone, now)
    found: list[Window] = []
    start = first
    while last is not None and start <= last:
        end = next_start(kind, start)
        found.append(Window(start, end, timezone))
        start = end
    return found


def window_of_key(kind: WindowKind, timezone: str, key: str) -> Window:
    """The window that a partition key names.

    Raises:
        SourceError: the key is no date.
    """
    try:
        start = date.fromisoformat(key)
    except ValueError as error:
        raise SourceError(
            f"{key!r} is no window of time.", remedy="A window is named by its first day, such as 2024-01-31."
        ) from error
    return Window(start, next_start(kind, start), timezone)
