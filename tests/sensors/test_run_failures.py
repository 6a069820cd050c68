"""Failed runs are told once, in words of ours, on a real instance."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from automl_assets.core.errors import SourceError, StorageError
from resources.pipeline_lock import PIPELINE_TAG
from resources.platform_database import PlatformDatabase
from resources.records.notices import Notices
from resources.steps import as_failure
from sensors.run_failures import build


@dg.asset(key=["churn", "raw_table"])
def told_failure() -> None:
    error = SourceError("The file is empty.", where="a.csv", remedy="Write rows.")
    raise as_failure(error) from error


@dg.asset(key=["churn", "clean_table"])
def bug() -> None:
    raise ValueError("could not convert 'Ada Lovelace'")


@dg.asset(
    key=["churn", "problem"], check_specs=[dg.AssetCheckSpec("enough", asset=["churn", "problem"], blocking=True)]
)
def checked() -> dg.MaterializeResult:
    check = dg.AssetCheckResult(passed=False, check_name="enough", severity=dg.AssetCheckSeverity.ERROR)
    return dg.MaterializeResult(check_results=[check])


@dg.asset(key=["churn", "cleaning_plan"], deps=[["churn", "problem"]])
def after_check() -> None: ...


ASSETS = {"told": [told_failure], "bug": [bug], "check": [checked, after_check]}


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """Shared: each test's sensor starts at what has failed by then."""
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as instance:
        yield instance


class Ticks:
    """A sensor that is asked again and again, as the daemon does."""

    def __init__(self, instance: dg.DagsterInstance, home: Path):
        self.instance = instance
        self.database = PlatformDatabase.of(home, None)
        self.cursor: str | None = None

    def tick(self, database: PlatformDatabase | None = None) -> str | None:
        sensor = build({"churn", "ames"}, lambda: database or self.database)
        with dg.build_sensor_context(self.instance, cursor=self.cursor) as context:
            result = sensor.evaluate_tick(context)
        self.cursor = result.cursor
        return result.skip_message

    def fail(self, how: str, pipeline: str = "churn") -> str:
        tags = {PIPELINE_TAG: pipeline, "dagster/partition": "2026-11"} if pipeline else {}
        job = dg.Definitions(assets=ASSETS[how], jobs=[dg.define_asset_job("churn_score")])
        result = job.resolve_job_def("churn_score").execute_in_process(
            instance=self.instance, raise_on_error=False, tags=tags
        )
        assert not result.success
        return result.run_id


@pytest.fixture
def ticks(instance: dg.DagsterInstance, tmp_path: Path) -> Ticks:
    return Ticks(instance, tmp_path)


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("told", "raw_table: The file is empty."),
        ("bug", "clean_table failed unexpectedly (ValueError)."),
        ("check", "problem: a check stopped the run."),
    ],
)
def test_a_failed_run_is_told_with_its_first_failed_step(ticks: Ticks, how: str, sentence: str) -> None:
    assert ticks.tick() == "Failed runs are told from here on."
    run_id = ticks.fail(how)
    assert ticks.tick() == f"Wrote messages for failed runs: churn ({run_id[:8]})."
    (notice,) = Notices(ticks.database).of("churn")
    assert (notice.severity, notice.key) == ("critical", f"run-failed:{run_id}")
    assert notice.title == f"run {run_id[:8]} of churn_score failed on 2026-11"
    assert notice.body == f"{sentence} Its log: `automl ui`, run {run_id}."
    assert "Ada" not in notice.body


def test_each_is_told_once_and_those_before_the_sensor_started_never(ticks: Ticks) -> None:
    ticks.fail("told")
    ticks.tick()
    assert ticks.tick() == "No run of a pipeline has failed."
    first, second = ticks.fail("told"), ticks.fail("told", "ames")
    assert ticks.tick() == f"Wrote messages for failed runs: churn ({first[:8]}), ames ({second[:8]})."
    assert ticks.tick() == "No run of a pipeline has failed."
    before = ticks.cursor
    ticks.cursor = "0"
    ticks.tick()
    assert ticks.cursor == before
    assert len(Notices(ticks.database).of("ames")) == 1


def test_runs_of_nobody_or_of_other_pipelines_are_not_told(ticks: Ticks) -> None:
    ticks.tick()
    ticks.fail("told", "")
    ticks.fail("told", "unknown")
    assert ticks.tick() == "No run of a pipeline has failed."


def test_a_run_whose_process_was_killed_is_told_too(ticks: Ticks) -> None:
    ticks.tick()
    job = dg.Definitions(assets=[told_failure], jobs=[dg.define_asset_job("j")]).resolve_job_def("j")
    run = ticks.instance.create_run_for_job(job, tags={PIPELINE_TAG: "churn"})
    ticks.instance.report_run_failed(run, "Its process is gone; the run was marked failed.")
    ticks.tick()
    assert "No step failed: its process ended." in Notices(ticks.database).of("churn")[0].body


def test_while_the_database_is_gone_nothing_is_passed_over(ticks: Ticks) -> None:
    ticks.tick()
    ticks.fail("told")
    with pytest.raises(StorageError):
        ticks.tick(PlatformDatabase("postgresql://127.0.0.1:1/x"))
    assert str(ticks.tick()).startswith("Wrote messages for failed runs: churn")
