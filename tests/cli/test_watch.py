"""`automl history` and `automl review` on a database that monitoring wrote: what they show, and what answers do."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from automl_assets.cli import watch
from automl_assets.cli.app import run
from automl_assets.core.evidence import Cause, Verdict
from automl_assets.core.records import Act, Action, Quarantined, VerdictRow
from resources.platform_database import PlatformDatabase, close_all
from resources.records.actions import Actions
from resources.records.acts import Acts
from resources.records.quarantine import Quarantine
from resources.records.verdicts import Verdicts

YAML = """type: automl_assets.AutoMLPipeline
attributes: {name: churn, source: {type: csv, path: in}, target: y, batches: {kind: files}}
"""
START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CAUSE = Cause(feature="age", aspect="missing", weight=1.0, reason="31 points more")


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlatformDatabase]:
    """The database of a machine with one pipeline that has decided nothing yet."""
    (tmp_path / "pipelines" / "churn").mkdir(parents=True)
    (tmp_path / "pipelines" / "churn" / "defs.yaml").write_text(YAML)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("AUTOML_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AUTOML_PIPELINES", str(tmp_path / "pipelines"))
    monkeypatch.setenv("AUTOML_ACTOR", "ada")
    monkeypatch.setenv("COLUMNS", "200")
    yield PlatformDatabase.of(tmp_path / "home", None)
    close_all()


def verdict(number: int, action: Any, **given: Any) -> Verdict:
    fields: dict[str, Any] = {
        "pipeline": "churn", "batch": f"Week_{number}.csv", "sequence": number, "champion": "1",
        "finding": f"f{number}", "severity": "info", "reasons": (), "acts": True,
    }  # fmt: skip
    return Verdict.model_validate({**fields, "action": action, **given})


@pytest.fixture
def watched(database: PlatformDatabase) -> PlatformDatabase:
    """Four batches: nothing, one in quarantine, a retrain that a person decides about, a late one that is recorded."""
    verdicts = Verdicts(database)
    put_aside = Quarantined("churn", "Week_2.csv", "bytes 2", ("age: 31 points more are missing",), at=START)
    payload = {"batch": "Week_3.csv", "champion": "1", "measured": True}
    asked = Action("churn", "review", "review-f3", "worse by 0.1; [bold]x drifted", finding="f3", payload=payload,
                   at=START)  # fmt: skip
    rows: list[tuple[Verdict, Any, Any]] = [
        (verdict(1, "none", acts=False, reasons=("nothing differs that matters",)), (), ()),
        (verdict(2, "quarantine", reasons=put_aside.reasons, causes=(CAUSE,)), (), (put_aside,)),
        (verdict(3, "review", reasons=("worse by 0.1", "[bold]x drifted")), (asked,), ()),
        (verdict(4, "alert", acts=False, held="recorded only: a backfill", reasons=("a: drifted",)), (), ()),
    ]
    for number, (one, actions, quarantined) in enumerate(rows):
        at = START + timedelta(hours=number)
        verdicts.record(VerdictRow(one, at, f"run {number}"), actions, quarantined)
    Acts(database).record(Act("churn", "promote", "gate", "the first model", None, "1", START - timedelta(hours=1)))
    return database


def document(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> dict[str, Any]:
    """What a command printed with `--json`: one object and nothing else."""
    assert run([*argv, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def shown(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert run(list(argv)) == 0
    return capsys.readouterr().out


# ---- history -----------------------------------------------------------------------------------------------------


def test_the_history_has_every_verdict_action_move_and_answer(
    watched: PlatformDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    found = document(capsys, "history", "churn")

    assert set(found) == {"pipeline", "verdicts", "actions", "champions", "quarantine"}
    assert [(v["batch"], v["action"], v["acts"]) for v in found["verdicts"]] == [
        ("Week_4.csv", "alert", False),
        ("Week_3.csv", "review", True),
        ("Week_2.csv", "quarantine", True),
        ("Week_1.csv", "none", False),
    ]
    assert found["verdicts"][2] == {
        "at": "2026-11-20T13:00:00+00:00", "batch": "Week_2.csv", "champion": "1", "action": "quarantine",
        "acts": True, "held": "", "reasons": ["age: 31 points more are missing"],
        "causes": [{"feature": "age", "aspect": "missing", "weight": 1.0, "reason": "31 points more"}],
        "run_id": "run 1",
    }  # fmt: skip
    (action,) = found["actions"]
    assert (action["kind"], action["state"], action["payload"]["batch"]) == ("review", "pending", "Week_3.csv")
    (act,) = found["champions"]
    assert (act["what"], act["actor"], act["before"], act["after"]) == ("promote", "gate", None, "1")
    (waiting,) = found["quarantine"]
    assert (waiting["batch"], waiting["answer"]) == ("Week_2.csv", "waiting")


def test_only_the_newest_are_shown_where_fewer_are_asked_for(
    watched: PlatformDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    found = document(capsys, "history", "churn", "--most", "1")
    assert [v["batch"] for v in found["verdicts"]] == ["Week_4.csv"]


def test_people_read_the_history(watched: PlatformDatabase, capsys: pytest.CaptureFixture[str]) -> None:
    told = shown(capsys, "history", "churn")
    for words in (
        "2026-11-20 15:00",
        "(alert)",
        "age: 31 points more are missing",
        "worse by 0.1 … and 1 more",
        "worse by 0.1; [bold]x drifted",
        "version — → 1: the first model",
        "batch Week_2.csv: age: 31 points more",
    ):
        assert words in told, words
    assert told.index("Week_4.csv") < told.index("Week_1.csv"), "newest first"


def test_a_pipeline_without_verdicts_has_an_empty_history(
    database: PlatformDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    assert document(capsys, "history", "churn") == {
        "pipeline": "churn", "verdicts": [], "actions": [], "champions": [], "quarantine": [],
    }  # fmt: skip
    assert shown(capsys, "history", "churn") == "Nothing has been decided about churn yet.\n"
    assert shown(capsys, "review", "churn") == "Nothing of churn waits for an answer.\n"


@pytest.mark.parametrize("command", ["history", "review"])
def test_an_unknown_pipeline_is_named_with_the_nearest(
    database: PlatformDatabase, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    error = document(capsys, command, "chrun", code=2)["error"]
    assert "Unknown pipeline 'chrun'. Did you mean 'churn'?" in f"{error['message']} {error['remedy']}"


# ---- review ------------------------------------------------------------------------------------------------------


def test_what_waits_is_listed_with_the_ids_that_answers_take(
    watched: PlatformDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    found = document(capsys, "review", "churn")

    assert found["answered"] is None
    retrain, batch = found["waiting"]
    assert batch == {
        "id": "b1", "what": "batch", "batch": "Week_2.csv", "at": "2026-11-20T12:00:00+00:00",
        "reasons": ["age: 31 points more are missing"], "answer": "waiting", "actor": "", "why": "",
    }  # fmt: skip
    assert (retrain["id"], retrain["what"], retrain["batch"]) == ("r1", "retrain", "Week_3.csv")
    assert retrain["reasons"] == ["worse by 0.1", "[bold]x drifted"]
    told = shown(capsys, "review", "churn")
    for words in ("b1", "r1", "2026-11-20 12:00", "Week_2.csv", "waiting", "--accept ID or --reject ID"):
        assert words in told


@pytest.mark.parametrize(
    ("flag", "answer", "follows"),
    [
        ("--accept", "accepted", "its rows rejoin the window at the next `automl run`"),
        ("--reject", "rejected", "its rows stay out"),
    ],
)
def test_an_answer_about_a_batch_is_written_down_with_who_and_why(
    watched: PlatformDatabase, capsys: pytest.CaptureFixture[str], flag: str, answer: str, follows: str
) -> None:
    found = document(capsys, "review", "churn", flag, "b1", "--reason", "I asked the supplier")

    assert found["answered"] == {
        "batch": "Week_2.csv", "answer": answer, "follows": follows, "actor": "ada", "why": "I asked the supplier",
    }  # fmt: skip
    (row,) = Quarantine(watched).of("churn")
    assert (row.answer, row.actor, row.why) == (answer, "ada", "I asked the supplier")
    assert row.answered_at is not None
    assert [one["id"] for one in found["waiting"]] == ["r1", "b1"], "an answer may be changed"
    told = shown(capsys, "review", "churn", "--reject", "b1", "--reason", "after all")
    assert told.startswith("Batch Week_2.csv: rejected; its rows stay out.\n")
    assert "batch Week_2.csv: after all" in shown(capsys, "history", "churn")


def test_an_accepted_retrain_becomes_one_action_in_the_name_of_who_accepted_it(
    watched: PlatformDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    found = document(capsys, "review", "churn", "--accept", "r1", "--reason", "go")

    assert found["answered"]["follows"] == "the sensor drift_retraining starts it; or `automl run`"
    assert [one["id"] for one in found["waiting"]] == ["b1"]
    retrain, asked = Actions(watched).of("churn")
    assert (retrain.kind, retrain.state, retrain.key, retrain.actor) == ("retrain", "pending", "retrain-f3", "ada")
    assert retrain.reason == "worse by 0.1; [bold]x drifted; accepted by ada: go"
    assert retrain.payload == {"batch": "Week_3.csv", "champion": "1", "measured": True}
    assert (asked.state, asked.outcome) == ("done", "accepted by ada: go")
    assert document(capsys, "review", "churn", "--accept", "r1", "--reason", "again", code=2)["error"]["code"]


def test_an_answer_that_was_killed_halfway_can_be_given_again(
    watched: PlatformDatabase, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("resources.records.actions.Actions.finish", die)
        assert run(["review", "churn", "--accept", "r1", "--reason", "go"]) == 130
    found = watch.review("churn", None, None, "")
    assert [one["id"] for one in found["waiting"]] == ["r1", "b1"]

    capsys.readouterr()
    document(capsys, "review", "churn", "--accept", "r1", "--reason", "go")

    assert [(a.kind, a.state) for a in Actions(watched).of("churn")] == [("retrain", "pending"), ("review", "done")]


def test_a_rejected_retrain_is_not_started(watched: PlatformDatabase, capsys: pytest.CaptureFixture[str]) -> None:
    told = shown(capsys, "review", "churn", "--reject", "r1", "--reason", "wait for March")

    assert told.startswith("The retrain: rejected by ada: wait for March; no retrain.\n")
    (asked,) = Actions(watched).of("churn")
    assert (asked.state, asked.outcome) == ("cancelled", "rejected by ada: wait for March")


def test_an_accepted_challenger_is_promoted(
    watched: PlatformDatabase, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[tuple[str, str, str]] = []
    monkeypatch.setattr(watch, "promote", lambda *given: moved.append(given))
    payload = {"batch": "Week_4.csv", "champion": "1", "version": "2"}
    Actions(watched).add(Action("churn", "review", "review-f4", "none with a label", finding="f4", payload=payload))
    assert [one["what"] for one in document(capsys, "review", "churn")["waiting"]][:1] == ["promotion"]

    found = document(capsys, "review", "churn", "--accept", "r2", "--reason", "they agree")

    assert moved == [("churn", "2", "they agree")]
    assert found["answered"]["follows"] == "version 2 is the champion"
    assert [(a.kind, a.state) for a in Actions(watched).of("churn")] == [("review", "done"), ("review", "pending")]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--accept", "b9", "--reason", "x"], "Unknown id 'b9'"),
        (["--accept", "b1"], "An answer needs a reason"),
        (["--reject", "r1", "--reason", "  "], "An answer needs a reason"),
        (["--accept", "b1", "--reject", "r1", "--reason", "x"], "--accept and --reject were both given"),
        (["--accept", "", "--reason", "x"], "Unknown id ''"),
    ],
)
def test_an_answer_that_can_t_be_taken_changes_nothing(
    watched: PlatformDatabase, capsys: pytest.CaptureFixture[str], argv: list[str], said: str
) -> None:
    error = document(capsys, "review", "churn", *argv, code=2)["error"]

    assert said in error["message"]
    assert error["remedy"]
    assert Quarantine(watched).of("churn")[0].answer == "waiting"
    assert [(a.kind, a.state) for a in Actions(watched).of("churn")] == [("review", "pending")]
