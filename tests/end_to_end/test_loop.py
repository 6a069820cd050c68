"""The loop from the command line: a broken batch is put aside until a person accepts it; late labels count."""

from pathlib import Path
from typing import Any

import pytest

from automl_assets.core.evidence import PerformanceReport
from resources.table_store import TableStore
from tests.end_to_end.command import OWN_ENGINE, Project, table_text
from tests.end_to_end.daemon import write_tiny

ROWS = 300
FILES = "  batches: {kind: files, glob: '*.csv'}\n" + OWN_ENGINE
LABELS = (
    "  columns: {id: [id]}\n  labels: {source: {type: csv, path: ../../labels.csv}, key: [id], matures_after_days: 0}\n"
)
BROKEN = "2024-02.csv"


def used(run: dict[str, Any]) -> int:
    """The rows that the newest training read."""
    return run["problem"]["train_rows"] + run["problem"]["holdout_rows"]


def without_half_of_x(text: str) -> str:
    """The table with every second x missing."""
    header, *lines = text.splitlines()
    return (
        "\n".join([header, *("," + line.partition(",")[2] if n % 2 else line for n, line in enumerate(lines))]) + "\n"
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A pipeline that was trained on the one file that has landed. Tests of this file run in order."""
    made = Project(tmp_path_factory.mktemp("loop"), environment={"AUTOML_ACTOR": "ada"})
    landing = made.root / "landing"
    landing.mkdir()
    (landing / "2024-01.csv").write_text(table_text(ROWS, seed=1))
    write_tiny(made, "loop", "../../landing", FILES)
    assert used(made.ok("run", "loop")) == ROWS
    return made


def test_a_batch_with_a_missing_jump_is_put_aside_and_stays_out_of_training(project: Project) -> None:
    (project.root / "landing" / BROKEN).write_text(without_half_of_x(table_text(ROWS, seed=3)))

    assert used(project.ok("run", "loop")) == ROWS

    history = project.ok("history", "loop")
    (verdict,) = (one for one in history["verdicts"] if one["batch"] == BROKEN)
    assert (verdict["action"], verdict["acts"]) == ("quarantine", True)
    assert verdict["reasons"][0].startswith("x: missing in 50% of the rows")
    assert [(one["batch"], one["answer"]) for one in history["quarantine"]] == [(BROKEN, "waiting")]
    assert not any(action["kind"] == "retrain" for action in history["actions"])
    again = project.ok("run", "loop")
    assert (again["status"], used(again)) == ("up_to_date", ROWS)


def test_a_batch_that_a_person_accepts_rejoins_the_window(project: Project) -> None:
    (waiting,) = project.ok("review", "loop")["waiting"]
    answered = project.ok("review", "loop", "--accept", waiting["id"], "--reason", "the sensor was replaced")[
        "answered"
    ]
    assert (answered["batch"], answered["answer"], answered["actor"]) == (BROKEN, "accepted", "ada")

    assert used(project.ok("run", "loop")) == 2 * ROWS
    history = project.ok("history", "loop")
    assert [(one["batch"], one["answer"]) for one in history["quarantine"]] == [(BROKEN, "accepted")]
    assert sum(one["acts"] and one["action"] == "quarantine" for one in history["verdicts"]) == 1


def test_a_backfill_of_all_old_batches_acts_on_none(project: Project) -> None:
    before = project.ok("history", "loop")

    done = project.ok("backfill", "loop", "--from", "2024-01", "--to", "2024-02", "--force")

    assert [batch["status"] for batch in done["batches"]] == ["success"] * 2
    after = project.ok("history", "loop")
    assert [after[kind] for kind in ("actions", "champions", "quarantine")] == [
        before[kind] for kind in ("actions", "champions", "quarantine")
    ]
    added = after["verdicts"][: len(after["verdicts"]) - len(before["verdicts"])]
    assert not any(one["acts"] for one in added)


def with_ids(seed: int, *, labelled: bool) -> tuple[str, list[str]]:
    """A table with an id column, and its labels as lines: in the table, or apart."""
    header, *lines = table_text(ROWS, seed=seed).splitlines()
    rows = [(f"{seed}{number:04d}", *line.rpartition(",")[::2]) for number, line in enumerate(lines)]
    names = header if labelled else header.rpartition(",")[0]
    table = [f"id,{names}", *(f"{key},{row},{label}" if labelled else f"{key},{row}" for key, row, label in rows)]
    return "\n".join(table) + "\n", [f"{key},{label}" for key, _, label in rows]


def measured(home: Path, batch: str) -> PerformanceReport:
    report = TableStore(home=str(home)).latest("late", "performance_report", batch)
    assert isinstance(report, PerformanceReport)
    return report


def test_labels_that_come_later_are_measured_and_trained_on(project: Project) -> None:
    landing = project.root / "late"
    landing.mkdir()
    (landing / "1.csv").write_text(with_ids(5, labelled=True)[0])
    table, labels = with_ids(6, labelled=False)
    (landing / "2.csv").write_text(table)
    write_tiny(project, "late", "../../late", FILES + LABELS)

    assert used(project.ok("run", "late")) == ROWS
    assert (measured(project.home, "2.csv").value, measured(project.home, "2.csv").labels) == (None, None)

    unknown = [f"nobody{number},yes" for number in range(50)]
    (project.root / "labels.csv").write_text("\n".join(["id,y", *labels, *unknown, *labels]) + "\n")

    assert used(project.ok("run", "late")) == 2 * ROWS
    report = measured(project.home, "2.csv")
    assert report.value is not None
    assert report.labels is not None
    assert (report.labels.matched, report.labels.waiting) == (ROWS, 0)
    assert (report.labels.duplicates, report.labels.unknown, report.labels.conflicts) == (ROWS, 50, 0)
    assert project.ok("run", "late")["status"] == "up_to_date"
