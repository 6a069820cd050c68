"""From a table to a champion and its predictions, by the commands that a user types."""

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.end_to_end.command import Project, table_text

ALL_STEPS = {
    "raw_table", "quality_report", "training_window", "problem", "cleaning_plan", "clean_table", "tuning_study",
    "trained_model", "evaluation", "registered_model", "champion", "predictions", "drift_report", "performance_report",
    "verdict",
}  # fmt: skip
RUN_KEYS = {
    "pipeline", "status", "run_ids", "problem", "holdout", "leaderboard", "model", "seconds", "peak_rss_mb", "warnings",
}  # fmt: skip
ROWS = 400
FIRST = ("run", "risk_scores", "--set", "tuning.time_budget_seconds=8")
SMALL = ("run", "risk_scores", "--set", "tuning={families: [linear], max_trials: 1}", "--set", "seed=1")
LEADERBOARD_KEYS = {"name", "family", "score", "fit_seconds", "row_ms", "rows_per_second", "memory_mb", "size_mb"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with one pipeline, made by `automl init` and trained once. Tests of this file run in order."""
    root = tmp_path_factory.mktemp("project")
    (root / "pipelines").mkdir()
    (root / "data").mkdir()
    (root / "data" / "Risk-Scores.csv").write_text(table_text(ROWS))
    yield Project(root)
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def first(project: Project) -> dict:
    """What the first run printed; the search has every family, and the process imports for itself."""
    made = project.ok("init", "data/Risk-Scores.csv", "--target", "y", cold=True)
    assert made["pipeline"] == "risk_scores"
    assert made["problem"] == {"kind": "binary", "metric": "roc_auc", "classes": 2}
    return project.ok(*FIRST, cold=True)


def read_delimited(path: Path, separator: str = ",") -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=separator))


def test_the_first_run_does_everything_and_says_how_good_it_is(project: Project, first: dict) -> None:
    assert set(first) >= RUN_KEYS
    assert first["status"] == "success"
    assert set(first["seconds"]) == ALL_STEPS
    assert first["model"]["version"] == "1"
    assert first["model"]["alias"] == "champion"
    assert set(first["leaderboard"][0]) >= LEADERBOARD_KEYS
    holdout = first["holdout"]
    assert holdout["low"] < holdout["value"] < holdout["high"]
    assert holdout["dummy"] == 0.5
    assert holdout["value"] > 0.75
    assert first["problem"]["train_rows"] + first["problem"]["holdout_rows"] == ROWS


def test_the_second_run_is_up_to_date_also_with_another_value_of_what_is_no_setting_of_a_step(
    project: Project, first: dict
) -> None:
    again = project.ok(*FIRST, "--set", "owner=team:risk")
    assert again["status"] == "up_to_date"
    assert again["run_ids"] == []
    assert again["seconds"] == {}
    for key in ("holdout", "leaderboard", "model"):
        assert again[key] == first[key]


def test_list_and_show_tell_what_is_there(project: Project, first: dict) -> None:
    listed = {p["name"]: p for p in project.ok("list")["pipelines"]}
    assert listed["risk_scores"]["champion"] == "1"
    assert listed["risk_scores"]["last_status"] == "success"
    assert listed["diabetes"]["champion"] is None
    shown = project.ok("show", "risk_scores")
    assert shown["metrics"]["holdout_roc_auc"] == pytest.approx(first["holdout"]["value"], abs=1e-6)
    tags = shown["tags"]
    assert tags["dagster_run_id"] in first["run_ids"]
    for tag in ("fingerprint", "data_hashes", "config_hash", "code_version", "lock_hash", "seed", "format_version"):
        assert tags[tag], tag
    assert [act["what"] for act in shown["acts"]] == ["promote"]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_predictions_carry_ids_probabilities_and_the_version(project: Project, first: dict, suffix: str) -> None:
    out = project.root / f"predictions.{suffix}"
    done = project.ok("predict", "risk_scores", "data/Risk-Scores.csv", "--out", str(out))
    assert (done["rows"], done["version"]) == (ROWS, "1")
    assert done["missing_columns"] == []
    if suffix == "parquet":
        rows = pq.read_table(out).to_pylist()
    else:
        rows = read_delimited(out, "\t" if suffix == "tsv" else ",")
    assert len(rows) == ROWS
    assert {row["prediction"] for row in rows} == {"yes", "no"}
    assert len({row["prediction_id"] for row in rows}) == ROWS
    for row in rows:
        assert float(row["probability_yes"]) + float(row["probability_no"]) == pytest.approx(1)


def test_predicting_other_columns_tells_what_is_missing_and_unseen(project: Project, first: dict) -> None:
    other = project.root / "data" / "other.csv"
    other.write_text("x,g,extra\n0.5,zz,1\n1.5,a,2\n")
    done = project.ok("predict", "risk_scores", str(other), "--out", str(project.root / "o.csv"))
    assert "extra" in done["extra_columns"]
    assert "z" in done["missing_columns"]
    assert done["unseen"] == {"g": 1}


def test_a_version_gets_a_page_and_its_predictions_are_explained(project: Project, first: dict) -> None:
    told = project.ok("report", "risk_scores", "--out", "page.html")
    assert (told["version"], [w for w in told["missing"] if "reliability" not in w]) == ("1", [])
    page = (project.root / "page.html").read_text()
    for title in ("Scores", "Leaderboard", "Tuning", "Drift reference", "Lineage"):
        assert f"<h2>{title}</h2>" in page
    found = project.ok("predict", "risk_scores", "data/Risk-Scores.csv", "--out", "why.csv", "--explain", "2")
    assert len((project.root / "why.csv.explanations.jsonl").read_text().splitlines()) == 2
    for one in found["explanations"]:
        total = one["base"] + sum(c["contribution"] for c in one["contributions"])
        assert total == pytest.approx(one["output"], abs=1e-4)


def test_the_champion_loads_in_python_and_agrees_with_the_command(
    project: Project, first: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas as pd

    from automl_assets import load_champion

    monkeypatch.chdir(project.root)
    monkeypatch.delenv("AUTOML_HOME")
    model = load_champion("risk_scores")
    found = model.predict_proba(pd.read_csv("data/Risk-Scores.csv"))[:, list(model.classes_).index("yes")]
    out = project.root / "for_python.csv"
    project.ok("predict", "risk_scores", "data/Risk-Scores.csv", "--out", str(out))
    told = [float(row["probability_yes"]) for row in read_delimited(out)]
    assert found.tolist() == pytest.approx(told, abs=1e-9)


def test_until_stops_after_the_asset_and_reuses_the_rest_later(project: Project, first: dict) -> None:
    done = project.ok("run", "risk_scores", "--until", "problem", "--set", "problem.holdout_share=0.3")
    assert done["status"] == "success"
    assert "tuning_study" not in done["seconds"]
    assert "problem" in done["seconds"]


def test_another_seed_makes_another_version_that_is_champion_only_if_better(project: Project, first: dict) -> None:
    again = project.ok(*SMALL)
    assert again["model"]["version"] == "2"
    promoted = again["model"]["alias"] == "champion"
    assert project.ok("show", "risk_scores")["champion"] == ("2" if promoted else "1")
    assert again["model"]["reason"]


def test_promote_and_rollback_are_recorded_and_make_predictions_stale(project: Project, first: dict) -> None:
    before = project.ok("show", "risk_scores")["champion"]
    other = {"1": "2", "2": "1"}[before]
    project.environment["AUTOML_ACTOR"] = "ada"
    moved = project.ok("promote", "risk_scores", other, "--reason", "the other is simpler")
    assert (moved["before"], moved["after"], moved["actor"]) == (before, other, "ada")
    run = project.ok(*SMALL)
    assert "predictions" in run["seconds"]
    assert run["seconds"]["tuning_study"] < 0.5, "the search is reused"
    back = project.ok("rollback", "risk_scores", "--reason", "no, it was not")
    assert (back["before"], back["after"]) == (other, before)
    acts = project.ok("show", "risk_scores")["acts"]
    assert [(act["what"], act["who"], act["why"]) for act in acts[:2]] == [
        ("rollback", "ada", "no, it was not"),
        ("promote", "ada", "the other is simpler"),
    ]
    refused = project.run("promote", "risk_scores", before, "--reason", "again")
    assert refused.code == 2
    assert "champion already" in refused.err


def test_no_step_left_anything_half_written(project: Project, first: dict) -> None:
    left = [path for path in project.home.rglob("*") if path.suffix in (".tmp", ".partial") or ".partial" in path.name]
    assert left == []


def test_nothing_that_was_registered_is_a_pickle(project: Project, first: dict) -> None:
    files = [path for path in (project.home / "mlartifacts").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if path.suffix in (".pkl", ".pickle", ".joblib", ".cloudpickle")]
    assert not [path for path in files if path.read_bytes()[:1] == b"\x80"], "a pickle's first byte"


def test_drift_between_two_files(project: Project) -> None:
    moved = project.root / "data" / "moved.csv"
    moved.write_text(table_text(ROWS, seed=1, shift=1.5))
    same = project.root / "data" / "same.csv"
    same.write_text(table_text(ROWS, seed=2))
    found = project.ok("drift", "data/Risk-Scores.csv", str(moved))
    assert found["status"] == "drift"
    assert {f["name"] for f in found["features"] if f["drifted"]} == {"x", "y"}
    assert project.ok("drift", "data/Risk-Scores.csv", str(same))["status"] == "none"


def test_check_and_doctor_are_content(project: Project) -> None:
    assert all(found["ok"] for found in project.ok("check")["pipelines"])
    assert [c["what"] for c in project.ok("doctor")["checks"] if not c["ok"]] == []


def test_help_answers_within_a_second(project: Project) -> None:
    import time

    seconds = []
    for _ in range(3):
        begun = time.monotonic()
        assert project.run("--help", cold=True).code == 0
        seconds.append(time.monotonic() - begun)
    assert min(seconds) < 1.0
