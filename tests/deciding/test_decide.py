"""Evidence → verdict, as a table: which rule decides, whether it acts, and what holds it back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from automl_assets.core.evidence import (
    Cause,
    ConceptAlarm,
    DomainDrift,
    DriftReport,
    Drop,
    FeatureDrift,
    PerformanceReport,
    Verdict,
)
from automl_assets.core.values import Interval
from automl_assets.deciding.decide import Evidence, History, Policy, RivalAdvice, decide, may_retrain

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
POLICY = Policy()


def feature(name: str, *, drifted: bool = True, aspect: Any = "distribution", reason: str = "drifted") -> FeatureDrift:
    return FeatureDrift(
        name=name, test="ks", aspect=aspect, effect=0.2, p_value=0.0, q_value=0.0, drifted=drifted, reason=reason
    )


def drift(**given: Any) -> DriftReport:
    """A report in which nothing differs, but for what is given."""
    fields: dict[str, Any] = {
        "status": "none", "reasons": (), "share_drifted": 0.0, "features": (feature("a", drifted=False),),
        "reference_rows": 9000, "current_rows": 1000,
    }  # fmt: skip
    return DriftReport.model_validate({**fields, **given})


def performance(**given: Any) -> PerformanceReport:
    """A report on 1,000 labelled rows in which the metric is as it was, but for what is given."""
    fields: dict[str, Any] = {
        "metric": "roc_auc", "rows": 1000, "value": Interval(value=0.85, low=0.83, high=0.87), "reason": "",
        "drop": drop(0.0),
    }  # fmt: skip
    return PerformanceReport.model_validate({**fields, **given})


def unlabelled(**given: Any) -> PerformanceReport:
    return performance(rows=0, value=None, drop=None, **given)


def drop(value: float, error: float = 0.01) -> Drop:
    return Drop(value=value, standard_error=error, tolerance=0.02, sampling=error)


def domain(low: float) -> DomainDrift:
    return DomainDrift(auc=low + 0.02, low=low, p_value=0.0, rows=2000)


ONE_FEATURE = drift(status="drift", reasons=("a: drifted",), features=(feature("a"),), importance_drifted=0.1)
SPREAD = drift(
    status="drift", reasons=("a: drifted",), features=(feature("a"),), importance_drifted=0.4, domain=domain(0.6)
)
BROKEN = drift(status="schema_changed", schema_breaks=("column 'a' is missing",))
JUMP = drift(status="drift", reasons=("a: missing",), missing_jumps=("a: 20 points more are missing",))
PREDICTIONS = feature("prediction", aspect="predictions", reason="the scores moved")
TARGET = feature("Churn", aspect="target", reason="15 points more positives")


def evidence(report: DriftReport, seen: PerformanceReport | None = None, **given: Any) -> Evidence:
    return replace(Evidence("churn", "week_9.csv", 9, "3", "f9", report, seen), **given)


def past(sequence: int, **given: Any) -> Verdict:
    fields: dict[str, Any] = {
        "pipeline": "churn", "batch": f"week_{sequence}.csv", "sequence": sequence, "champion": "3",
        "finding": f"f{sequence}", "action": "none", "severity": "info", "reasons": (),
    }  # fmt: skip
    return Verdict.model_validate({**fields, **given})


ESTIMATED = past(8, estimated_drop=True)
TOLD_APART = past(8, multivariate=True)


@pytest.mark.parametrize(
    ("what", "given", "before", "action", "said"),
    [
        ("nothing differs", evidence(drift()), [], "none", "nothing differs"),
        ("nothing differs, with labels", evidence(drift(), performance()), [], "none", "nothing differs"),
        ("too few rows", evidence(drift(status="insufficient_data", reasons=("few",))), [], "none", "nothing differs"),
        ("broken schema", evidence(BROKEN), [], "quarantine", "column 'a' is missing"),
        ("missing jump", evidence(JUMP), [], "quarantine", "20 points more"),
        ("missing jump and drop", evidence(JUMP, performance(drop=drop(0.2))), [], "quarantine", "20 points"),
        ("accepted by a person", evidence(JUMP, accepted=True), [], "alert", "a: missing"),
        ("measured drop", evidence(drift(), performance(drop=drop(0.05))), [], "retrain", "to be worse by 0.05"),
        ("drop within tolerance", evidence(drift(), performance(drop=drop(0.019, 0.001))), [], "none", "nothing"),
        ("drop that may be chance", evidence(drift(), performance(drop=drop(0.03, 0.01))), [], "none", "nothing"),
        ("drop on few rows", evidence(drift(), performance(rows=199, drop=drop(0.3))), [], "none", "nothing"),
        ("gain", evidence(drift(), performance(drop=drop(-0.3))), [], "none", "nothing"),
        ("estimated drop, first", evidence(drift(), unlabelled(estimated_drop=drop(0.05))), [], "alert", "estimated"),
        ("estimated drop, second", evidence(drift(), unlabelled(estimated_drop=drop(0.05))), [ESTIMATED], "retrain",
         "in two windows"),
        ("second, a little less", evidence(drift(), unlabelled(estimated_drop=drop(0.017, 0.001))), [ESTIMATED],
         "retrain", "in two windows"),
        ("second, under another champion", evidence(drift(), unlabelled(estimated_drop=drop(0.05))),
         [past(8, estimated_drop=True, champion="2")], "alert", "a second window would retrain"),
        ("second, but not consecutive", evidence(drift(), unlabelled(estimated_drop=drop(0.05))),
         [past(8), past(7, estimated_drop=True)], "alert", "estimated"),
        ("second, a quarantined one between", evidence(drift(), unlabelled(estimated_drop=drop(0.05))),
         [past(8, action="quarantine"), past(7, estimated_drop=True)], "retrain", "in two windows"),
        ("estimate outweighed by labels", evidence(drift(), performance(estimated_drop=drop(0.05))), [ESTIMATED],
         "none", "nothing"),
        ("spread drift, first", evidence(SPREAD), [], "alert", "40% of the model's importance"),
        ("spread drift, second", evidence(SPREAD), [TOLD_APART], "retrain", "AUC 0.620"),
        ("second, a little less spread", evidence(SPREAD.model_copy(update={"importance_drifted": 0.25})), [TOLD_APART],
         "retrain", "25%"),
        ("first, a little less spread", evidence(SPREAD.model_copy(update={"importance_drifted": 0.25})), [], "alert",
         "a: drifted"),
        ("spread, but not told apart", evidence(SPREAD.model_copy(update={"domain": domain(0.53)})), [TOLD_APART],
         "alert", "a: drifted"),
        ("a single feature", evidence(ONE_FEATURE), [], "alert", "a: drifted"),
        ("a single feature, twice", evidence(ONE_FEATURE), [TOLD_APART], "alert", "a: drifted"),
        ("prediction drift", evidence(drift(), unlabelled(predictions=PREDICTIONS)), [], "alert", "the scores moved"),
        ("prior shift", evidence(drift(), performance(target=TARGET)), [], "alert", "15 points more positives"),
        ("concept drift", evidence(drift(), performance(concept=(ConceptAlarm(detector="adwin", alarmed=True,
         reason="errors rose"),))), [], "alert", "errors rose"),
        ("a better version before", evidence(drift(), performance(drop=drop(0.3)),
         rival=RivalAdvice("rollback", "2", "version 2 is better")), [], "rollback", "version 2 is better"),
        ("a better version, broken batch", evidence(JUMP, rival=RivalAdvice("rollback", "2", "better")), [],
         "quarantine", "20 points"),
        ("a shadow that won", evidence(ONE_FEATURE, rival=RivalAdvice("promote", "4", "better in 3 batches")), [],
         "promote", "better in 3 batches"),
        ("a shadow without labels", evidence(drift(), rival=RivalAdvice("review", "4", "they disagree on 3%")), [],
         "review", "disagree"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)  # fmt: skip
def test_the_first_rule_that_applies_decides(
    what: str, given: Evidence, before: list[Verdict], action: str, said: str
) -> None:
    verdict = decide(given, POLICY, History(verdicts=before), NOW)
    assert (verdict.action, verdict.acts) == (action, action != "none"), what
    assert any(said in reason for reason in verdict.reasons), verdict.reasons
    assert verdict.held == ""


@pytest.mark.parametrize(
    ("what", "given", "before", "action", "acts"),
    [
        ("a backfill", evidence(JUMP, replay=True), [], "quarantine", False),
        ("an older batch", evidence(JUMP), [past(10)], "quarantine", False),
        ("the same batch again", evidence(JUMP), [past(9)], "quarantine", False),
        ("older rows with new labels", evidence(drift(), performance(drop=drop(0.1))), [past(30)], "retrain", True),
        ("older rows, older labels", evidence(drift(), performance(drop=drop(0.1))), [past(30, measured=True)],
         "retrain", False),
        ("older drift with new labels that show nothing", evidence(ONE_FEATURE, performance()), [past(30)], "alert",
         False),
        ("older drift, but new labels show a drop", evidence(JUMP, performance(drop=drop(0.1))), [past(30)],
         "quarantine", False),
        ("older estimate and a new measured drop", evidence(ONE_FEATURE, performance(drop=drop(0.1))), [past(30)],
         "retrain", True),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)  # fmt: skip
def test_only_what_is_newer_than_the_last_verdict_acts(
    what: str, given: Evidence, before: list[Verdict], action: str, acts: bool
) -> None:
    verdict = decide(given, POLICY, History(verdicts=before), NOW)
    assert (verdict.action, verdict.acts) == (action, acts), what
    assert acts or verdict.held.startswith("recorded only: ")


@pytest.mark.parametrize(
    ("policy", "hours_ago", "in_flight", "said"),
    [
        (POLICY, [], False, ""),
        (POLICY, [], True, "is running"),
        (POLICY, [5.9], False, "cooling down for 6 h after the last retrain, until 2026-11-21 12:06 UTC"),
        (POLICY, [6.1], False, ""),
        (POLICY, [6.1, 13, 20], False, "3 retrains in 24 hours"),
        (POLICY, [20, 13, 6.1], False, "3 retrains in 24 hours"),
        (POLICY, [6.1, 13, 24.1], False, ""),
        (Policy(cooldown_hours=0), [0.0], False, ""),
        (Policy(max_retrains_per_day=0), [], False, "0 retrains in 24 hours"),
    ],
)
def test_what_holds_a_retrain_back(policy: Policy, hours_ago: list[float], in_flight: bool, said: str) -> None:
    history = History(retrains=[NOW - timedelta(hours=h) for h in hours_ago], in_flight=in_flight)
    guard = may_retrain(policy, history, NOW)
    assert guard.allowed == (not said)
    assert said in guard.reason
    verdict = decide(evidence(drift(), performance(drop=drop(0.1))), policy, history, NOW)
    assert (verdict.action, verdict.acts, verdict.held) == ("retrain", True, guard.reason)


def test_the_day_s_limit_says_when_the_oldest_of_the_day_is_a_day_old() -> None:
    history = History(retrains=[NOW - timedelta(hours=h) for h in (7, 13, 20)])
    assert may_retrain(POLICY, history, NOW).until == NOW + timedelta(hours=4)


def lost(sequence: int, value: float, *, retrained: bool = False, champion: str = "3") -> Verdict:
    """A batch on which a champion lost so much, and whether a retrain followed."""
    action = "retrain" if retrained else "alert"
    return past(sequence, drop=drop(value), measured=True, champion=champion, action=action, acts=True)


OLD = lost(5, 0.1, retrained=True, champion="2")


@pytest.mark.parametrize(
    ("what", "before", "now", "action"),
    [
        ("the first drop", [], 0.1, "retrain"),
        ("a drop after good batches", [lost(8, 0.0), lost(7, 0.01), OLD], 0.1, "retrain"),
        ("the first batch after the retrain", [OLD], 0.1, "alert"),
        ("the second batch after it", [lost(8, 0.1), OLD], 0.1, "retrain"),
        ("it did not help twice: the third",
         [lost(8, 0.1), lost(7, 0.1), lost(6, 0.1, retrained=True), OLD], 0.1, "alert"),
        ("it did not help twice: the fourth",
         [lost(8, 0.1), lost(7, 0.1), lost(6, 0.1), lost(5, 0.1, retrained=True), lost(4, 0.1, retrained=True)], 0.1,
         "retrain"),
        ("a retrain that found nothing better counts too", [lost(8, 0.1, retrained=True, champion="3")], 0.1, "alert"),
        ("one that was only recorded does not",
         [past(8, drop=drop(0.1), measured=True, action="retrain")], 0.1, "retrain"),
        ("worse than on the champion's first batch",
         [lost(8, 0.1), lost(7, 0.1, retrained=True), lost(6, 0.1, retrained=True, champion="2")], 0.2, "retrain"),
        ("a little worse in three batches running",
         [lost(8, 0.16), lost(7, 0.16), lost(6, 0.1), lost(5, 0.1, retrained=True, champion="2"),
          lost(4, 0.1, retrained=True, champion="2"), lost(3, 0.1, retrained=True, champion="2")], 0.16, "retrain"),
        ("a little worse in one",
         [lost(8, 0.1), lost(7, 0.1), lost(6, 0.1), lost(5, 0.1, retrained=True, champion="2"),
          lost(4, 0.1, retrained=True, champion="2"), lost(3, 0.1, retrained=True, champion="2")], 0.14, "alert"),
        ("three batches prove together what none does alone", [lost(8, 0.025), lost(7, 0.03)], 0.03, "retrain"),
        ("a smaller loss that three do not prove", [lost(8, 0.01), lost(7, 0.015)], 0.03, "none"),
        ("two of another champion prove nothing of this one",
         [lost(8, 0.03, champion="2"), lost(7, 0.03, champion="2")], 0.03, "none"),
        ("a lasting small loss, but the batch is good", [lost(8, 0.03), lost(7, 0.03)], -0.05, "none"),
        ("not certain, though a retrain is long ago", [lost(8, 0.03), lost(7, 0.1), OLD], 0.03, "none"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)  # fmt: skip
def test_a_drop_that_a_retrain_did_not_end_asks_again_when_there_is_something_to_win(
    what: str, before: list[Verdict], now: float, action: str
) -> None:
    verdict = decide(evidence(drift(), performance(drop=drop(now))), POLICY, History(verdicts=before), NOW)
    assert (verdict.action, verdict.drop) == (action, drop(now)), what


def test_without_auto_retrain_a_retrain_becomes_a_request_for_review() -> None:
    verdict = decide(evidence(drift(), performance(drop=drop(0.1))), Policy(auto_retrain=False), History(), NOW)
    assert (verdict.action, verdict.acts, verdict.held) == ("review", True, "")
    assert verdict.reasons[-1] == "auto_retrain is off: a person decides"


def test_a_verdict_keeps_what_later_ones_look_back_at() -> None:
    causes = (Cause(feature="a", aspect="distribution", weight=1.0, reason="drifted"),)
    report = SPREAD.model_copy(update={"causes": causes})
    verdict = decide(evidence(report, unlabelled(estimated_drop=drop(0.05))), POLICY, History(), NOW)
    assert (verdict.estimated_drop, verdict.multivariate, verdict.measured) == (True, True, False)
    assert (verdict.alarmed, verdict.causes) == (("a",), causes)
    measured = decide(evidence(report, performance(target=TARGET)), POLICY, History(), NOW)
    assert (measured.estimated_drop, measured.measured) == (False, True)
    assert [cause.feature for cause in measured.causes] == ["a", "Churn"]


def test_the_same_evidence_gives_the_same_verdict() -> None:
    given = evidence(SPREAD, performance(drop=drop(0.1)))
    assert decide(given, POLICY, History(), NOW) == decide(given, POLICY, History(), NOW + timedelta(days=9))
