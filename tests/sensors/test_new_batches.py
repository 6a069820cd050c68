"""Each batch is requested once, in order, whatever happens between two looks."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from automl_assets.core.records import LandedBatch
from automl_assets.ingestion.landing import files_in
from automl_assets.serving.steps import PREDICTIONS
from automl_assets.steps import ARRIVAL
from resources.platform_database import PlatformDatabase
from resources.records.batches import Batches
from sensors import arrivals, new_batches
from sensors.arrivals import Calendar, Cursor, Fed, Folder, Tick, Wanted
from tests.sensors.ticks import tick_of

NOW = datetime(2024, 3, 12, 12, tzinfo=UTC)


class Platform:
    """A folder for each pipeline, a database, and the cursor of the last tick that ended well."""

    def __init__(self, root: Path, *names: str):
        self.root = root
        self.database = PlatformDatabase(f"sqlite:///{root / 'platform.db'}")
        self.fed = [Fed(name, Folder(str(root / name), "*.csv")) for name in names]
        for name in names:
            (root / name).mkdir()
        self.cursor = ""
        self.scored: set[str] = set()

    def land(self, name: str, **files: str) -> None:
        for key, text in files.items():
            (self.root / name / f"{key}.csv").write_text(text)

    def tick(self, *, killed: bool = False, at: datetime = NOW) -> list[Wanted]:
        """A tick; one whose daemon is killed leaves what it wrote to the database, and no cursor."""
        tick = Tick(self.fed, Cursor.of(self.cursor), Batches(self.database), at)
        tick.look()
        wanted = tick.take(lambda _, keys: self.scored & set(keys))
        self.told = tick.told()
        if not killed:
            self.cursor = tick.after.text()
        return wanted

    def ticks(self, count: int = 4, **how: Any) -> list[str]:
        return [key for _ in range(count) for key in keys(self.tick(**how))]


def keys(wanted: Sequence[Wanted]) -> list[str]:
    return [one.row.key for one in wanted]


@pytest.fixture
def churn(tmp_path: Path) -> Platform:
    return Platform(tmp_path, "churn")


def test_files_are_requested_once_in_natural_order(churn: Platform) -> None:
    churn.land("churn", batch_10="x", batch_2="y", batch_1="z")
    assert churn.tick() == []
    assert churn.told == ("churn: batch_1.csv, batch_2.csv, batch_10.csv are complete if unchanged at the next look.")
    assert keys(churn.tick()) == ["batch_1.csv", "batch_2.csv", "batch_10.csv"]
    assert churn.ticks() == []
    assert churn.told == "1 pipeline has nothing new."
    churn.land("churn", batch_3="new")
    assert churn.ticks() == ["batch_3.csv"]


def test_a_growing_file_is_said_beside_pipelines_that_have_nothing_new(tmp_path: Path) -> None:
    platform = Platform(tmp_path, "ames", "churn", "digits")
    for size in range(3):
        platform.land("churn", orders_7="x" * (size + 1))
        assert platform.tick() == []
    assert platform.told == "churn: orders_7.csv is still growing; 2 pipelines have nothing new."


def test_the_pipelines_are_told_in_their_own_order_whichever_is_looked_at_first(tmp_path: Path) -> None:
    platform = Platform(tmp_path, "ames", "churn", "digits")
    told = set[str]()
    for second in range(8):
        for name in ("ames", "churn", "digits"):
            platform.land(name, a="x" * (second + 1))
        platform.tick(at=NOW + timedelta(seconds=second))
        if second:
            told.add(platform.told)
    assert told == {"; ".join(f"{name}: a.csv is still growing" for name in ("ames", "churn", "digits")) + "."}


def test_a_folder_that_is_not_there_is_said_and_the_others_go_on(tmp_path: Path) -> None:
    platform = Platform(tmp_path, "ames", "churn")
    (tmp_path / "ames").rmdir()
    platform.land("churn", a="x")
    assert platform.ticks() == ["a.csv"]
    assert platform.tick() == []
    assert platform.told.startswith(f"ames: {tmp_path / 'ames'}: The folder in which files should land is not there.")


def test_copies_and_moves_are_written_down_and_never_requested(churn: Platform) -> None:
    churn.land("churn", a="one", b="two")
    assert churn.ticks() == ["a.csv", "b.csv"]
    churn.land("churn", c="one")
    (churn.root / "churn" / "b.csv").rename(churn.root / "churn" / "d.csv")
    assert churn.ticks() == []
    rows = Batches(churn.database).known("churn")
    assert [(key, row.state, row.same_as) for key, row in rows.items()][2:] == [
        ("c.csv", "duplicate", "a.csv"),
        ("d.csv", "moved", "b.csv"),
    ]
    churn.land("churn", a="rewritten")
    assert churn.ticks() == ["a.csv", "c.csv"], "the copy is now all there is of the old content"


def test_a_rewritten_file_is_requested_again_and_keeps_its_place(churn: Platform) -> None:
    churn.land("churn", a="one", b="two")
    requested = {one.run_key: one.row.sequence for _ in range(3) for one in churn.tick()}
    for text in ("three", "one", "three"):
        churn.land("churn", a=text)
        wanted = [one for _ in range(4) for one in churn.tick()]
        assert keys(wanted) == ["a.csv"]
        assert wanted[0].row.sequence == min(requested.values())
        assert wanted[0].run_key not in requested, "back to an earlier content is a rewrite too"
        requested[wanted[0].run_key] = wanted[0].row.sequence


@pytest.mark.parametrize("killed_at", range(9))
def test_a_daemon_killed_between_any_two_steps_ends_with_one_request_a_batch(tmp_path: Path, killed_at: int) -> None:
    platform = Platform(tmp_path, "churn")
    runs: dict[str, str] = {}
    platform.land("churn", a="one", b="two")
    for number in range(12):
        if number == 5:
            platform.land("churn", a="rewritten", c="three")
        for one in platform.tick(killed=number in (killed_at, killed_at + 1)):
            runs.setdefault(one.run_key, one.row.key)
    assert sorted(runs.values()) == ["a.csv", "a.csv", "b.csv", "c.csv"]
    assert platform.ticks() == []


def test_100_batches_at_once_are_requested_in_order_a_hundred_a_look(tmp_path: Path) -> None:
    platform = Platform(tmp_path, "ames", "churn")
    for name in ("ames", "churn"):
        platform.land(name, **{f"b{number}": f"{name} {number}" for number in range(90)})
    platform.tick()
    first, second = platform.tick(), platform.tick()
    assert (len(first), len(second), platform.ticks()) == (100, 80, [])
    assert {one.row.pipeline for one in first} == {"ames", "churn"}, "no pipeline waits for another's backlog"
    for name in ("ames", "churn"):
        mine = [one.row.key for one in [*first, *second] if one.row.pipeline == name]
        assert mine == [f"b{number}.csv" for number in range(90)]


def test_what_automl_run_scored_is_not_requested(churn: Platform) -> None:
    churn.land("churn", a="one", b="two")
    churn.scored = {"a.csv"}
    assert churn.ticks() == ["b.csv"]


def test_a_clock_that_jumps_changes_nothing(churn: Platform) -> None:
    churn.land("churn", a="one")
    os.utime(churn.root / "churn" / "a.csv", ns=(2**62, 2**62))
    assert churn.ticks(at=datetime(1970, 1, 2, tzinfo=UTC)) == ["a.csv"]
    assert churn.ticks(at=datetime(2070, 1, 2, tzinfo=UTC)) == []


def test_hashing_stops_when_the_time_is_up_and_goes_on_at_the_next_look(
    churn: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    churn.land("churn", a="one", b="two")
    churn.tick()
    monkeypatch.setattr(arrivals, "HASH_SECONDS", -1.0)
    assert churn.tick() == []
    assert churn.told == "churn: a.csv, b.csv are left for the next look."
    monkeypatch.undo()
    assert keys(churn.tick()) == ["a.csv", "b.csv"]


def test_many_pipelines_are_compared_some_at_a_look_and_none_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"p{number}" for number in range(7)]
    platform = Platform(tmp_path, *names)
    for name in names:
        platform.land(name, a=name)
    monkeypatch.setattr(arrivals, "COMPARE_SECONDS", -1.0)
    monkeypatch.setattr(arrivals, "COMPARED_TOGETHER", 3)

    found = []
    for second in range(20):
        found += platform.tick(at=NOW + timedelta(seconds=second))
        if second == 0:
            assert platform.told.endswith("; 4 more are left for the next look.")

    assert sorted(wanted.row.pipeline for wanted in found) == names
    assert platform.told == "7 pipelines have nothing new."


def test_windows_are_requested_when_they_have_closed(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    platform.fed = [Fed("sales", Calendar("daily", date(2024, 3, 9), "Europe/Warsaw", delay_hours=2))]
    assert platform.ticks() == ["2024-03-09", "2024-03-10", "2024-03-11"]
    assert platform.ticks(at=datetime(2024, 3, 13, 0, 59, tzinfo=UTC)) == [], "02:00 in Warsaw is 01:00 in UTC"
    assert platform.ticks(at=datetime(2024, 3, 13, 1, 0, tzinfo=UTC)) == ["2024-03-12"]
    assert platform.ticks(at=NOW) == [], "a clock that goes back asks for nothing twice"


def test_years_of_windows_come_a_hundred_a_look(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    platform.fed = [Fed("sales", Calendar("daily", date(2023, 8, 1), "UTC"))]
    looks = [keys(platform.tick()) for _ in range(4)]
    assert [len(look) for look in looks] == [100, 100, 24, 0]
    found = [key for look in looks for key in look]
    assert found == sorted(found)


# ---- on a real instance ----------------------------------------------------------------------------------------


def definitions_for(fed: Sequence[Fed], database: PlatformDatabase) -> dg.Definitions:
    """Assets and jobs under the names that the component gives them, and the sensor."""
    assets: list[Any] = []
    jobs: list[Any] = []
    for pipeline in fed:
        partitions: Any = dg.DynamicPartitionsDefinition(name=f"{pipeline.name}_batches")
        if isinstance(pipeline.arrives, Calendar):
            partitions = dg.DailyPartitionsDefinition(start_date=pipeline.arrives.first.isoformat())
        for asset in (*(step.name for step in ARRIVAL), PREDICTIONS.name):
            key = dg.AssetKey([pipeline.name, asset])
            assets.append(dg.asset(key=key, partitions_def=partitions)(lambda: None))
        jobs.append(dg.define_asset_job(f"{pipeline.name}_score", selection=[one.key for one in assets[-3:]]))
    sensor = new_batches.build(fed, jobs, lambda: database)
    return dg.Definitions(assets=assets, jobs=jobs, sensors=[sensor])


def test_the_sensor_on_a_real_instance(tmp_path: Path) -> None:
    platform = Platform(tmp_path, "ames", "churn")
    platform.fed.append(Fed("sales", Calendar("daily", date(2024, 1, 1), "UTC")))
    platform.land("churn", **{"a": "x"})
    (tmp_path / "churn" / "b, c.csv").write_text("y")
    definitions = definitions_for(platform.fed, platform.database)
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        first = tick_of(definitions, instance, "new_batches", None)
        assert {request.job_name for request in first.run_requests} == {"sales_score"}
        assert len(first.run_requests) == 100
        champion = dg.AssetMaterialization(dg.AssetKey(["churn", "champion"]))
        instance.report_runless_asset_event(champion)
        second = tick_of(definitions, instance, "new_batches", first.cursor)
        mine = [request for request in second.run_requests if request.job_name == "churn_score"]
        assert [request.partition_key for request in mine] == ["a.csv", "b%2C c.csv"]
        assert [request.asset_selection for request in mine] == [None, None]
        assert mine[0].tags["automl/pipeline"] == "churn"
        (added,) = second.dynamic_partitions_requests
        assert (added.partitions_def_name, added.partition_keys) == ("churn_batches", ["a.csv", "b%2C c.csv"])
        without = next(request for request in second.run_requests if request.job_name == "sales_score")
        assert [key.path[-1] for key in without.asset_selection] == ["raw_table", "quality_report"]
        assert new_batches.already_scored(instance, "churn", ["a.csv"]) == set()
        scored = dg.AssetMaterialization(dg.AssetKey(["churn", "predictions"]), partition="a.csv")
        instance.report_runless_asset_event(scored)
        assert new_batches.already_scored(instance, "churn", ["a.csv", "b%2C c.csv"]) == {"a.csv"}


def test_a_tick_over_many_pipelines_with_200_known_files_each_is_fast(tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(50)]
    platform = Platform(tmp_path, *names)
    for name in names:
        platform.land(name, **{f"b{number}": f"{name} {number}" for number in range(200)})
        lying = files_in(tmp_path / name, "*.csv")
        rows = [LandedBatch(name, file.key, file.key, file.size, file.mtime_ns) for file in lying]
        Batches(platform.database).land(rows)
    platform.scored = {f"b{number}.csv" for number in range(200)}
    begun = time.perf_counter()
    assert platform.tick() == []
    first = time.perf_counter() - begun
    for _ in range(4):  # a tick compares ten pipelines at least, and as many more as it has time for
        assert platform.tick() == []
    begun = time.perf_counter()
    assert platform.tick() == []
    second = time.perf_counter() - begun
    print(f"50 x 200 known files: first tick {first:.3f} s, then {second:.3f} s; cursor {len(platform.cursor):,}")
    assert platform.told == "50 pipelines have nothing new."
    assert second < 1.0, "a tenth of the pipelines that have one second"
    assert len(platform.cursor) < 5_000


def test_the_sensor_is_thin() -> None:
    heavy = "{'pandas', 'numpy', 'pyarrow', 'evidently', 'mlflow', 'sklearn', 'sqlalchemy'} & set(sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", f"import sys, sensors.new_batches; print({heavy})"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(found.stdout.split()) <= {"set()", "{'sqlalchemy'}"}, "Dagster itself imports SQLAlchemy"
