"""Writes a message for each failed run of a pipeline, also of `automl run`, once.

A sensor of its own rather than Dagster's `run_failure_sensor`: that one moves its cursor even if the message could not
be written, so a minute without the database would lose it; and it takes 5 runs a tick.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import dagster as dg

from automl_assets.core.errors import bounded
from automl_assets.core.records import Notice
from resources.pipeline_lock import PIPELINE_TAG
from resources.platform_database import PlatformDatabase
from resources.records.notices import Notices
from resources.steps import failure_said
from sensors.requests import PARTITION_TAG

INTERVAL_SECONDS = 30
MOST_RUNS_A_TICK = 25
MOST_WORDS = 500


def build(pipelines: Collection[str], database: Callable[[], PlatformDatabase]) -> dg.SensorDefinition:
    """One sensor for all pipelines. It runs from the start: it tells, and changes nothing."""

    @dg.sensor(
        name="run_failures",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Writes a message for each failed run, with the first step that failed and why.",
    )
    def run_failures(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if context.cursor is None:
            newest = context.instance.fetch_run_status_changes(dg.DagsterEventType.RUN_FAILURE, limit=1).records
            cursor = newest[0].storage_id if newest else 0
            return dg.SensorResult(skip_reason="Failed runs are told from here on.", cursor=str(cursor))
        cursor, failed = failed_since(context.instance, int(context.cursor), pipelines)
        notices = Notices(database())
        told = [run for run in failed if notices.add(notice_of(context.instance, run))]
        names = (f"{run.tags[PIPELINE_TAG]} ({run.run_id[:8]})" for run in told)
        reason = f"Wrote messages for failed runs: {bounded(names)}." if told else "No run of a pipeline has failed."
        return dg.SensorResult(skip_reason=reason, cursor=str(cursor))

    return run_failures


def failed_since(
    instance: dg.DagsterInstance, cursor: int, pipelines: Collection[str]
) -> tuple[int, list[dg.DagsterRun]]:
    """The runs of some pipelines that failed after a place in the event log, and the place up to which was read."""
    after = dg.RunStatusChangeRecordsFilter(dg.DagsterEventType.RUN_FAILURE, after_storage_id=cursor)
    events = instance.fetch_run_status_changes(after, limit=MOST_RUNS_A_TICK, ascending=True).records
    if not events:
        return cursor, []
    ids = list(dict.fromkeys(event.event_log_entry.run_id for event in events))
    runs = {run.run_id: run for run in instance.get_runs(dg.RunsFilter(run_ids=ids))}
    found = [runs[run_id] for run_id in ids if run_id in runs]
    return events[-1].storage_id, [run for run in found if run.tags.get(PIPELINE_TAG) in pipelines]


def notice_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Notice:
    """What people are told about a failed run; the first failed step and its error in a sentence."""
    records = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    events = [record.event_log_entry.dagster_event for record in records]
    body = next((sentence_of(event) for event in events if event is not None), "No step failed: its process ended.")
    batch = run.tags.get(PARTITION_TAG)
    return Notice(
        pipeline=run.tags[PIPELINE_TAG],
        severity="critical",
        title=f"run {run.run_id[:8]} of {run.job_name} failed" + (f" on {batch}" if batch else ""),
        body=f"{body} Its log: `automl ui`, run {run.run_id}.",
        key=f"run-failed:{run.run_id}",
    )


def sentence_of(event: dg.DagsterEvent) -> str:
    """The failed step and why, in words of ours: what a library says of an unforeseen error may quote cells."""
    asset, said = failure_said(event)
    data: Any = event.step_failure_data
    if data.user_failure_data is not None:
        message = str(said.get("message", "it said no more"))
        return f"{asset}: {message}"[:MOST_WORDS]
    names = _causes(data.error)
    if "DagsterAssetCheckFailedError" in names:
        return f"{asset}: a check stopped the run."
    return f"{asset} failed unexpectedly ({names[-1] if names else 'unknown'})."


def _causes(error: Any) -> Sequence[str]:
    """The names of an error's classes, from the outermost to the first cause."""
    names: list[str] = []
    while error is not None:
        names.append(str(error.cls_name))
        error = error.cause
    return names
