"""A pending retrain becomes one run, whatever is killed; the policy holds it back; its outcome is written down."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from automl_assets.core.records import Action, now
from automl_assets.definitions import definitions_of
from automl_assets.pipeline_files import load_pipeline
from resources.fit_runner import WORKERS_TAG
from resources.pipeline_lock import PIPELINE_TAG
from resources.platform_database import PlatformDatabase
from resources.records.actions import Actions
from resources.settings import BUNDLED_PIPELINES, Settings
from sensors.drift_retraining import ACTION_TAG, REASON_TAG
from sensors.requests import TRIGGER_TAG

NAMES = ("diabetes", "digits")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environment({"AUTOML_HOME": str(tmp_path)}, folder=tmp_path)


@pytest.fixture
def actions(settings: Settings) -> Actions:
    return Actions(PlatformDatabase.of(settings.home, settings.database_url))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="module")
def pipelines() -> list[Any]:
    return [load_pipeline(BUNDLED_PIPELINES / name / "defs.yaml") for name in NAMES]


class Ticks:
    """The sensor, tick after tick, its cursor kept."""

    def __init__(self, pipelines: list[Any], settings: Settings, instance: dg.DagsterInstance):
        self.definitions = definitions_of(pipelines, settings)
        self.instance = instance
        self.cursor: str | None = None

    def __call__(self, *, remember: bool = True) -> Any:
        sensor = self.definitions.resolve_sensor_def("drift_retraining")
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, definitions=self.definitions, sensor_name="drift_retraining"
        )
        result = sensor.evaluate_tick(context)
        self.cursor = result.cursor if remember else self.cursor
        return result


@pytest.fixture
def tick(pipelines: list[Any], settings: Settings, instance: dg.DagsterInstance) -> Ticks:
    return Ticks(pipelines, settings, instance)


def retrain(pipeline: str = "digits", finding: str = "f1", **given: Any) -> Action:
    fields = {"reason": "a: drifted", "finding": finding, "payload": {"batch": "week_9.csv", "champion": "1"}}
    return Action(pipeline, "retrain", f"retrain-{finding}", **{**fields, **given})


def launch(instance: dg.DagsterInstance, request: Any, status: dg.DagsterRunStatus) -> dg.DagsterRun:
    """What the daemon does with a request, and how far the run has come."""
    return create_run_for_test(instance, job_name=request.job_name, tags=dict(request.tags), status=status)


def test_without_actions_a_tick_says_so(tick: Ticks) -> None:
    assert tick().skip_message == "No verdict on 2 pipelines asks for a retrain."


def test_a_pending_retrain_is_requested_with_its_reason(tick: Ticks, actions: Actions) -> None:
    actions.add(retrain(payload={"batch": "b", "champion": "1", "workers": 4}, reason="x" * 400))
    (request,) = tick().run_requests
    assert (request.run_key, request.job_name) == ("digits-retrain-f1", "digits_train")
    told = {name: request.tags[name] for name in (PIPELINE_TAG, TRIGGER_TAG, ACTION_TAG, REASON_TAG, WORKERS_TAG)}
    assert told == {
        PIPELINE_TAG: "digits", TRIGGER_TAG: "monitoring", ACTION_TAG: "retrain-f1", REASON_TAG: "x" * 250,
        WORKERS_TAG: "4",
    }  # fmt: skip


def test_a_daemon_that_was_killed_before_the_run_was_made_asks_for_the_same_run(tick: Ticks, actions: Actions) -> None:
    actions.add(retrain())
    first, second = tick(remember=False).run_requests, tick().run_requests
    assert [request.run_key for request in first] == [request.run_key for request in second] == ["digits-retrain-f1"]


def test_a_daemon_that_was_killed_after_the_run_was_made_asks_for_none(
    tick: Ticks, actions: Actions, instance: dg.DagsterInstance
) -> None:
    actions.add(retrain())
    (request,) = tick(remember=False).run_requests
    run = launch(instance, request, dg.DagsterRunStatus.STARTING)
    again = tick()
    assert (again.run_requests, again.skip_message) == ([], f"digits: a retrain is running (run {run.run_id[:8]})")
    assert [(a.state, a.run_id) for a in actions.unfinished("retrain")] == [("requested", run.run_id)]


@pytest.mark.parametrize(
    ("status", "state", "outcome"),
    [
        (dg.DagsterRunStatus.SUCCESS, "done", "the retrain ended without a version"),
        (dg.DagsterRunStatus.FAILURE, "failed", "the retrain failure"),
        (dg.DagsterRunStatus.CANCELED, "failed", "the retrain canceled"),
    ],
)
def test_a_run_that_has_ended_ends_the_action(
    tick: Ticks, actions: Actions, instance: dg.DagsterInstance, status: Any, state: str, outcome: str
) -> None:
    actions.add(retrain())
    launch(instance, tick().run_requests[0], status)
    assert outcome in tick().skip_message
    (done,) = actions.of("digits")
    assert (done.state, done.outcome.startswith(outcome)) == (state, True)
    assert done.requested_at is not None
    assert tick().skip_message.startswith("No verdict")


def test_a_run_that_was_deleted_ends_the_action(tick: Ticks, actions: Actions, instance: dg.DagsterInstance) -> None:
    actions.add(retrain())
    run = launch(instance, tick().run_requests[0], dg.DagsterRunStatus.STARTED)
    tick()
    instance.delete_run(run.run_id)
    assert tick().skip_message == "digits: the retrain's run is gone"
    assert actions.of("digits")[0].state == "failed"


@pytest.mark.parametrize("promoted", [True, False])
def test_what_a_retrain_registered_is_its_outcome(
    tick: Ticks, actions: Actions, instance: dg.DagsterInstance, promoted: bool
) -> None:
    actions.add(retrain())
    run = launch(instance, tick().run_requests[0], dg.DagsterRunStatus.SUCCESS)
    registered(instance, run, version="2", promoted=promoted, reason="why")
    assert tick().skip_message == "digits: version 2: why"
    payload = actions.of("digits")[0].payload
    assert (payload["promoted"], payload["version"], payload["batch"]) == (promoted, "2", "week_9.csv")


def registered(instance: dg.DagsterInstance, run: dg.DagsterRun, **metadata: Any) -> None:
    """Record what the step registered_model of a run would."""
    from dagster._core.events import StepMaterializationData

    materialization = dg.AssetMaterialization(dg.AssetKey(["digits", "registered_model"]), metadata=metadata)
    event = dg.DagsterEvent(
        event_type_value="ASSET_MATERIALIZATION",
        job_name=run.job_name,
        event_specific_data=StepMaterializationData(materialization),
    )
    instance.report_dagster_event(event, run_id=run.run_id)


def test_two_retrains_for_nothing_raise_the_threshold_once(
    tick: Ticks, actions: Actions, instance: dg.DagsterInstance
) -> None:
    for finding in ("f1", "f2"):
        actions.add(retrain(finding=finding))
        action = actions.of("digits", kinds=["retrain"])[0]
        run = create_run_for_test(
            instance, job_name="digits_train", tags={PIPELINE_TAG: "digits", ACTION_TAG: action.key},
            status=dg.DagsterRunStatus.SUCCESS,
        )  # fmt: skip
        registered(instance, run, version="2", promoted=False, reason="not better")
        tick()
    (raised,) = actions.of("digits", kinds=["adjust"])
    assert (raised.state, raised.payload["before"], raised.payload["after"]) == ("done", 0.3, 0.35)


def test_one_retrain_at_a_time_and_the_newest_covers_the_older(tick: Ticks, actions: Actions) -> None:
    for finding in ("f1", "f2", "f3"):
        actions.add(retrain(finding=finding, payload={"batch": f"batch of {finding}"}))
    assert [request.run_key for request in tick().run_requests] == ["digits-retrain-f3"]
    states = {action.finding: (action.state, action.outcome) for action in actions.of("digits")}
    covered = ("cancelled", "covered by the retrain that batch of f3 asked for")
    assert states == {"f1": covered, "f2": covered, "f3": ("pending", "")}


def test_a_training_that_someone_else_started_is_waited_for(
    tick: Ticks, actions: Actions, instance: dg.DagsterInstance
) -> None:
    actions.add(retrain())
    run = create_run_for_test(instance, job_name="digits_train", status=dg.DagsterRunStatus.STARTED)
    assert tick().skip_message == "digits: a retrain of this pipeline is running"
    instance.delete_run(run.run_id)
    assert len(tick().run_requests) == 1


@pytest.mark.parametrize(
    ("hours_ago", "said"), [([5.9], "cooling down"), ([6.1], None), ([7, 14, 21], "3 retrains in 24 hours")]
)
def test_retrains_of_the_last_day_hold_the_next_back(
    tick: Ticks, actions: Actions, hours_ago: list[float], said: str | None
) -> None:
    for number, hours in enumerate(hours_ago):
        at = now() - timedelta(hours=hours)
        actions.add(retrain(finding=f"old-{number}", state="done", requested_at=at))
    actions.add(retrain())
    result = tick()
    assert len(result.run_requests) == (said is None)
    assert said is None or said in result.skip_message


def test_pipelines_do_not_wait_for_each_other_and_strangers_are_left_alone(tick: Ticks, actions: Actions) -> None:
    actions.add(retrain("digits", state="done", requested_at=now(), finding="old"))
    for pipeline in ("digits", "diabetes", "removed"):
        actions.add(retrain(pipeline))
    result = tick()
    assert [request.job_name for request in result.run_requests] == ["diabetes_train"]


def test_a_tick_over_500_pipelines_takes_less_than_a_second(
    pipelines: list[Any], settings: Settings, instance: dg.DagsterInstance
) -> None:
    from automl_assets.deciding.decide import Policy
    from sensors.drift_retraining import Watched, build

    database = PlatformDatabase.of(settings.home, settings.database_url)
    for number in range(500):
        Actions(database).add(retrain(f"p{number}", state="done" if number % 50 else "pending"))
    watched = [Watched(f"p{number}", Policy()) for number in range(500)]
    jobs = [dg.define_asset_job(f"p{number}_train") for number in range(500)]
    sensor = build(watched, jobs, lambda: database)
    context = dg.build_sensor_context(instance=instance)
    begun = time.perf_counter()
    result = sensor.evaluate_tick(context)
    assert time.perf_counter() - begun < 1.0
    assert len(result.run_requests or []) == 10
