"""Drift asks for a retrain at most once a finding, and only as often as the policy lets it."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from automl_assets.definitions import definitions_of
from automl_assets.pipeline_files import load_pipeline
from resources.pipeline_lock import PIPELINE_TAG
from resources.settings import BUNDLED_PIPELINES, Settings
from sensors.drift_retraining import (
    ASSET,
    CHECK,
    DRIFT,
    FINDING_TAG,
    REASON_TAG,
    TRIGGER_TAG,
    Evaluated,
    Watched,
    answer_finding,
    newest_evaluations,
    retrain_times,
)

HOUR = 3600.0
NOW = 1_000_000.0
POLICY = Watched("churn", auto_retrain=True, max_retrains_per_day=3, cooldown_hours=6)


def finding(action: str = "retrain", *, passed: bool = False) -> Evaluated:
    return Evaluated(7, passed, action, "f1", "all", "half of the importance drifted")


@pytest.mark.parametrize(
    ("evaluated", "auto", "hours_ago", "retrain", "wait", "reason"),
    [
        (finding(), True, [], True, False, "half of the importance drifted"),
        (finding(passed=True), True, [], False, False, "asks for no retrain"),
        (finding("alert"), True, [], False, False, "asks for no retrain"),
        (finding("none"), True, [], False, False, "asks for no retrain"),
        (finding(), False, [], False, False, "review"),
        (finding(), True, [5.9], False, True, "cooling down"),
        (finding(), True, [6.1], True, False, "half"),
        (finding(), True, [6.1, 13, 20], False, True, "3 retrains in a day"),
        (finding(), True, [6.1, 13, 25], True, False, "half"),
    ],
)
def test_what_a_finding_leads_to(
    evaluated: Evaluated, auto: bool, hours_ago: list[float], retrain: bool, wait: bool, reason: str
) -> None:
    policy = Watched("churn", auto, POLICY.max_retrains_per_day, POLICY.cooldown_hours)
    answer = answer_finding(policy, evaluated, [NOW - hours * HOUR for hours in hours_ago], NOW)
    assert (answer.retrain, answer.wait) == (retrain, wait)
    assert reason in answer.reason


@pytest.fixture
def definitions() -> dg.Definitions:
    pipelines = [load_pipeline(BUNDLED_PIPELINES / name / "defs.yaml") for name in ("diabetes", "digits")]
    return definitions_of(pipelines, Settings.from_environment())


def report_check(instance: dg.DagsterInstance, pipeline: str, passed: bool, **metadata: Any) -> None:
    """Record a drift check as a run of `<pipeline>_score` would."""
    key = dg.AssetKey([pipeline, ASSET])
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=key, check_name=CHECK, passed=passed, metadata=metadata, description="told", blocking=False
        )
    )


def tick(definitions: dg.Definitions, instance: dg.DagsterInstance, cursor: str | None) -> Any:
    sensor = definitions.resolve_sensor_def("drift_retraining")
    context = dg.build_sensor_context(instance=instance, cursor=cursor, definitions=definitions)
    return sensor.evaluate_tick(context)


def test_the_sensor_on_a_real_instance_asks_once_and_says_why_it_does_not(
    definitions: dg.Definitions, tmp_path: Path
) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        nothing = tick(definitions, instance, None)
        assert not nothing.run_requests
        assert "No new drift finding in 2 pipelines" in nothing.skip_message

        report_check(instance, "diabetes", False, action="retrain", finding="f1", batch="all")
        report_check(instance, "digits", True, action="none", finding="f2", batch="all")
        first = tick(definitions, instance, nothing.cursor)
        assert [(r.job_name, r.run_key) for r in first.run_requests] == [("diabetes_train", "drift-f1")]
        tags = first.run_requests[0].tags
        assert (tags[TRIGGER_TAG], tags[FINDING_TAG], tags[REASON_TAG]) == (DRIFT, "f1", "told")
        assert tags[PIPELINE_TAG] == "diabetes"

        again = tick(definitions, instance, first.cursor)
        assert not again.run_requests
        assert again.skip_message

        job = definitions.resolve_job_def("diabetes_train")
        instance.create_run_for_job(job, tags=dict(tags))
        assert len(retrain_times(instance, "diabetes")) == 1
        report_check(instance, "diabetes", False, action="retrain", finding="f3", batch="all")
        cooling = tick(definitions, instance, again.cursor)
        assert not cooling.run_requests
        assert "cooling down" in cooling.skip_message
        assert json.loads(cooling.cursor) == json.loads(again.cursor), "a finding that waits is looked at again"


def test_the_newest_check_counts(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        assert newest_evaluations(instance, ["churn"]) == {}
        report_check(instance, "churn", False, action="retrain", finding="old", batch="a")
        report_check(instance, "churn", True, action="none", finding="new", batch="b")
        found = newest_evaluations(instance, ["churn", "other"])
    assert list(found) == ["churn"]
    assert (found["churn"].finding, found["churn"].passed, found["churn"].batch) == ("new", True, "b")
