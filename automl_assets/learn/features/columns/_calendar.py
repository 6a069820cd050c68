"""Parts of the calendar by arithmetic on microseconds, the same for one row as for many."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

DAY = 86_400_000_000


class _Calendar:
    """Integers from which every part is arithmetic."""

    def __init__(self, times: "np.ndarray", start: int):
        import numpy as np

        self.micros = times.astype(np.int64)
        self.start = start
        self.days = self.micros // DAY
        dates = times.astype("datetime64[D]")
        self.months = dates.astype("datetime64[M]")
        self.years = dates.astype("datetime64[Y]")
        self.first = self.months.astype("datetime64[D]").astype(np.int64)
        self.january = self.years.astype("datetime64[D]").astype(np.int64)

    def month_end(self) -> "np.ndarray":
        """Whether the next day is another month's."""
        import numpy as np

        return self.days + 1 == (self.months + 1).astype("datetime64[D]").astype(np.int64)

    def iso_week(self) -> "np.ndarray":
        """The week whose Thursday is in the year: ISO 8601."""
        import numpy as np

        thursday = self.days + 3 - (self.days + 3) % 7
        year = thursday.astype("datetime64[D]").astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
        return (thursday - year) // 7 + 1


_PARTS: "dict[str, Callable[[_Calendar], np.ndarray]]" = {
    "year": lambda c: c.years.astype(int) + 1970,
    "month": lambda c: c.months.astype(int) % 12 + 1,
    "day": lambda c: c.days - c.first + 1,
    "day_of_week": lambda c: (c.days + 3) % 7,
    "hour": lambda c: c.micros // (DAY // 24) % 24,
    "day_of_year": lambda c: c.days - c.january + 1,
    "week_of_year": _Calendar.iso_week,
    "is_month_start": lambda c: c.days == c.first,
    "is_month_end": _Calendar.month_end,
    "days_since_start": lambda c: (c.micros - c.start) / DAY,
    "epoch_days": lambda c: c.micros / DAY,
}
PARTS = tuple(name for name in _PARTS if name != "epoch_days")
"""Days since 1970 are only in encoders of before 0.2; counted from the training data's start they are more exact."""
PERIODS = {"month": (1, 12.0), "day_of_week": (0, 7.0), "hour": (0, 24.0), "day_of_year": (1, 365.25)}


def _part(found: _Calendar, name: str) -> "np.ndarray":
    import numpy as np

    wave, of, part = name.partition(" of ")
    if not of:
        return _PARTS[name](found)
    first, period = PERIODS[part]
    return getattr(np, wave)(2 * np.pi * (_PARTS[part](found) - first) / period)


def calendar(times: "np.ndarray", start: int, parts: "tuple[str, ...]") -> "np.ndarray":
    """float64 (rows, parts), NaN where the time is missing.

    Args:
        times: datetime64[us] (rows,).
        start: microseconds since 1970 from which `days_since_start` counts.
    """
    import numpy as np

    missing = np.isnat(times)
    times = np.where(missing, np.datetime64(0, "us"), times)
    found = _Calendar(times, start)
    values = np.empty((len(times), len(parts)))
    for i, part in enumerate(parts):
        values[:, i] = _part(found, part)
    values[missing] = np.nan
    return values
