"""Deciding on a real database: a verdict and what follows once, whatever is killed; old batches change nothing."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from automl_assets.core.evidence import DriftReport, LabelMatch, PerformanceReport
from automl_assets.core.records import Action, now
from automl_assets.deciding.assets import REPLAY_TAGS, verdict_checks
from resources.records.quarantine import Quarantine
from resources.records.verdicts import Verdicts
from tests.deciding.test_decide import BROKEN, JUMP, ONE_FEATURE, SPREAD, drift, drop, performance, unlabelled
from tests.deciding.world import PREVIOUS_BETTER, Killed, World, challenged

DROPPED = performance(drop=drop(0.1))
BACKFILL = {"automl/backfill": "true"}


# ---- a verdict and what follows -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("report", "seen", "action", "asked", "told", "quarantined"),
    [
        (drift(), unlabelled(), "none", [], [], []),
        (ONE_FEATURE, unlabelled(), "alert", [], ["Batch b1 differs from the training rows"], []),
        (drift(), DROPPED, "retrain", [("retrain", "pending")], ["A retrain was requested after batch b1"], []),
        (JUMP, DROPPED, "quarantine", [], ["Batch b1 is in quarantine and waits for an answer: automl review"],
         ["b1"]),
    ],
)  # fmt: skip
def test_a_verdict_is_written_down_with_everything_that_follows(
    world: World, report: DriftReport, seen: PerformanceReport, action: str, asked: Any, told: Any, quarantined: Any
) -> None:
    verdict = world.decide("b1", report, seen)

    assert (verdict.action, verdict.sequence, verdict.champion) == (action, 1, "2")
    assert verdict.acts == (action != "none")
    (row,) = Verdicts(world.database).of("churn")
    assert row.verdict == verdict
    assert (world.asked(), world.told()) == (asked, told)
    waiting = Quarantine(world.database).of("churn")
    assert [one.batch for one in waiting] == quarantined
    assert all((one.digest, one.answer) == ("bytes of b1", "waiting") for one in waiting)


def test_the_same_evidence_again_gives_the_same_verdict_and_nothing_twice(world: World) -> None:
    first = world.decide("b1", drift(), DROPPED)

    drawn_again = drift(html_path="drift/page.html", html_url="http://mlflow/page", figure_path="drift/page.png")
    later = DROPPED.model_copy(update={"labels": LabelMatch(matched=1000, waiting=0, unknown=7)})
    more = later.model_copy(update={"labels": LabelMatch(matched=1000, waiting=0, unknown=900)})
    assert world.decide("b1", drift(), DROPPED) == first
    assert world.decide("b1", drawn_again, DROPPED) == first, "where a page lies is no evidence"
    labelled = world.decide("b1", drift(), later)
    assert labelled.finding != first.finding
    assert world.decide("b1", drift(), more) == labelled, "nor are labels of other batches"
    assert (world.asked(), len(world.told())) == ([("retrain", "pending")], 1)
    assert len(Verdicts(world.database).of("churn")) == 2


@pytest.mark.parametrize("point", ["before the notice", "before the verdict", "after the verdict"])
def test_an_attempt_that_was_killed_ends_with_one_of_each(
    world: World, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    record = Verdicts.record

    def die(*given: Any, **named: Any) -> Any:
        if point == "after the verdict":
            record(*given, **named)
        raise Killed

    with monkeypatch.context() as patched:
        where = "notices.Notices.add" if point == "before the notice" else "verdicts.Verdicts.record"
        patched.setattr(f"resources.records.{where}", die)
        with pytest.raises(Killed):
            world.decide("b1", drift(), DROPPED)
    assert len(world.asked()) == (point == "after the verdict"), "an action stands with its verdict or not at all"

    verdict = world.decide("b1", drift(), DROPPED)

    assert (verdict.action, verdict.acts) == ("retrain", True)
    assert (world.asked(), len(world.told())) == ([("retrain", "pending")], 1)
    assert len(Verdicts(world.database).of("churn")) == 1


def test_a_quarantine_that_a_person_has_answered_is_not_asked_again(world: World) -> None:
    world.decide("b1", JUMP)
    quarantine = Quarantine(world.database)
    (waiting,) = quarantine.of("churn")
    quarantine.answer(waiting, "accepted", actor="ada", why="the supplier changed it", at=now())

    again = world.decide("b1", JUMP.model_copy(update={"share_drifted": 0.5}))

    assert again.action == "alert", "what was accepted is told, and no more"
    assert [one.answer for one in quarantine.of("churn")] == ["accepted"]
    rewritten = world.raw("b1").model_copy(update={"source_digest": "other bytes"})
    assert world.decide("b1", BROKEN, raw=rewritten).action == "quarantine", "only those bytes were accepted"


def test_a_retrain_for_a_window_that_doubled_asks_for_all_cores(world: World) -> None:
    for key in ("b1", "b/2"):
        world.store.save("churn", "raw_table", key, world.raw(key, rows=10_000), key)

    world.decide("b1", drift(reference_rows=9_000), DROPPED)

    (action,) = world.actions.of("churn")
    assert action.payload["workers"] >= 1
    assert {name: action.payload[name] for name in ("batch", "champion", "measured")} == {
        "batch": "b1", "champion": "2", "measured": True,
    }  # fmt: skip


@pytest.mark.parametrize(("raised_to", "action"), [(None, "retrain"), (0.35, "retrain"), (0.6, "alert")])
def test_an_adjusted_threshold_is_in_force(world: World, raised_to: float | None, action: str) -> None:
    if raised_to is not None:
        payload = {"threshold": "importance_share", "before": 0.3, "after": raised_to}
        world.actions.add(Action("churn", "adjust", "adjust-1", "futile", state="done", payload=payload))
    world.land("b1", "b2")

    verdicts = [world.decide(key, SPREAD) for key in ("b1", "b2")]

    assert [verdict.action for verdict in verdicts] == ["alert", action]


def test_one_retrain_in_flight_holds_the_next_and_the_cool_down_is_told(world: World) -> None:
    world.land("b1", "b2", "b3")
    world.decide("b1", drift(), DROPPED)
    (asked,) = world.actions.of("churn")
    world.actions.request(asked, "run 1", now())

    assert world.decide("b2", drift(), DROPPED).action == "alert"
    held = world.decide("b3", drift(), DROPPED)

    assert (held.action, held.held) == ("retrain", "a retrain of this pipeline is running")
    assert world.asked() == [("retrain", "requested"), ("retrain", "pending")]
    world.actions.finish(asked, "done", "version 3")
    world.land("b4", "b5", "b6", "b7")
    for batch in ("b4", "b5", "b6"):
        assert world.decide(batch, drift(), DROPPED).action == "alert"
    assert world.decide("b7", drift(), DROPPED).held.startswith("cooling down for 6 h")


# ---- what is old changes nothing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", REPLAY_TAGS)
def test_a_backfill_of_fifty_old_batches_with_drastic_drift_acts_on_none(world: World, tag: str) -> None:
    keys = [f"b{number}" for number in range(50)]
    world.land(*keys)
    evidence = [(JUMP, DROPPED), (SPREAD, unlabelled(estimated_drop=drop(0.3))), (drift(), PREVIOUS_BETTER),
                (BROKEN, challenged(-0.2)), (SPREAD, DROPPED)]  # fmt: skip
    world.registry.set_alias("churn", "challenger", "3")
    world.promoted("1", "2")

    verdicts = [
        world.decide(key, *evidence[number % len(evidence)], tags={tag: "x"}) for number, key in enumerate(keys)
    ]

    assert {verdict.action for verdict in verdicts} >= {"quarantine", "retrain", "rollback"}
    assert not any(verdict.acts for verdict in verdicts)
    assert {verdict.held for verdict in verdicts} == {"recorded only: a backfill"}
    assert (world.asked(), world.told(), Quarantine(world.database).of("churn")) == ([], [], [])
    assert world.registry.aliases == {("churn", "champion"): "2", ("churn", "challenger"): "3"}
    assert len(Verdicts(world.database).of("churn")) == 50
    assert all(verdict_checks(verdict)[0].passed for verdict in verdicts), "a backfill leaves no warning behind"


def test_an_older_batch_is_recorded_only(world: World) -> None:
    world.land("b1", "b2")
    world.decide("b2", drift(), performance())

    late = [world.decide("b1", report, seen) for report, seen in ((JUMP, DROPPED), (drift(), DROPPED))]

    assert [(v.action, v.acts) for v in late] == [("quarantine", False), ("retrain", False)]
    assert {v.held for v in late} == {"recorded only: a newer batch has been judged already"}
    assert (world.asked(), world.told()) == ([], [])


def test_labels_that_come_for_the_newest_labelled_batch_act_though_newer_ones_have_arrived(world: World) -> None:
    world.land("b1", "b2", "b3")
    for key in ("b1", "b2", "b3"):
        world.decide(key)

    labelled = [world.decide(key, drift(), seen) for key, seen in (("b1", performance()), ("b2", DROPPED))]

    assert [(v.action, v.acts) for v in labelled] == [("none", False), ("retrain", True)]
    assert world.decide("b1", drift(), DROPPED).acts is False, "labels of an older batch came again"


# ---- what still waits and is moot -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("next_batch", "seen", "tags", "state"),
    [
        ("b3", performance(), {}, "cancelled"),
        ("b3", unlabelled(), {}, "pending"),
        ("b3", DROPPED, {}, "pending"),
        ("b3", performance(), BACKFILL, "pending"),
        ("b1", performance(), {}, "pending"),
    ],
    ids=["a newer one shows nothing", "it has no labels", "it asks too", "a backfill", "an older one"],
)
def test_a_retrain_that_waits_is_withdrawn_by_a_newer_labelled_batch_that_shows_nothing(
    world: World, next_batch: str, seen: PerformanceReport, tags: dict[str, str], state: str
) -> None:
    world.land("b1", "b2", "b3")
    world.decide("b2", drift(), DROPPED)

    world.decide(next_batch, drift(), seen, tags=tags)

    assert world.asked()[0] == ("retrain", state)


def test_a_retrain_for_a_champion_that_is_none_any_more_is_withdrawn(world: World) -> None:
    world.decide("b1", drift(), DROPPED)
    (asked,) = world.actions.of("churn")
    world.registry.set_alias("churn", "champion", "3")

    world.decide("b1", drift(), performance())

    (action,) = world.actions.of("churn")
    assert (action.key, action.state) == (asked.key, "cancelled")
    assert action.outcome == "version 3 is the champion now"


def test_what_a_person_asked_for_and_what_is_requested_already_stay(world: World) -> None:
    world.land("b1", "b2")
    payload = {"champion": "1", "batch": "b1"}
    world.actions.add(Action("churn", "retrain", "retrain-a", "by hand", actor="ada", payload=payload))
    world.actions.add(Action("churn", "retrain", "retrain-b", "drift", state="requested", payload=payload))
    world.actions.add(Action("other", "retrain", "retrain-c", "drift", payload=payload))

    world.decide("b2", drift(), performance())

    assert world.asked() == [("retrain", "pending"), ("retrain", "requested")]
    assert [action.state for action in world.actions.of("other")] == ["pending"]


def test_without_auto_retrain_one_question_waits_however_many_batches_ask(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    world = World(tmp_path, instance, monitoring={"auto_retrain": False})
    world.land("b1", "b2", "b3", "b4")

    actions = [world.decide(key, drift(), DROPPED).action for key in ("b1", "b2", "b3")]

    assert actions == ["review"] * 3
    assert world.asked() == [("review", "cancelled"), ("review", "cancelled"), ("review", "pending")]
    world.decide("b4", drift(), performance())
    assert world.asked()[-1] == ("review", "cancelled")


# ---- the place of a batch -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batches", "keys", "places"),
    [
        ({"kind": "files"}, ["b", "a", "unseen", "b"], [1, 2, 3, 1]),
        ({"kind": "daily", "start": "2024-01-01"}, ["2024-01-02", "2024-01-01"], [738887, 738886]),
        ({"kind": "none"}, ["all", "all", "all"], [1, 2, 3]),
    ],
)
def test_the_place_of_a_batch(
    tmp_path: Path, instance: dg.DagsterInstance, batches: Any, keys: list[str], places: list[int]
) -> None:
    world = World(tmp_path, instance, batches=batches)
    if batches["kind"] == "files":
        world.land("b", "a")

    found = [world.decide(key, drift(share_drifted=n / 10)).sequence for n, key in enumerate(keys)]

    assert found == places
