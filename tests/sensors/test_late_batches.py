"""A late batch is told once, in one query however many pipelines there are."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from automl_assets.core.records import LandedBatch
from resources.platform_database import PlatformDatabase
from resources.records.batches import Batches
from resources.records.notices import Notices
from sensors.late_batches import Expected, build, is_late, note_late

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def database(tmp_path: Path) -> PlatformDatabase:
    return PlatformDatabase.of(tmp_path, None)


def land(database: PlatformDatabase, *batches: tuple[str, str, datetime]) -> None:
    Batches(database).land([LandedBatch(pipeline, key, key, at=at) for pipeline, key, at in batches])


@pytest.mark.parametrize(
    ("hours_ago", "every", "late"), [(None, 1, False), (0, 1, False), (24, 24, False), (24.1, 24, True), (-3, 1, False)]
)
def test_when_a_batch_is_late(hours_ago: float | None, every: float, late: bool) -> None:
    last = None if hours_ago is None else NOW - hours_ago * HOUR
    assert is_late(last, every, NOW) is late


def test_copies_and_moves_of_a_file_are_no_arrival(database: PlatformDatabase) -> None:
    land(database, ("churn", "a", NOW - 9 * HOUR), ("churn", "b", NOW - 5 * HOUR), ("ames", "a", NOW - 2 * HOUR))
    Batches(database).land([LandedBatch("churn", "copy", "b", state="duplicate", same_as="b", at=NOW)])
    assert note_late(database, [Expected("churn", 4), Expected("ames", 4)], {}, NOW) == {
        "churn": "b@2026-11-21T07:00:00Z"
    }


def test_a_lateness_is_told_once_and_the_next_one_again(database: PlatformDatabase) -> None:
    land(database, ("churn", "b", NOW - 5 * HOUR), ("ames", "x", NOW - HOUR))
    expected = [Expected("churn", 4), Expected("ames", 4), Expected("new", 4)]
    clock = [NOW]
    sensor = build(expected, lambda: database, now=lambda: clock[0])
    cursor: str | None = None

    def tick() -> str | None:
        nonlocal cursor
        result = sensor.evaluate_tick(dg.build_sensor_context(cursor=cursor))
        cursor = result.cursor
        return result.skip_message

    assert tick() == "Late: churn."
    (notice,) = Notices(database).of("churn")
    assert (notice.severity, notice.title, notice.key) == (
        "warning",
        "no batch for 5.0 hours",
        "late:b@2026-11-21T07:00:00Z",
    )
    assert notice.body == "A batch is expected every 4 hours. The last one, b, landed at 2026-11-21 07:00 UTC."
    clock[0] += 30 * HOUR
    assert tick() == "Late: churn, ames."
    assert len(Notices(database).of("churn")) == 1, "a lateness is told once, however long"
    land(database, ("churn", "c", clock[0]), ("ames", "y", clock[0]))
    assert tick() == "No batch of 3 pipelines is late."
    assert json.loads(str(cursor)) == {}
    clock[0] += 5 * HOUR
    assert tick() == "Late: churn, ames."
    assert [n.key[:6] for n in Notices(database).of("churn")] == ["late:c", "late:b"]


def test_a_file_that_is_written_again_and_again_is_late_again_within_a_day(database: PlatformDatabase) -> None:
    for at in (NOW, NOW + 8 * HOUR):
        Batches(database).land([LandedBatch("churn", "latest.csv", f"content of {at}", at=at)])
        note_late(database, [Expected("churn", 4)], {}, at + 5 * HOUR)
    assert len(Notices(database).of("churn")) == 2


def test_a_lost_cursor_tells_nobody_twice(database: PlatformDatabase) -> None:
    land(database, ("churn", "b", NOW - 5 * HOUR))
    for _ in range(2):
        assert note_late(database, [Expected("churn", 4)], {}, NOW) == {"churn": "b@2026-11-21T07:00:00Z"}
    assert len(Notices(database).of("churn")) == 1


def test_five_hundred_pipelines_with_two_hundred_batches_each_take_under_a_second(database: PlatformDatabase) -> None:
    land(
        database,
        *(
            (f"p{pipeline}", f"b{batch}", NOW - batch * HOUR - HOUR)
            for batch in range(199, -1, -1)
            for pipeline in range(500)
        ),
    )
    expected = [Expected(f"p{i}", 24.0) for i in range(500)]
    begun = time.perf_counter()
    assert note_late(database, expected, {}, NOW) == {}
    assert time.perf_counter() - begun < 1.0
