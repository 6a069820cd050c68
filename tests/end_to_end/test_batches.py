"""Batches from the command line: files that land and windows of time; a bad one is put aside and the rest goes on."""

from typing import Any

import pytest

from tests.end_to_end.command import OWN_ENGINE, Project, table_text
from tests.end_to_end.daemon import write_tiny

FILES = "  batches: {kind: files, glob: '*.csv'}\n" + OWN_ENGINE
DAYS = "  batches: {kind: daily, start: 2024-01-01, time_column: at}\n"
ROWS = 200


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A folder in which two files have landed, and one that can't be read. Tests of this file run in order."""
    made = Project(tmp_path_factory.mktemp("batches"))
    landing = made.root / "landing"
    landing.mkdir()
    for number in (1, 2):
        (landing / f"2024-0{number}.csv").write_text(table_text(ROWS, seed=number))
    (landing / "2024-03.csv").write_text("x,z\n")
    write_tiny(made, "landed", "../../landing", FILES)
    return made


def used(run: dict[str, Any]) -> int:
    """The rows that the newest training read."""
    return run["problem"]["train_rows"] + run["problem"]["holdout_rows"]


def partitions(project: Project, asset: str, *, of: str = "landed") -> set[str]:
    import dagster as dg

    with dg.DagsterInstance.from_config(str(project.home / "dagster")) as instance:
        return set(instance.get_materialized_partitions(dg.AssetKey([of, asset])))


def test_every_landed_file_becomes_a_partition_all_train_one_model_and_an_unreadable_one_stops_none(
    project: Project,
) -> None:
    run = project.ok("run", "landed")
    assert used(run) == 2 * ROWS
    assert any("2024-03.csv could not be read" in warning for warning in run["warnings"])
    for asset in ("raw_table", "quality_report", "predictions", "drift_report"):
        assert partitions(project, asset) == {"2024-01.csv", "2024-02.csv"}, asset


def test_a_new_file_widens_the_window_and_one_whose_types_narrow_is_put_in_quarantine(project: Project) -> None:
    landing = project.root / "landing"
    (landing / "2024-03.csv").write_text(table_text(ROWS, seed=3))
    header, *lines = table_text(50, seed=4).splitlines()
    broken = [header, *(",".join(["many", *line.split(",")[1:]]) for line in lines)]
    (landing / "2024-04.csv").write_text("\n".join(broken) + "\n")
    run = project.ok("run", "landed")
    assert used(run) == 3 * ROWS
    assert any("2024-04.csv" in warning for warning in run["warnings"])
    assert partitions(project, "predictions") == {"2024-01.csv", "2024-02.csv", "2024-03.csv"}
    assert len(run["run_ids"]) >= 3


def test_a_copy_is_no_new_batch_a_moved_file_is_the_same_one_and_what_was_put_aside_is_not_tried_again(
    project: Project,
) -> None:
    landing = project.root / "landing"
    (landing / "copy.csv").write_bytes((landing / "2024-01.csv").read_bytes())
    (landing / "2024-02.csv").rename(landing / "renamed.csv")
    run = project.run("run", "landed", "--json")
    assert run.document["status"] == "up_to_date", run.err
    assert partitions(project, "raw_table") == {f"2024-0{number}.csv" for number in range(1, 5)}


def test_windows_of_time_are_batches_and_an_empty_one_is_none(project: Project) -> None:
    header, *lines = table_text(400, seed=9).splitlines()
    stamped = [f"2024-01-{1 + number // 100 + (number >= 200):02d},{line}" for number, line in enumerate(lines)]
    (project.root / "sales.csv").write_text("\n".join([f"at,{header}", *stamped]) + "\n")
    write_tiny(project, "sales", "../../sales.csv", DAYS)
    assert project.ok("run", "sales", "--until", "quality_report")["status"] == "success"
    read = partitions(project, "raw_table", of="sales")
    assert read == {"2024-01-01", "2024-01-02", "2024-01-04", "2024-01-05"}
