"""Retrains a pipeline when a drift report asks for it, at most once a finding. It reads recorded checks only."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from resources.pipeline_lock import PIPELINE_TAG

CHECK = "no_drift"
ASSET = "drift_report"
TRIGGER_TAG = "automl/trigger"
FINDING_TAG = "automl/finding"
REASON_TAG = "automl/reason"
DRIFT = "drift"
INTERVAL_SECONDS = 60


@dataclass(frozen=True)
class Watched:
    """A pipeline that the sensor watches, and how often drift may retrain it."""

    name: str
    auto_retrain: bool
    max_retrains_per_day: int
    cooldown_hours: float


@dataclass(frozen=True)
class Evaluated:
    """A recorded drift check: its place in the event log, and what it asks for."""

    storage_id: int
    passed: bool
    action: str
    finding: str
    batch: str
    description: str


def build(watched: Sequence[Watched], jobs: Sequence[Any]) -> dg.SensorDefinition:
    """One sensor for all pipelines."""

    @dg.sensor(
        name="drift_retraining",
        jobs=list(jobs),
        minimum_interval_seconds=INTERVAL_SECONDS,
        description="Requests a retrain for each drift finding that carries enough of a model's importance, once.",
    )
    def drift_retraining(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        seen: dict[str, int] = json.loads(context.cursor) if context.cursor else {}
        found = newest_evaluations(context.instance, [pipeline.name for pipeline in watched])
        requests: list[dg.RunRequest] = []
        skipped: list[str] = []
        for pipeline in watched:
            evaluated = found.get(pipeline.name)
            if evaluated is None or evaluated.storage_id <= seen.get(pipeline.name, 0):
                continue
            answer = answer_finding(pipeline, evaluated, retrain_times(context.instance, pipeline.name), time.time())
            if answer.wait:
                skipped.append(f"{pipeline.name}: {answer.reason}")
                continue
            seen[pipeline.name] = evaluated.storage_id
            if answer.retrain:
                requests.append(_request(pipeline.name, evaluated))
            else:
                skipped.append(f"{pipeline.name}: {answer.reason}")
        if requests:
            return dg.SensorResult(run_requests=requests, cursor=json.dumps(seen))
        reason = "; ".join(skipped) or f"No new drift finding in {len(watched)} pipelines."
        return dg.SensorResult(skip_reason=reason, cursor=json.dumps(seen))

    return drift_retraining


@dataclass(frozen=True)
class Answer:
    """What to do about a finding: retrain, leave it, or look again at the next tick (`wait`)."""

    retrain: bool
    wait: bool
    reason: str


def answer_finding(pipeline: Watched, evaluated: Evaluated, retrains: Sequence[float], now: float) -> Answer:
    """Decide about one finding; `retrains` are the times at which drift retrained this pipeline, newest first."""
    if evaluated.passed or evaluated.action != "retrain":
        return Answer(False, False, "drift asks for no retrain")
    if not pipeline.auto_retrain:
        return Answer(False, False, f"a retrain is up for review (auto_retrain is off): {evaluated.description}")
    if retrains and now - retrains[0] < pipeline.cooldown_hours * 3600:
        return Answer(False, True, f"cooling down for {pipeline.cooldown_hours:g} h after the last retrain")
    today = sum(now - then < 86_400 for then in retrains)
    if today >= pipeline.max_retrains_per_day:
        return Answer(False, True, f"{today} retrains in a day, which is the most allowed")
    return Answer(True, False, evaluated.description)


def newest_evaluations(instance: dg.DagsterInstance, pipelines: Sequence[str]) -> dict[str, Evaluated]:
    """Each pipeline's latest recorded drift check, in one query."""
    keys = {dg.AssetCheckKey(dg.AssetKey([name, ASSET]), CHECK): name for name in pipelines}
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys))
    found: dict[str, Evaluated] = {}
    for key, record in records.items():
        evaluation = record.evaluation if record is not None else None
        if record is None or evaluation is None:
            continue
        metadata = {name: value.value for name, value in evaluation.metadata.items()}
        found[keys[key]] = Evaluated(
            storage_id=record.id,
            passed=evaluation.passed,
            action=str(metadata.get("action", "none")),
            finding=str(metadata.get("finding", record.id)),
            batch=str(metadata.get("batch", "")),
            description=evaluation.description or "",
        )
    return found


def retrain_times(instance: dg.DagsterInstance, pipeline: str) -> list[float]:
    """When drift retrained a pipeline in the last day, newest first, in seconds since 1970."""
    runs = instance.get_run_records(
        dg.RunsFilter(
            tags={PIPELINE_TAG: pipeline, TRIGGER_TAG: DRIFT}, created_after=datetime.now(UTC) - timedelta(days=1)
        )
    )
    return sorted((record.create_timestamp.timestamp() for record in runs), reverse=True)


def _request(pipeline: str, evaluated: Evaluated) -> dg.RunRequest:
    tags: Mapping[str, str] = {
        PIPELINE_TAG: pipeline,
        TRIGGER_TAG: DRIFT,
        FINDING_TAG: evaluated.finding,
        REASON_TAG: evaluated.description[:250],
    }
    return dg.RunRequest(run_key=f"drift-{evaluated.finding}", job_name=f"{pipeline}_train", tags=dict(tags))
