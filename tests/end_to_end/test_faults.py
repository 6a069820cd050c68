"""SIGKILL in a stage of the batch side, or while a version is registered, then the same command: nothing is doubled.

Two stages on one batch here; each on a batch of its own by `make fault-test`. When within the stage is drawn; the seed
is printed.
"""

import json
import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from automl_assets.steps import BATCH_SIDE
from tests.end_to_end.command import OWN_ENGINE, Project, lines_of, table_text, wait_until
from tests.end_to_end.daemon import write_tiny

NAME = "killed"
MORE = "  batches: {kind: files, glob: '*.csv'}\n" + OWN_ENGINE
LONGEST_DELAY_SECONDS = 0.2
ORPHAN_SECONDS = 10.0
STAGES = [step.name for step in BATCH_SIDE] + ["registered_model"]
KILLS = [("predictions", "verdict"), *(pytest.param((stage,), marks=pytest.mark.slow) for stage in STAGES)]


@pytest.fixture(scope="module")
def drawn() -> random.Random:
    seed = int(os.environ.get("AUTOML_TEST_KILL_SEED") or random.SystemRandom().randrange(10**6))
    print(f"\nkill seed {seed} (AUTOML_TEST_KILL_SEED={seed} repeats it)")
    return random.Random(seed)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A pipeline with a champion; its events are told as JSON."""
    made = Project(tmp_path_factory.mktemp("faults"), {"AUTOML_LOG_FORMAT": "json"})
    (made.root / "landing").mkdir()
    (made.root / "landing" / "a.csv").write_text(table_text(300, seed=1))
    write_tiny(made, NAME, "../../landing", MORE)
    made.ok("run", NAME)
    yield made
    made.close()


def kill_within(project: Project, stage: str, seconds: float) -> None:
    """Start a run and kill it that long after it has begun a stage."""
    process = project.start("run", NAME, "--json")
    told: list[str] = []
    for line in lines_of(process):
        told.append(line)
        if line.startswith("{") and _begins(json.loads(line), stage):
            break
    else:
        raise AssertionError(f"{stage} never began: {''.join(told)[-2000:]}")
    time.sleep(seconds)
    process.kill()
    process.communicate()
    assert wait_until(lambda: project.processes() == [], ORPHAN_SECONDS), "children outlived their killed parent"


def _begins(line: dict[str, object], stage: str) -> bool:
    return (line.get("step"), line.get("state")) == (stage, "started")


def rows(project: Project, database: str, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(f"file:{project.home / database}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def doubled(project: Project) -> dict[str, list[tuple[object, ...]]]:
    """What there is more than once of that which there may be one of."""
    looked_at = {
        "verdicts": ("platform.db", "SELECT batch, champion FROM automl_verdict"),
        "actions": ("platform.db", "SELECT key FROM automl_action"),
        "moves": ("platform.db", "SELECT what, version_before, version_after FROM automl_act"),
        "notices": ("platform.db", "SELECT key FROM automl_notice"),
        "quarantine": ("platform.db", "SELECT batch, digest FROM automl_quarantine"),
        "versions": ("mlflow.db", "SELECT value FROM model_version_tags WHERE key = 'fingerprint'"),
    }
    counted = {what: Counter(rows(project, *where)) for what, where in looked_at.items()}
    twice = {what: [row for row, count in of.items() if count > 1] for what, of in counted.items()}
    return {what: found for what, found in twice.items() if found}


@pytest.mark.parametrize("stages", KILLS, ids="-".join)
def test_a_run_that_was_killed_in_a_stage_is_completed_and_nothing_is_doubled(
    stages: tuple[str, ...], project: Project, drawn: random.Random
) -> None:
    before = doubled(project)
    batch = f"{'-'.join(stages)}.csv"
    shifted = table_text(300, seed=drawn.randrange(10**6), shift=4.0)
    (project.root / "landing" / batch).write_text(shifted)
    for stage in stages:
        delay = drawn.uniform(0.0, LONGEST_DELAY_SECONDS)
        print(f"\nkill in {stage}, {delay:.3f} s after it began", end=" ")
        kill_within(project, stage, delay)

    done = project.run("run", NAME, "--json")
    assert done.code == 0, done.err
    assert doubled(project) == before, "what an earlier kill doubled is its own test's fault"
    ((champion,),) = rows(project, "mlflow.db", "SELECT version FROM registered_model_aliases WHERE alias = 'champion'")
    judged = rows(project, "platform.db", f"SELECT champion, action FROM automl_verdict WHERE batch = '{batch}'")
    assert str(champion) in {version for version, _ in judged}, "the champion's predictions of it were judged"
    told = rows(project, "platform.db", f"SELECT title FROM automl_notice WHERE title LIKE '%{batch}%'")
    acted = rows(project, "platform.db", f"SELECT id FROM automl_verdict WHERE batch = '{batch}' AND acts")
    assert len(told) == len(acted)
    assert not [path for path in project.home.rglob("*") if path.name.startswith(".partial")]
    assert project.processes() == []
    assert project.ok("run", NAME)["status"] == "up_to_date"
