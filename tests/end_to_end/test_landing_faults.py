"""Files that never complete, land twice, land by the hundred or from another time: each batch is requested once.

Here the sensors look at a real instance; by `make fault-test` a real daemon does, and is killed while it asks.
"""

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from automl_assets.core.records import Action, now
from automl_assets.definitions import definitions_of
from automl_assets.pipeline_files import load_pipeline
from resources.platform_database import PlatformDatabase, close_all
from resources.records.actions import Actions
from resources.settings import Settings, template
from tests.end_to_end.command import Project, wait_until
from tests.end_to_end.daemon import Sensors, Server, ticks, write_tiny

NAMES = ("files", "marked")
FILES = "  batches: {kind: files, glob: '*.csv'}\n"
MARKED = "  batches: {kind: files, glob: '*.csv', marker: '{name}.done'}\n"
FOLLOWING = "is still growing"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    for name, more in (("files", FILES), ("marked", MARKED)):
        (tmp_path / name).mkdir()
        write_tiny(made, name, f"../../{name}", more)
    yield made
    made.close()
    close_all()


@pytest.fixture
def sensors(project: Project, tmp_path: Path) -> Iterator[Sensors]:
    settings = Settings.from_environment({"AUTOML_HOME": str(project.home)}, folder=tmp_path)
    settings.prepare_home()
    pipelines = [load_pipeline(tmp_path / "pipelines" / name / "defs.yaml") for name in NAMES]
    with dg.DagsterInstance.local_temp(str(settings.dagster_home)) as instance:
        yield Sensors(definitions_of(pipelines, settings), instance)


def keys(requests: Any) -> list[str]:
    return [request.partition_key for request in requests]


def test_a_batch_that_never_completes_is_never_requested_and_its_neighbours_are(
    project: Project, sensors: Sensors
) -> None:
    for key in ("a", "c"):
        (project.root / "files" / f"{key}.csv").write_text(key)
        (project.root / "marked" / f"{key}.csv").write_text(key)
        (project.root / "marked" / f"{key}.csv.done").touch()
    (project.root / "marked" / "b.csv").write_text("b")
    requested: list[str] = []
    told: list[str] = []
    for size in range(6):
        (project.root / "files" / "b.csv").write_text("x" * (size + 1))
        result = sensors.tick("new_batches")
        requested += [f"{request.tags['automl/pipeline']}/{request.partition_key}" for request in result.run_requests]
        told.append(result.skip_message)
    assert sorted(requested) == ["files/a.csv", "files/c.csv", "marked/a.csv", "marked/c.csv"]
    assert told[-1] == "files: b.csv is still growing; marked: b.csv is waiting for a marker."


def test_the_same_file_twice_is_requested_once(project: Project, sensors: Sensors) -> None:
    (project.root / "files" / "a.csv").write_text("rows")
    (project.root / "files" / "z.csv").write_text("rows")
    found = [key for _ in range(3) for key in keys(sensors.tick("new_batches").run_requests)]
    (project.root / "files" / "again.csv").write_text("rows")
    found += [key for _ in range(3) for key in keys(sensors.tick("new_batches").run_requests)]
    assert found == ["a.csv"]


@pytest.mark.parametrize("lost", [False, True], ids=["", "and the daemon is killed before it has noted them"])
def test_100_files_at_once_are_requested_once_each_in_order(project: Project, sensors: Sensors, lost: bool) -> None:
    for number in range(100):
        (project.root / "files" / f"b{number}.csv").write_text(str(number))
    assert keys(sensors.tick("new_batches").run_requests) == []
    asked = sensors.tick("new_batches", remember=not lost).run_requests
    again = sensors.tick("new_batches").run_requests
    assert keys(asked) == [f"b{number}.csv" for number in range(100)]
    assert [one.run_key for one in again] == ([one.run_key for one in asked] if lost else [])
    assert len({one.run_key for one in asked}) == 100
    assert sensors.instance.get_dynamic_partitions("files_batches") == keys(asked)
    assert keys(sensors.tick("new_batches").run_requests) == []


def test_files_from_the_future_and_the_past_are_requested_once(project: Project, sensors: Sensors) -> None:
    century = 100 * 365 * 86_400
    for key, at in (("a", time.time() + century), ("b", 0), ("c", time.time() - 3600)):
        (project.root / "files" / f"{key}.csv").write_text(key)
        os.utime(project.root / "files" / f"{key}.csv", (at, at))
    found = [key for _ in range(3) for key in keys(sensors.tick("new_batches").run_requests)]
    assert found == ["a.csv", "b.csv", "c.csv"]
    os.utime(project.root / "files" / "a.csv", (1, 1))
    assert [key for _ in range(3) for key in keys(sensors.tick("new_batches").run_requests)] == []


def test_a_retrain_that_a_wrong_clock_noted_in_the_future_holds_up_none(project: Project, sensors: Sensors) -> None:
    actions = Actions(PlatformDatabase.of(project.home, None))
    noted = Action("files", "retrain", "retrain-f0", "it drifted", state="done", finding="f0")
    actions.add(Action("files", "retrain", "retrain-f1", "it drifted", finding="f1"))
    actions.add(noted)
    actions.request(noted, "r0", now() + timedelta(days=365))
    actions.finish(noted, "done", "version 1")
    assert [one.run_key for one in sensors.tick("drift_retraining").run_requests] == ["files-retrain-f1"]
    actions.request(noted, "r0", now() - timedelta(hours=1))
    actions.finish(noted, "done", "version 1")
    told = sensors.tick("drift_retraining").skip_message
    assert told is not None
    assert told.startswith("files: cooling down for 6 h after the last retrain")


# ---- by a real daemon ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_daemon_that_is_killed_while_it_asks_asks_for_each_of_100_files_once(project: Project) -> None:
    server = Server(project)
    held = template("dagster.yaml").read_text().replace("max_concurrent_runs: 4", "max_concurrent_runs: 0")
    assert "max_concurrent_runs: 0" in held, "the runs are to be asked for, not executed"
    server.prepare(held)
    for number in range(100):
        (project.root / "files" / f"b{number}.csv").write_text(str(number))
    growing = project.root / "files" / "growing.csv"
    (project.root / "files" / "copy.csv").write_text("7")
    try:
        server.start_code()
        with dg.DagsterInstance.from_config(str(server.dagster_home)) as instance:

            def asked() -> int:
                growing.write_text(growing.read_text() + "x" if growing.exists() else "x")
                return instance.get_runs_count(dg.RunsFilter(job_name="files_score"))

            server.start_daemon()
            server.switch_on(instance, ["new_batches"])
            for few in (1, 30, 60):
                assert wait_until(lambda: asked() >= few, 120, poll=0.02), server.log("daemon")  # noqa: B023
                server.kill_daemon()
                server.start_daemon()
            assert wait_until(lambda: asked() >= 100, 120, poll=0.2), server.log("daemon")
            assert wait_until(lambda: FOLLOWING in _reason(instance, asked), 60, poll=0.2), _reason(instance, asked)
            runs = instance.get_runs(dg.RunsFilter(job_name="files_score"), ascending=True)
            wanted = [f"b{number}.csv" for number in range(100)]
            assert [run.tags["dagster/partition"] for run in runs] == wanted
            assert {run.status for run in runs} == {dg.DagsterRunStatus.QUEUED}
    finally:
        server.close()


def _reason(instance: dg.DagsterInstance, asked: Any) -> str:
    """Why the newest look asked for nothing."""
    asked()
    return next((tick.tick_data.skip_reason or "" for tick in ticks(instance, "new_batches")), "")
