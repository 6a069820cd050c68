"""Batches are measured once their labels have come and they are mature: once each, the newest first, in order."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from automl_assets.core.records import LandedBatch
from automl_assets.definitions import definitions_of
from automl_assets.ingestion.sources.csv import Csv
from automl_assets.ingestion.sources.sql import Sql
from automl_assets.pipeline import PipelineConfig
from resources.pipeline_lock import PIPELINE_TAG
from resources.platform_database import PlatformDatabase, close_all
from resources.records.batches import Batches
from resources.settings import Settings
from sensors.late_labels import Due, Tick, Watched
from sensors.requests import TRIGGER_TAG
from tests.sensors.ticks import tick_of

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[PlatformDatabase]:
    yield PlatformDatabase.of(tmp_path, None)
    close_all()


class Looks:
    """The sensor's ticks on one folder; everything has been scored unless it is said."""

    def __init__(
        self, folder: Path, database: PlatformDatabase, *names: str, days: float = 0.0, arrives: Any = "files"
    ):
        self.folder, self.batches, self.now = folder, Batches(database), NOW
        self.watched = [Watched(name, self.source(name), days, arrives) for name in names or ("churn",)]
        self.cursor: str | None = None
        self.unscored: set[str] = set()
        self.told = ""

    def source(self, name: str) -> Csv:
        return Csv(type="csv", path=str(self.folder / f"{name}_labels.csv"))

    def write(self, text: str = "id,y\n1,yes\n", name: str = "churn") -> None:
        path = self.folder / f"{name}_labels.csv"
        path.write_text(text)
        os.utime(path, ns=(0, hash(text) % 10**15))

    def land(self, *keys: str, at: datetime = NOW - DAY, name: str = "churn", **given: Any) -> None:
        self.batches.land([LandedBatch(name, key, f"bytes of {key}", at=at, **given) for key in keys])

    def due(self, *, remember: bool = True) -> list[Due]:
        tick = Tick(self.watched, self.cursor, self.batches, self.now)
        tick.look()
        found = tick.take(lambda _, keys: set(keys) - self.unscored)
        self.told = tick.told()
        self.cursor = tick.cursor() if remember else self.cursor
        return found

    def __call__(self) -> list[str]:
        return [due.row.key for due in self.due()]


@pytest.fixture
def looks(tmp_path: Path, database: PlatformDatabase) -> Looks:
    return Looks(tmp_path, database)


def test_batches_are_due_once_their_labels_have_settled(looks: Looks) -> None:
    looks.land("a", "b")
    assert (looks(), looks.told) == ([], "No labels of churn have come.")
    looks.write("id,y\n1,")
    assert (looks(), looks.told) == ([], "The labels of churn changed: complete if unchanged at the next look.")
    looks.write("id,y\n1,yes\n")
    assert looks() == [], "they were still being written"
    assert looks() == ["a", "b"]
    assert (looks(), looks.told) == ([], "1 pipeline has no new labels and no batch that matured.")


def test_new_labels_make_every_batch_due_again_under_another_key(looks: Looks) -> None:
    looks.land("a")
    looks.write()
    looks()
    (first,) = looks.due()
    looks.write("id,y\n1,yes\n2,no\n")
    assert looks() == []
    (second,) = looks.due()
    assert (first.row.key, second.row.key) == ("a", "a")
    assert first.run_key != second.run_key


def test_a_tick_that_is_repeated_asks_under_the_same_keys(looks: Looks) -> None:
    looks.land("a", "b")
    looks.write()
    looks()
    before, again = looks.due(remember=False), looks.due()
    assert [due.run_key for due in before] == [due.run_key for due in again]
    assert len({due.run_key for due in again}) == 2


def test_a_batch_is_due_when_it_matures(tmp_path: Path, database: PlatformDatabase) -> None:
    looks = Looks(tmp_path, database, days=30)
    looks.land("old", at=NOW - 31 * DAY)
    looks.land("young", at=NOW - 29 * DAY)
    looks.write()
    assert [looks(), looks(), looks()] == [[], ["old"], []]
    looks.now += 2 * DAY
    assert [looks(), looks()] == [["young"], []]
    looks.now += 365 * DAY
    looks.land("new", at=looks.now - DAY)
    assert looks() == []
    looks.now += 30 * DAY
    assert looks() == ["new"]


def test_the_newest_twenty_are_asked_for_at_a_tick_in_order_and_the_rest_after(looks: Looks) -> None:
    keys = [f"b{number:02d}" for number in range(50)]
    looks.land(*keys)
    looks.write()
    assert [looks(), looks(), looks(), looks(), looks()] == [[], keys[30:], keys[10:30], keys[:10], []]


def test_a_batch_that_matures_while_older_ones_wait_their_turn_makes_none_due_twice(
    tmp_path: Path, database: PlatformDatabase
) -> None:
    looks = Looks(tmp_path, database, days=1)
    keys = [f"b{number:02d}" for number in range(30)]
    looks.land(*keys, at=NOW - 2 * DAY)
    looks.land("young", at=NOW - DAY + timedelta(minutes=1))
    looks.write()
    assert [looks(), looks()] == [[], keys[10:]]
    looks.now += timedelta(minutes=2)
    assert [looks(), looks()] == [[*keys[:10], "young"], []]


def test_copies_and_batches_that_were_never_scored_are_not_asked_for(looks: Looks) -> None:
    looks.land("a", "unscored")
    looks.land("copy", state="duplicate", same_as="a")
    looks.unscored = {"unscored"}
    looks.write()
    assert [looks(), looks(), looks()] == [[], ["a"], []]


def test_pipelines_take_turns(tmp_path: Path, database: PlatformDatabase) -> None:
    looks = Looks(tmp_path, database, "churn", "ames", "none")
    for name in ("churn", "ames"):
        looks.land(*(f"{name}{number:02d}" for number in range(15)), name=name)
        looks.write(name=name)
    looks()
    due = looks.due()
    assert [due.row.pipeline for due in due] == ["churn"] * 10 + ["ames"] * 10
    assert len(looks()) == 10
    looks()
    assert looks.told == "No labels of none have come; 2 pipelines have no new labels and no batch that matured."


@pytest.mark.parametrize(
    ("arrives", "keys", "due"),
    [
        ("daily", ["2026-11-18", "2026-11-19", "2026-11-20"], ["2026-11-18", "2026-11-19"]),
        ("weekly", ["2026-11-02", "2026-11-14"], ["2026-11-02"]),
        ("none", [], ["all"]),
    ],
)
def test_windows_mature_after_they_end_and_a_whole_table_at_once(
    tmp_path: Path, database: PlatformDatabase, arrives: str, keys: list[str], due: list[str]
) -> None:
    looks = Looks(tmp_path, database, days=1, arrives=arrives)
    looks.land(*keys, at=NOW - 300 * DAY)
    looks.write()
    assert [looks(), looks(), looks()] == [[], due, []]


def test_labels_in_a_database_are_asked_for_when_batches_mature(looks: Looks) -> None:
    source = Sql(type="sql", url=SecretStr("sqlite:///x.db"), query="select 1")
    looks.watched = [Watched("churn", source, 1.0, "files")]
    looks.land("a", at=NOW - 2 * DAY)
    looks.land("b", at=NOW)
    assert [looks(), looks(), looks()] == [[], ["a"], []]
    looks.now += 2 * DAY
    assert looks() == ["b"]


def test_without_pipelines_with_labels_a_tick_says_so(looks: Looks) -> None:
    looks.watched = []
    assert (looks(), looks.told) == ([], "No pipeline has labels that come later.")


# ---- as Dagster runs it -----------------------------------------------------------------------------------------


def definitions(folder: Path, **sections: Any) -> dg.Definitions:
    document = {
        "name": "churn", "source": {"type": "csv", "path": "in"}, "target": "y", "batches": {"kind": "files"},
        "labels": {"source": {"type": "csv", "path": "churn_labels.csv"}, "key": ["id"], "matures_after_days": 0},
        **sections,
    }  # fmt: skip
    config = PipelineConfig.model_validate(document).located(folder)
    return definitions_of([config], Settings.from_environment({"AUTOML_HOME": str(folder)}, folder=folder))


@pytest.mark.parametrize("batches", [{"kind": "files"}, {"kind": "none"}])
def test_a_request_measures_one_batch_with_what_it_needs(tmp_path: Path, looks: Looks, batches: dict[str, Any]) -> None:
    looks.land("b/1.csv")
    looks.write()
    key = "b/1.csv" if batches["kind"] == "files" else None
    defs = definitions(tmp_path, batches=batches)
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(dg.AssetKey(["churn", "predictions"]), partition=key)
        )

        first = tick_of(defs, instance, "late_labels", None)
        assert first.skip_message == "The labels of churn changed: complete if unchanged at the next look."
        (request,) = tick_of(defs, instance, "late_labels", first.cursor).run_requests
    assert (request.job_name, request.partition_key) == ("churn_score", key)
    assert [asset.path[-1] for asset in request.asset_selection or ()] == [
        "predictions", "drift_report", "performance_report", "verdict",
    ]  # fmt: skip
    assert (request.tags[PIPELINE_TAG], request.tags[TRIGGER_TAG]) == ("churn", "labels")


def test_a_pipeline_whose_labels_come_with_its_rows_needs_no_such_sensor(tmp_path: Path) -> None:
    sensors = {sensor.name for sensor in definitions(tmp_path, labels=None).sensors or ()}
    assert "late_labels" not in sensors


def test_five_hundred_pipelines_with_two_hundred_batches_each_take_under_a_second_a_tick(
    tmp_path: Path, database: PlatformDatabase
) -> None:
    names = [f"p{number}" for number in range(500)]
    looks = Looks(tmp_path, database, *names, days=1)
    for name in names:
        looks.write(name=name)
    rows = [LandedBatch(name, f"b{n}", "x", at=NOW - (n % 3) * DAY) for name in names for n in range(200)]
    looks.batches.land(rows)
    seconds: list[float] = []
    found: list[int] = []
    for _ in range(3):
        begun = time.perf_counter()
        found.append(len(looks.due()))
        seconds.append(time.perf_counter() - begun)
    assert found == [0, 20, 20]
    assert max(seconds) < 1.0
