"""Parts and cycles of dates by hand, against Python's own calendar."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_assets.learn.features import Encoder, Recipe
from automl_assets.learn.features.columns._calendar import PARTS, calendar

DATES = [datetime(2020, 2, 29, 13), datetime(2021, 1, 1), datetime(1969, 12, 31, 23, 59), datetime(2024, 12, 30)]


def by_python(when: datetime) -> list[float]:
    next_day = when + timedelta(days=1)
    return [
        when.year, when.month, when.day, when.weekday(), when.hour, when.timetuple().tm_yday, when.isocalendar().week,
        when.day == 1, next_day.month != when.month, (when - datetime(1970, 1, 1)) / timedelta(days=1),
    ]  # fmt: skip


@given(st.datetimes(min_value=datetime(1700, 1, 1), max_value=datetime(2262, 1, 1)))
def test_the_parts_are_those_of_pythons_calendar(when: datetime) -> None:
    found = calendar(np.array([when], dtype="datetime64[us]"), 0, PARTS)[0]
    np.testing.assert_allclose(found, by_python(when), rtol=1e-12, atol=1e-9)


def test_parts_that_never_varied_are_left_out() -> None:
    table = pa.table({"a": [datetime(2021, 3, day) for day in (2, 3, 4)]})
    encoder = Encoder.fit(table, {"a": "datetime"}, "codes")
    assert encoder.feature_names == ["a day", "a day_of_week", "a day_of_year", "a days_since_start"]
    np.testing.assert_array_equal(encoder.transform(table)[:, -1], [0, 1, 2])


def test_cycles_put_december_next_to_january() -> None:
    table = pa.table({"a": [datetime(2021, month, 15) for month in range(1, 13)]})
    encoder = Encoder.fit(table, {"a": "datetime"}, "codes", recipe=Recipe(dates="cycles"))
    places = [encoder.feature_names.index(f"a {wave} of month") for wave in ("sin", "cos")]
    circle = encoder.transform(table)[:, places]
    step = np.linalg.norm(circle[0] - circle[11])
    assert step == pytest.approx(np.linalg.norm(circle[5] - circle[6]), rel=1e-5)


@pytest.mark.parametrize(("view", "cycles"), [("codes", False), ("dense", True)])
def test_cycles_are_of_the_dense_view(view, cycles: bool) -> None:
    encoder = Encoder.fit(pa.table({"a": [*DATES, None]}), {"a": "datetime"}, view)
    assert ("a sin of month" in encoder.feature_names) == cycles
    assert ("a is missing" in encoder.feature_names) == cycles


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_any_unit_and_zone_is_the_same_time(unit: str) -> None:
    plain = pa.table({"a": pa.array(DATES, pa.timestamp("us"))})
    encoder = Encoder.fit(plain, {"a": "datetime"}, "codes")
    zoned = pa.table({"a": pa.array(DATES, pa.timestamp("us")).cast(pa.timestamp(unit, tz="Europe/Paris"))})
    np.testing.assert_array_equal(encoder.transform(zoned), encoder.transform(plain))


def test_a_zoned_python_time_is_read_in_utc() -> None:
    encoder = Encoder.fit(pa.table({"a": DATES}), {"a": "datetime"}, "codes")
    there = datetime(2020, 2, 29, 15, tzinfo=timezone(timedelta(hours=2)))
    np.testing.assert_array_equal(encoder.transform_one({"a": there}), encoder.transform_one({"a": DATES[0]}))
    assert np.isnan(encoder.transform_one({})).all()
