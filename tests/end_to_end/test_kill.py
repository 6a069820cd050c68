"""SIGKILL at any moment, then the same command: it completes, and nothing is lost, doubled or left behind.

One kill here; twenty by `make kill-test`. The moments are drawn; the seed is printed and can be given back.
"""

import os
import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.pipeline_lock import PipelineLock
from tests.end_to_end.command import Project, wait_until

NAME = "killed"
ORPHAN_SECONDS = 10.0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kill" in metafunc.fixturenames:
        metafunc.parametrize("kill", range(metafunc.config.getoption("--kill-points")))


@pytest.fixture(scope="module")
def drawn() -> random.Random:
    seed = int(os.environ.get("AUTOML_TEST_KILL_SEED") or random.SystemRandom().randrange(10**6))
    print(f"\nkill seed {seed} (AUTOML_TEST_KILL_SEED={seed} repeats it)")
    return random.Random(seed)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("kill"))
    made.write(NAME, rows=600, trials=4)
    return made


@pytest.fixture(scope="module")
def seconds(project: Project) -> float:
    """How long a run takes that nobody kills, the databases made before it."""
    project.ok("list")
    begun = time.monotonic()
    assert project.ok("run", NAME, "--set", "seed=1000", cold=True)["status"] == "success"
    return time.monotonic() - begun


@pytest.fixture(autouse=True)
def _nothing_survives(project: Project) -> Iterator[None]:
    yield
    for process in project.processes():
        process.kill()


def folds(project: Project) -> dict[Path, tuple[int, int]]:
    """Each finished fold's file, and what would change if it were made again."""
    files = (project.home / "studies").glob(f"{NAME}-*/trials/*/fold_*/*")
    return {file: (file.stat().st_mtime_ns, file.stat().st_ino) for file in files if file.is_file()}


def versions(project: Project) -> list[str]:
    """The fingerprint of each registered version."""
    database = project.home / "mlflow.db"
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        query = "SELECT value FROM model_version_tags WHERE key = 'fingerprint' AND name = ?"
        found = [row[0] for row in connection.execute(query, (NAME,))]
    connection.close()
    return found


def dagster_state(project: Project) -> tuple[int, list[str]]:
    """Pool slots that are held, and the statuses of runs that have not ended."""
    import dagster as dg

    with dg.DagsterInstance.from_config(str(project.home / "dagster")) as instance:
        held = instance.event_log_storage.get_concurrency_info("training").active_slot_count
        unfinished = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]
        runs = [run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=unfinished))]
    return held, runs


def test_a_killed_run_is_completed_by_the_same_command(
    kill: int, project: Project, seconds: float, drawn: random.Random, capfd: pytest.CaptureFixture[str]
) -> None:
    share = drawn.uniform(0.05, 0.95)
    with capfd.disabled():
        print(f"\nkill {kill}: after {share * seconds:.2f} of {seconds:.2f} s", end=" ")
    command = ("run", NAME, "--json", "--set", f"seed={kill}")
    before = versions(project)

    process = project.start(*command)
    time.sleep(share * seconds)
    ended_by_itself = process.poll() is not None
    process.kill()
    process.communicate()
    assert wait_until(lambda: project.processes() == [], ORPHAN_SECONDS), "children outlived their killed parent"
    finished = folds(project)

    done = project.run(*command)
    assert done.code == 0, done.err
    assert done.document["status"] == ("up_to_date" if ended_by_itself else done.document["status"])
    assert done.document["model"]["version"]

    after = folds(project)
    assert {file: after.get(file) for file in finished} == finished, "a finished fold was made again"
    registered = versions(project)
    assert len(registered) == len(set(registered)) == len(before) + 1, "a version was registered twice, or never"
    assert not [path for path in project.home.rglob("*") if path.name.startswith(".partial")]
    assert dagster_state(project) == (0, [])
    lock = PipelineLock(home=str(project.home), wait_seconds=0.1)
    lock.hold(NAME, "the test")
    lock.release_all()
    assert project.processes() == []
    assert project.ok("run", NAME, "--set", f"seed={kill}")["status"] == "up_to_date"
