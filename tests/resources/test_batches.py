"""The order of arrival, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from automl_assets.core.records import LandedBatch
from resources.platform_database import PlatformDatabase
from resources.records.batches import Batches
from tests.conftest import postgres_database


@pytest.fixture(params=["sqlite", "postgres"])
def batches(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Batches]:
    if request.param == "sqlite":
        yield Batches(PlatformDatabase(f"sqlite:///{tmp_path / 'platform.db'}"))
        return
    with postgres_database() as url:
        yield Batches(PlatformDatabase(url))


def row(key: str, digest: str = "d", pipeline: str = "churn", **more) -> LandedBatch:
    return LandedBatch(pipeline, key, digest, 3, 2**62, **more)


def test_batches_come_back_in_the_order_of_arrival_with_their_sequence(batches: Batches) -> None:
    landed = batches.land([row("b10"), row("b2", "e"), row("x", pipeline="ames")])
    assert [one.key for one in landed] == ["b10", "b2", "x"]
    assert landed[0].sequence < landed[1].sequence < landed[2].sequence
    assert list(batches.known("churn").values()) == landed[:2]
    assert batches.known_of(["ames", "none"]) == {"ames": {"x": landed[2]}, "none": {}}
    assert batches.land([]) == []


def test_a_rewrite_keeps_its_sequence_and_a_copy_is_no_newest_batch(batches: Batches) -> None:
    first, second = batches.land([row("a"), row("b", "e")])
    again = batches.land([replace(first, digest="f", size=9, mtime_ns=4)])[0]
    assert (again.sequence, again.digest, again.size, again.mtime_ns) == (first.sequence, "f", 9, 4)
    batches.land([row("c", "e", state="duplicate", same_as="b"), row("z", pipeline="ames")])
    assert batches.known("churn")["c"].same_as == "b"
    newest = batches.newest(["churn", "ames", "none"])
    assert {name: one.key for name, one in newest.items()} == {"churn": "b", "ames": "z"}
    assert newest["churn"].sequence == second.sequence


def test_landing_twice_changes_nothing(batches: Batches) -> None:
    first = batches.land([row("a"), row("b")])
    assert batches.land([row("a"), row("b")]) == first


def test_two_processes_that_land_the_same_at_once_end_with_one_row_each(batches: Batches) -> None:
    batches.known("churn")
    rows = [row(f"b{number}", str(number)) for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        landed = list(pool.map(lambda part: batches.land(part), [rows, rows[::-1], rows[::2], rows[1::2]]))
    known = batches.known("churn")
    assert set(known) == {one.key for one in rows}
    assert all(one == known[one.key] for part in landed for one in part)
    assert len({one.sequence for one in known.values()}) == 40
