"""Cron schedules from a pipeline's `schedule` section."""

from typing import Any

import dagster as dg

from automl_assets.ingestion.config import ScheduleConfig


def schedules_of(config: Any, train: Any, score: Any) -> list[dg.ScheduleDefinition]:
    """A schedule for each cron expression that the pipeline states; off until someone switches it on.

    With batches, scoring follows what lands: the schedule scores the newest batch.
    """
    section: ScheduleConfig = config.schedule
    wanted = [("retrain", train, section.retrain)]
    if config.batches.kind == "none":
        wanted.append(("score", score, section.score))
    return [
        dg.ScheduleDefinition(
            name=f"{config.name}_{what}",
            job=job,
            cron_schedule=cron,
            execution_timezone=section.timezone,
            description=f"{what.capitalize()}s {config.name} at {cron} ({section.timezone}).",
        )
        for what, job, cron in wanted
        if cron
    ]
