"""Cron schedules from a pipeline's `schedule` section."""

from typing import Any

import dagster as dg

from automl_assets.ingestion.config import ScheduleConfig
from resources.platform_database import PlatformRecords
from resources.records.batches import Batches


def schedules_of(config: Any, train: Any, score: Any) -> list[dg.ScheduleDefinition]:
    """A schedule for each cron expression that the pipeline states; off until someone switches it on.

    With batches, scoring follows what lands: the schedule scores the newest batch once more.
    """
    section: ScheduleConfig = config.schedule
    made: list[dg.ScheduleDefinition] = []
    if section.retrain:
        made.append(_plain(config, "retrain", train, section.retrain))
    if section.score:
        plain = config.batches.kind == "none"
        made.append((_plain(config, "score", score, section.score)) if plain else _score_newest(config, score))
    return made


def _plain(config: Any, what: str, job: Any, cron: str) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=f"{config.name}_{what}",
        job=job,
        cron_schedule=cron,
        execution_timezone=config.schedule.timezone,
        description=f"{what.capitalize()}s {config.name} at {cron} ({config.schedule.timezone}).",
    )


def _score_newest(config: Any, job: Any) -> dg.ScheduleDefinition:
    section: ScheduleConfig = config.schedule

    @dg.schedule(
        name=f"{config.name}_score",
        job=job,
        cron_schedule=str(section.score),
        execution_timezone=section.timezone,
        description=f"Scores the newest batch of {config.name} at {section.score} ({section.timezone}).",
    )
    def score_newest(context: dg.ScheduleEvaluationContext, records: PlatformRecords) -> dg.RunRequest | dg.SkipReason:
        newest = Batches(records.database()).newest([config.name]).get(config.name)
        if newest is None:
            return dg.SkipReason(f"No batch of {config.name} has landed yet.")
        return dg.RunRequest(partition_key=newest.key)

    return score_newest
