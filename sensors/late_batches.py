"""Tells of pipelines whose next batch is late, once for each lateness."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from automl_assets.core import records
from automl_assets.core.errors import bounded
from automl_assets.core.records import LandedBatch, Notice
from resources.platform_database import PlatformDatabase
from resources.records.batches import Batches
from resources.records.notices import Notices

INTERVAL_SECONDS = 300


@dataclass(frozen=True)
class Expected:
    """A pipeline whose batches come at least this often, in hours."""

    name: str
    every_hours: float


def is_late(last_landed: datetime | None, expected_every_hours: float, now: datetime) -> bool:
    """Whether the next batch should have landed. Before the first one there is nothing to count from."""
    return last_landed is not None and now - last_landed > timedelta(hours=expected_every_hours)


def build(
    expected: Sequence[Expected],
    database: Callable[[], PlatformDatabase],
    now: Callable[[], datetime] = records.now,
) -> dg.SensorDefinition:
    """One sensor for all pipelines. It runs from the start: it tells, and changes nothing."""

    @dg.sensor(
        name="late_batches",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Writes a message, once, when a pipeline's batch does not come when it should.",
    )
    def late_batches(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        told: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
        late = note_late(database(), expected, told, now()) if expected else {}
        reason = f"Late: {bounded(late)}." if late else f"No batch of {len(expected)} pipelines is late."
        return dg.SensorResult(skip_reason=reason, cursor=json.dumps(late))

    return late_batches


def note_late(
    database: PlatformDatabase, expected: Sequence[Expected], told: dict[str, str], now: datetime
) -> dict[str, str]:
    """The last arrival of each late pipeline; a notice is written for those that `told` does not hold already.

    Raises:
        StorageError: the platform's database does not answer.
    """
    newest = Batches(database).newest([pipeline.name for pipeline in expected])
    late: dict[str, str] = {}
    for pipeline in expected:
        last = newest.get(pipeline.name)
        if last is None or not is_late(last.at, pipeline.every_hours, now):
            continue
        late[pipeline.name] = f"{last.key}@{last.at:%Y-%m-%dT%H:%M:%SZ}"  # a file may be written again
        if told.get(pipeline.name) != late[pipeline.name]:
            Notices(database).add(_notice(pipeline, last, late[pipeline.name], now))
    return late


def _notice(pipeline: Expected, last: LandedBatch, arrival: str, now: datetime) -> Notice:
    hours = (now - last.at).total_seconds() / 3600
    return Notice(
        pipeline=pipeline.name,
        severity="warning",
        title=f"no batch for {hours:.1f} hours",
        body=(
            f"A batch is expected every {pipeline.every_hours:g} hours. The last one, {last.key}, landed at "
            f"{last.at:%Y-%m-%d %H:%M} UTC."
        ),
        key=f"late:{arrival}",
        at=now,
    )
