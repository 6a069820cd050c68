"""Verdicts, actions and quarantine: written once, together or not at all, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from automl_assets.core.evidence import Verdict
from automl_assets.core.records import Action, Quarantined, VerdictRow
from resources.platform_database import PlatformDatabase, close_all
from resources.records.actions import Actions
from resources.records.quarantine import Quarantine
from resources.records.verdicts import Verdicts
from tests.conftest import postgres_database

AT = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PlatformDatabase]:
    """A database of its own."""
    if request.param == "sqlite":
        yield PlatformDatabase(f"sqlite:///{tmp_path / 'platform.db'}")
        return
    with postgres_database() as url:
        yield PlatformDatabase(url.replace("+psycopg2", ""))
        close_all()


def verdict(sequence: int, **given: object) -> Verdict:
    fields = {
        "pipeline": "churn", "batch": f"week_{sequence}.csv", "sequence": sequence, "champion": "1",
        "finding": f"finding-{sequence}", "action": "none", "severity": "info", "reasons": ("nothing",),
    }  # fmt: skip
    return Verdict.model_validate({**fields, **given})


def retrain(key: str = "retrain-1", **given: object) -> Action:
    return replace(Action("churn", "retrain", key, "drift", at=AT, payload={"batch": "b"}), **given)  # type: ignore[arg-type]


def test_a_verdict_comes_back_as_it_was_written_with_its_actions(database: PlatformDatabase) -> None:
    row = VerdictRow(verdict(1, action="retrain", acts=True, reasons=("a", "b")), AT, "run-1")
    Verdicts(database).record(row, [retrain()], [Quarantined("churn", "b", "d", ("why",), at=AT)])
    assert replace(Verdicts(database).of("churn")[0], id=0) == row
    assert [replace(action, id=0) for action in Actions(database).of("churn")] == [retrain()]
    assert [(q.batch, q.reasons, q.answer) for q in Quarantine(database).of("churn")] == [("b", ("why",), "waiting")]
    assert Verdicts(database).of("nobody") == []


def test_the_same_finding_is_written_once_and_its_actions_are_not_repeated(database: PlatformDatabase) -> None:
    verdicts = Verdicts(database)
    first = verdicts.record(VerdictRow(verdict(1, action="retrain"), AT), [retrain()])
    again = verdicts.record(VerdictRow(verdict(1, action="alert"), AT + timedelta(days=1)), [retrain("other")])
    assert again == first
    assert [action.key for action in Actions(database).of("churn")] == ["retrain-1"]


def test_a_verdict_whose_action_is_known_already_is_written_all_the_same(database: PlatformDatabase) -> None:
    Actions(database).add(retrain())
    Quarantine(database).put(Quarantined("churn", "b", "d", ("before",), at=AT))
    Verdicts(database).record(
        VerdictRow(verdict(2), AT), [retrain()], [Quarantined("churn", "b", "d", ("now",), at=AT)]
    )
    assert len(Verdicts(database).of("churn")) == 1
    assert Quarantine(database).of("churn")[0].reasons == ("before",)


def test_a_decision_gets_the_newest_the_newest_measured_and_the_champion_s_first_measured(
    database: PlatformDatabase,
) -> None:
    verdicts = Verdicts(database)
    for sequence, champion in ((4, "1"), (1, "1"), (2, "1"), (3, "1"), (10, "2"), (9, "2")):
        measured = sequence in (2, 3, 4)
        verdicts.record(VerdictRow(verdict(sequence, champion=champion, measured=measured), AT))
    found = {champion: verdicts.looked_back_at("churn", champion, most=2) for champion in ("1", "2")}
    assert [row.verdict.sequence for row in found["1"]] == [10, 9, 4, 2]
    assert [row.verdict.sequence for row in found["2"]] == [10, 9, 4]


def test_an_action_goes_from_pending_over_requested_to_done(database: PlatformDatabase) -> None:
    actions = Actions(database)
    assert actions.add(retrain())
    assert not actions.add(retrain(reason="again"))
    waiting = actions.unfinished("retrain")
    assert [(a.state, a.reason) for a in waiting] == [("pending", "drift")]
    actions.request(waiting[0], "run-7", AT)
    assert actions.requested_since("retrain", AT - timedelta(hours=1)) == {"churn": [AT]}
    assert actions.requested_since("retrain", AT + timedelta(hours=1)) == {}
    assert actions.unfinished("retrain")[0].run_id == "run-7"
    actions.finish(waiting[0], "done", "version 2 is the champion", payload={"promoted": True})
    done = actions.of("churn", kinds=["retrain"], most=1)[0]
    assert (done.state, done.outcome, done.payload) == (
        "done", "version 2 is the champion", {"batch": "b", "promoted": True},
    )  # fmt: skip
    assert actions.unfinished("retrain") == []
    assert actions.of("churn", kinds=["review"]) == []


def test_an_answer_is_kept_and_may_be_changed(database: PlatformDatabase) -> None:
    quarantine = Quarantine(database)
    quarantine.put(Quarantined("churn", "b", "d", ("column 'a' is missing",), at=AT))
    quarantine.put(Quarantined("churn", "b", "other content", ("again",), at=AT))
    older = quarantine.of("churn")[1]
    quarantine.answer(older, "rejected", actor="ada", why="a test file", at=AT)
    quarantine.answer(older, "accepted", actor="bob", why="it is right", at=AT)
    assert [(q.digest, q.answer, q.actor, q.why) for q in quarantine.of("churn")] == [
        ("other content", "waiting", "", ""),
        ("d", "accepted", "bob", "it is right"),
    ]


def test_purging_keeps_what_is_new_unfinished_or_the_last_of_a_pipeline(database: PlatformDatabase) -> None:
    verdicts, actions = Verdicts(database), Actions(database)
    for sequence, days in ((1, 500), (2, 400), (3, 1)):
        verdicts.record(VerdictRow(verdict(sequence), AT - timedelta(days=days)))
    verdicts.record(VerdictRow(verdict(1, pipeline="ames"), AT - timedelta(days=900)))
    actions.add(retrain("old", at=AT - timedelta(days=500), state="done"))
    actions.add(retrain("waits", at=AT - timedelta(days=500)))
    before = AT - timedelta(days=365)
    assert (verdicts.purge(before), actions.purge(before)) == (2, 1)
    assert [row.verdict.sequence for row in verdicts.of("churn")] == [3]
    assert len(verdicts.of("ames")) == 1
    assert [action.key for action in actions.of("churn")] == ["waits"]
