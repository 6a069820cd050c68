"""Starts the retrains that verdicts ask for: one at a time a pipeline, with a cool-down, each exactly once.

A verdict and the action that follows from it are written together by the run that decided. This sensor translates: a
pending action becomes a run request whose run key is the action's, so that a daemon that is killed anywhere ends with
one run; a run that is there makes it requested; a run that has ended makes it done, with what came of it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from automl_assets.core.records import Action, now
from automl_assets.deciding.decide import History, Policy, may_retrain
from automl_assets.deciding.respond import adjustment, threshold_in_force
from resources.fit_runner import WORKERS_TAG
from resources.pipeline_lock import PIPELINE_TAG
from resources.platform_database import PlatformDatabase
from resources.records.actions import Actions
from resources.records.notices import Notices
from resources.records.verdicts import Verdicts
from sensors.requests import MOST_TAG_CHARACTERS, TRIGGER_TAG

ACTION_TAG = "automl/action"
REASON_TAG = "automl/reason"
RETRAIN = "retrain"
INTERVAL_SECONDS = 30
KEEP_DAYS = 400
MOST_OUTCOMES = 5
CLOCK_SLACK = timedelta(hours=1)
GOING_ON = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


@dataclass(frozen=True)
class Watched:
    """A pipeline that the sensor watches, and when monitoring may retrain it."""

    name: str
    policy: Policy


def build(
    watched: Sequence[Watched],
    jobs: Sequence[Any],
    database: Callable[[], PlatformDatabase],
    *,
    interval_seconds: int = INTERVAL_SECONDS,
) -> dg.SensorDefinition:
    """One sensor for all pipelines."""
    by_name = {pipeline.name: pipeline for pipeline in watched}

    @dg.sensor(
        name="drift_retraining",
        jobs=list(jobs),
        minimum_interval_seconds=interval_seconds,
        description="Starts the retrains that verdicts ask for: one at a time a pipeline, with a cool-down, each once.",
    )
    def drift_retraining(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        records = database()
        requests, told = _Tick(context.instance, records, by_name, now()).run()
        cursor = _purged_daily(records, context.cursor)
        if requests:
            return dg.SensorResult(run_requests=requests, cursor=cursor)
        reason = "; ".join(told) or f"No verdict on {len(watched)} pipelines asks for a retrain."
        return dg.SensorResult(skip_reason=reason, cursor=cursor)

    return drift_retraining


@dataclass(frozen=True)
class _Tick:
    """One look at what is asked for and what is going on."""

    instance: dg.DagsterInstance
    records: PlatformDatabase
    watched: Mapping[str, Watched]
    at: datetime

    def run(self) -> tuple[list[dg.RunRequest], list[str]]:
        """The requests, and what people are told about everything else."""
        actions = Actions(self.records)
        unfinished: dict[str, list[Action]] = {}
        for action in actions.unfinished(RETRAIN):
            if action.pipeline in self.watched:
                unfinished.setdefault(action.pipeline, []).append(action)
        times = self._requested(actions) if unfinished else {}
        requests: list[dg.RunRequest] = []
        told: list[str] = []
        for pipeline, asked in unfinished.items():
            waiting = [action for action in asked if not self._goes_on(actions, action, told)]
            if waiting:
                self._start(actions, pipeline, waiting, times.get(pipeline, []), requests, told)
        return requests, told

    def _requested(self, actions: Actions) -> dict[str, list[datetime]]:
        """When each pipeline's retrains of the last day were; one of tomorrow was noted by a clock that was wrong."""
        found = actions.requested_since(RETRAIN, self.at - timedelta(days=1))
        return {name: [then for then in times if then - self.at < CLOCK_SLACK] for name, times in found.items()}

    def _goes_on(self, actions: Actions, action: Action, told: list[str]) -> bool:
        """Whether an action's run is there; a run that has ended finishes the action."""
        run = next(iter(self.instance.get_run_records(_runs_of(action), limit=1)), None)
        if run is None and action.state == "pending":
            return False
        if run is None:
            actions.finish(action, "failed", "its run is gone")
            told.append(f"{action.pipeline}: the retrain's run is gone")
            return True
        if action.state == "pending":
            actions.request(action, run.dagster_run.run_id, run.create_timestamp)
        if run.dagster_run.is_finished:
            told.append(f"{action.pipeline}: {self._finish(actions, action, run.dagster_run)}")
        else:
            told.append(f"{action.pipeline}: a retrain is running (run {run.dagster_run.run_id[:8]})")
        return True

    def _finish(self, actions: Actions, action: Action, run: dg.DagsterRun) -> str:
        if not run.is_success:
            outcome = f"the retrain {run.status.value.lower()} (run {run.run_id[:8]})"
            actions.finish(action, "failed", outcome)
            return outcome
        found = registered_by(self.instance, action.pipeline, run.run_id)
        outcome = f"version {found['version']}: {found['reason']}" if found else "the retrain ended without a version"
        actions.finish(action, "done", outcome, payload=_registered(found))
        self._adjust(actions, action.pipeline)
        return outcome

    def _adjust(self, actions: Actions, pipeline: str) -> None:
        """Raise the threshold where retrains for drift alone have come to nothing."""
        configured = self.watched[pipeline].policy.importance_share
        adjusted = actions.of(pipeline, kinds=["adjust"], most=1)
        finished = actions.of(pipeline, kinds=[RETRAIN], most=MOST_OUTCOMES)
        raised = adjustment(threshold_in_force(configured, adjusted), configured, finished)
        if raised is not None:
            actions.add(raised)

    def _start(
        self,
        actions: Actions,
        pipeline: str,
        waiting: Sequence[Action],
        times: Sequence[datetime],
        requests: list[dg.RunRequest],
        told: list[str],
    ) -> None:
        """Request the newest of a pipeline's pending retrains if it may start; it covers the older ones."""
        *older, newest = waiting
        for action in older:
            actions.finish(action, "cancelled", f"covered by the retrain that {newest.payload.get('batch')} asked for")
        job = f"{pipeline}_train"
        running = self.instance.get_runs(dg.RunsFilter(job_name=job, statuses=list(GOING_ON)), limit=1)
        history = History(retrains=times, in_flight=bool(running))
        guard = may_retrain(self.watched[pipeline].policy, history, self.at)
        if guard.allowed:
            requests.append(_request(job, newest))
        else:
            told.append(f"{pipeline}: {guard.reason}")


def _runs_of(action: Action) -> dg.RunsFilter:
    return dg.RunsFilter(tags={PIPELINE_TAG: action.pipeline, ACTION_TAG: action.key})


def _request(job: str, action: Action) -> dg.RunRequest:
    tags = {
        PIPELINE_TAG: action.pipeline,
        TRIGGER_TAG: "monitoring",
        ACTION_TAG: action.key,
        REASON_TAG: action.reason[:MOST_TAG_CHARACTERS],
    }
    if "workers" in action.payload:
        tags[WORKERS_TAG] = str(action.payload["workers"])
    return dg.RunRequest(run_key=f"{action.pipeline}-{action.key}", job_name=job, tags=tags)


def registered_by(instance: dg.DagsterInstance, pipeline: str, run_id: str) -> dict[str, Any]:
    """What a training run registered: its metadata (version, promoted, reason); empty where it registered nothing."""
    key = dg.AssetKey([pipeline, "registered_model"])
    filtered = dg.AssetRecordsFilter(asset_key=key)
    for record in instance.fetch_materializations(filtered, limit=MOST_OUTCOMES).records:
        materialization = record.asset_materialization
        if record.run_id == run_id and materialization is not None:
            return {name: value.value for name, value in materialization.metadata.items()}
    return {}


def _registered(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"promoted": bool(found.get("promoted")), "version": str(found["version"])} if found else {}


def _purged_daily(records: PlatformDatabase, cursor: str | None) -> str:
    """Delete what is older than 400 days, once a day; the cursor that says so."""
    today = now().date().isoformat()
    if cursor and json.loads(cursor).get("purged") == today:
        return cursor
    before = now() - timedelta(days=KEEP_DAYS)
    Verdicts(records).purge(before)
    Actions(records).purge(before)
    Notices(records).purge(before)
    return json.dumps({"purged": today})
