"""Schedules: with batches, the newest one is scored."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from automl_assets.core.records import LandedBatch
from automl_assets.pipeline import PipelineConfig
from resources.platform_database import PlatformRecords
from resources.records.batches import Batches
from resources.steps import partitions_of
from sensors.schedules import schedules_of


def schedules(folder: Path, **sections: Any) -> dict[str, dg.ScheduleDefinition]:
    document = {"name": "churn", "source": {"type": "csv", "path": "in"}, "target": "y", **sections}
    config = PipelineConfig.model_validate(document).located(folder)
    asset = dg.asset(name="raw", partitions_def=partitions_of(config))(lambda: None)
    jobs = [dg.define_asset_job(f"churn_{what}", selection=[asset.key]) for what in ("train", "score")]
    made = schedules_of(config, *jobs)
    dg.Definitions(assets=[asset], jobs=jobs, schedules=made, resources={"records": PlatformRecords(home=str(folder))})
    return {schedule.name: schedule for schedule in made}


CRON = {"retrain": "0 3 * * *", "score": "0 4 * * *", "timezone": "Europe/Warsaw"}


@pytest.mark.parametrize("kind", ["none", "files"])
def test_each_cron_expression_is_a_schedule_in_the_pipeline_s_zone(tmp_path: Path, kind: str) -> None:
    assert schedules(tmp_path, batches={"kind": kind}) == {}
    made = schedules(tmp_path, batches={"kind": kind}, schedule=CRON)
    assert {name: (one.cron_schedule, one.execution_timezone) for name, one in made.items()} == {
        "churn_retrain": ("0 3 * * *", "Europe/Warsaw"),
        "churn_score": ("0 4 * * *", "Europe/Warsaw"),
    }


def test_the_newest_batch_is_scored_and_none_is_said(tmp_path: Path) -> None:
    schedule = schedules(tmp_path, batches={"kind": "files"}, schedule=CRON)["churn_score"]
    records = PlatformRecords(home=str(tmp_path))

    def fire() -> Any:
        context = dg.build_schedule_context(resources={"records": records})
        return schedule(context)

    assert fire().skip_message == "No batch of churn has landed yet."
    Batches(records.database()).land([LandedBatch("churn", key, key) for key in ("b.csv", "a.csv")])
    assert fire().partition_key == "a.csv"
