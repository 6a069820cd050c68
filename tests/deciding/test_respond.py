"""What follows from a verdict: which records, and thresholds that move within bounds."""

from typing import Any

import pytest

from automl_assets.core.evidence import Cause, Verdict
from automl_assets.core.records import Action
from automl_assets.deciding.respond import adjustment, respond, threshold_in_force, workers_for


def verdict(action: str, *, acts: bool = True, **given: Any) -> Verdict:
    fields: dict[str, Any] = {
        "pipeline": "churn", "batch": "week_9.csv", "sequence": 9, "champion": "3", "finding": "f9",
        "action": action, "severity": "warning", "reasons": ("a: drifted", "b: drifted"), "acts": acts,
    }  # fmt: skip
    return Verdict.model_validate({**fields, **given})


@pytest.mark.parametrize(
    ("action", "actions", "notices", "quarantined"),
    [
        ("none", [], 0, []),
        ("alert", [], 1, []),
        ("quarantine", [], 1, ["week_9.csv"]),
        ("retrain", [("retrain", "retrain-f9")], 1, []),
        ("review", [("review", "review-f9")], 1, []),
        ("rollback", [("rollback", "rollback-f9")], 1, []),
        ("promote", [("promote", "promote-f9")], 1, []),
    ],
)
def test_what_is_written_down(
    action: str, actions: list[tuple[str, str]], notices: int, quarantined: list[str]
) -> None:
    response = respond(verdict(action), digest="d9", rival="4")
    assert [(a.kind, a.key) for a in response.actions] == actions
    assert all(a.state == "pending" and a.reason == "a: drifted; b: drifted" for a in response.actions)
    assert len(response.notices) == notices
    assert [q.batch for q in response.quarantined] == quarantined


@pytest.mark.parametrize("action", ["alert", "quarantine", "retrain", "rollback"])
def test_nothing_follows_from_a_verdict_that_does_not_act(action: str) -> None:
    response = respond(verdict(action, acts=False), digest="d9")
    assert (response.actions, response.notices, response.quarantined) == ((), (), ())


def test_a_message_says_what_why_and_where_to_look() -> None:
    causes = (Cause(feature="age", aspect="missing", weight=0.75, reason="r"),)
    notice = respond(verdict("retrain", causes=causes, held="cooling down"), digest="d9").notices[0]
    assert notice.title == "A retrain was requested after batch week_9.csv"
    assert notice.body.splitlines() == [
        "a: drifted; b: drifted",
        "Likely causes: age (missing, 75%)",
        "Waiting: cooling down",
        "Champion: version 3. Everything: automl history churn",
    ]


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ({"batch": "week_10.csv", "finding": "f10"}, True),
        ({"alarmed": ("a", "b")}, False),
        ({"champion": "4"}, False),
        ({"severity": "critical"}, False),
    ],
)
def test_alerts_about_the_same_features_of_the_same_champion_are_one_message(given: dict[str, Any], same: bool) -> None:
    first = respond(verdict("alert", alarmed=("a",)), digest="d").notices[0]
    second = respond(verdict("alert", **{"alarmed": ("a",), **given}), digest="d").notices[0]
    assert (first.key == second.key) == same


def test_what_a_retrain_needs_travels_with_it() -> None:
    action = respond(verdict("retrain", measured=True), digest="d", workers=4).actions[0]
    assert action.payload == {"batch": "week_9.csv", "champion": "3", "measured": True, "workers": 4}
    assert "workers" not in respond(verdict("retrain"), digest="d").actions[0].payload
    assert respond(verdict("rollback"), digest="d", rival="2").actions[0].payload["version"] == "2"


def outcome(key: str, promoted: bool | None, *, measured: bool = False, state: str = "done") -> Action:
    payload = {"measured": measured, **({"promoted": promoted} if promoted is not None else {})}
    return Action("churn", "retrain", key, "drift", state=state, payload=payload)  # type: ignore[arg-type]


FUTILE = [outcome("r2", False), outcome("r1", False)]


@pytest.mark.parametrize(
    ("what", "share", "outcomes", "after"),
    [
        ("two futile", 0.3, FUTILE, 0.35),
        ("one futile", 0.3, FUTILE[:1], None),
        ("none", 0.3, [], None),
        ("the newest was of use", 0.3, [outcome("r3", True), *FUTILE], None),
        ("one of use between", 0.3, [FUTILE[0], outcome("r", True), FUTILE[1]], None),
        ("one that labels asked for", 0.3, [FUTILE[0], outcome("r", False, measured=True), FUTILE[1]], None),
        ("a failed one between does not count", 0.3, [FUTILE[0], outcome("r", None, state="failed"), FUTILE[1]], 0.35),
        ("close to the bound", 0.58, FUTILE, 0.6),
        ("at the bound", 0.6, FUTILE, None),
    ],
)
def test_a_threshold_rises_after_two_retrains_for_nothing(
    what: str, share: float, outcomes: list[Action], after: float | None
) -> None:
    found = adjustment(share, 0.3, outcomes)
    assert (found.payload["after"] if found else None) == after, what
    if found:
        assert (found.kind, found.state, found.key) == ("adjust", "done", "adjust-r2")
        assert found.reason.endswith(f"importance_share {share:g} → {after:g} (at most 0.6)")


@pytest.mark.parametrize(
    ("configured", "adjusted", "in_force"),
    [
        (0.3, [], 0.3),
        (0.3, [0.35], 0.35),
        (0.3, [0.4, 0.35], 0.4),
        (0.5, [0.4], 0.5),
        (0.1, [0.6], 0.2),
        (0.9, [1.0], 1),
    ],
)
def test_the_threshold_in_force_stays_within_its_bounds(
    configured: float, adjusted: list[float], in_force: float
) -> None:
    actions = [Action("churn", "adjust", f"a{after}", "", payload={"after": after}) for after in adjusted]
    assert threshold_in_force(configured, actions) == in_force


@pytest.mark.parametrize(
    ("rows", "before", "workers"), [(1000, 1000, None), (1999, 1000, None), (2000, 1000, 8), (10, 0, None)]
)
def test_a_window_that_has_doubled_gets_all_cores(rows: int, before: int, workers: int | None) -> None:
    assert workers_for(rows, before, 8) == workers
