"""`batches: files`: one landed file, one partition; a bad one is put aside and the rest goes on."""

import pytest

from tests.end_to_end.command import Project, table_text

MORE = "  batches: {kind: files, glob: '*.csv'}\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A folder in which two files have landed."""
    made = Project(tmp_path_factory.mktemp("batches"))
    landing = made.root / "landing"
    landing.mkdir()
    for number in (1, 2):
        (landing / f"2024-0{number}.csv").write_text(table_text(300, seed=number))
    made.write_yaml("landed", "{type: csv, path: ../../landing}", budget=3, more=MORE)
    return made


def partitions(project: Project, asset: str) -> set[str]:
    import dagster as dg

    with dg.DagsterInstance.from_config(str(project.home / "dagster")) as instance:
        return set(instance.get_materialized_partitions(dg.AssetKey(["landed", asset])))


def test_every_landed_file_becomes_a_partition_and_all_train_one_model(project: Project) -> None:
    run = project.ok("run", "landed")
    assert run["problem"]["train_rows"] + run["problem"]["holdout_rows"] == 600
    for asset in ("raw_table", "quality_report", "predictions", "drift_report"):
        assert partitions(project, asset) == {"2024-01.csv", "2024-02.csv"}, asset
    assert project.ok("run", "landed")["status"] == "up_to_date"


def test_a_new_file_is_read_and_scored_and_widens_the_window(project: Project) -> None:
    (project.root / "landing" / "2024-03.csv").write_text(table_text(300, seed=3))
    run = project.ok("run", "landed")
    assert run["problem"]["train_rows"] + run["problem"]["holdout_rows"] == 900
    assert partitions(project, "predictions") == {"2024-01.csv", "2024-02.csv", "2024-03.csv"}
    assert len(run["run_ids"]) >= 3


def test_a_file_whose_types_narrow_is_put_in_quarantine_and_the_rest_stands(project: Project) -> None:
    lines = table_text(50, seed=4).replace("x,z", "x,z", 1).splitlines()
    broken = [lines[0], *(",".join(["many", *line.split(",")[1:]]) for line in lines[1:])]
    (project.root / "landing" / "2024-04.csv").write_text("\n".join(broken) + "\n")
    run = project.run("run", "landed", "--json")
    assert run.code == 0, run.err
    assert any("2024-04.csv" in warning for warning in run.document["warnings"])
    assert "2024-04.csv" not in partitions(project, "predictions")
    assert run.document["problem"]["train_rows"] + run.document["problem"]["holdout_rows"] == 900
    assert project.ok("run", "landed")["status"] == "up_to_date", "what is put aside is not tried again and again"
