"""Windows of time: which are closed, and that they are Dagster's partitions."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_assets.core.errors import SourceError
from automl_assets.ingestion.windows import Window, closed_windows, last_closed, window_of_key
from resources.steps import partitions_of

ZONES = ("UTC", "Europe/Warsaw", "America/New_York", "America/Havana", "Asia/Kathmandu", "Pacific/Apia")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("kind", "first", "zone", "now", "keys"),
    [
        ("daily", "2024-03-30", "Europe/Warsaw", "2024-03-31T21:59:59+00:00", ["2024-03-30"]),
        ("daily", "2024-03-30", "Europe/Warsaw", "2024-03-31T22:00:00+00:00", ["2024-03-30", "2024-03-31"]),
        ("daily", "2024-03-30", "UTC", "2024-03-30T23:00:00+00:00", []),
        ("weekly", "2024-01-01", "UTC", "2024-01-15T00:00:00+00:00", ["2024-01-01", "2024-01-08"]),
        ("weekly", "2024-01-03", "UTC", "2024-01-16T23:59:00+00:00", ["2024-01-03"]),
        ("monthly", "2023-12-28", "UTC", "2024-02-28T00:00:00+00:00", ["2023-12-28", "2024-01-28"]),
        ("monthly", "2024-01-01", "UTC", "2024-02-29T00:00:00+00:00", ["2024-01-01"]),
        ("monthly", "2025-01-01", "UTC", "2024-02-29T00:00:00+00:00", []),
    ],
)
def test_a_window_is_closed_when_its_last_midnight_has_come(
    kind, first: str, zone: str, now: str, keys: list[str]
) -> None:
    assert [window.key for window in closed_windows(kind, date.fromisoformat(first), zone, at(now))] == keys


@pytest.mark.parametrize(("key", "hours"), [("2024-03-31", 23), ("2024-10-27", 25), ("2024-07-01", 24)])
def test_a_day_has_23_to_25_hours(key: str, hours: int) -> None:
    first, last = window_of_key("daily", "Europe/Warsaw", key).instants()
    assert (last.astimezone(UTC) - first.astimezone(UTC)).total_seconds() == hours * 3600


@given(
    st.sampled_from(["daily", "weekly", "monthly"]),
    st.dates(date(2010, 12, 1), date(2024, 6, 28)).filter(lambda day: day.day <= 28),
    st.sampled_from(ZONES),
    st.integers(0, 150 * 24 * 60),
)
def test_they_are_dagster_s_partitions(kind, first: date, zone: str, minutes: int) -> None:
    now = datetime(first.year, first.month, first.day, 12, tzinfo=UTC) + timedelta(minutes=minutes)
    batches = SimpleNamespace(kind=kind, start=first)
    config = SimpleNamespace(name="p", batches=batches, schedule=SimpleNamespace(timezone=zone))
    windows = closed_windows(kind, first, zone, now)
    partitions = partitions_of(config)
    assert partitions is not None
    assert [window.key for window in windows] == list(partitions.get_partition_keys(now))
    last = last_closed(kind, first, zone, now)
    assert (windows[-1].start if windows else None) == last
    assert all(before.end == after.start for before, after in pairwise(windows))
    assert all(window_of_key(kind, zone, window.key) == window for window in windows)


def test_a_key_that_is_no_date_is_said() -> None:
    with pytest.raises(SourceError, match=r"'2024-13' is no window of time\. A window is named by its first day"):
        window_of_key("daily", "UTC", "2024-13")
    assert Window(date(2024, 1, 1), date(2024, 1, 2), "UTC").key == "2024-01-01"
