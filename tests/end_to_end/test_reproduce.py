"""`automl reproduce`: a version made again is identical, also of a run that was killed; Ctrl-C leaves nothing behind.

The bundled pipelines run with few configurations here, and as their YAML says by `make reproduce-test`.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.command import Project, wait_until

BUNDLED = ("diabetes", "digits", "doctor_visits")
FEW = ("--set", "tuning.max_trials=2", "--set", "monitoring.engine=own")
DETERMINISTIC = ("--set", "tuning.deterministic=true")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Scratch folders go below the project, where a test can look for them."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "scratch").mkdir()
    made = Project(tmp_path, {"TMPDIR": str(tmp_path / "scratch")})
    yield made
    made.close()
    shutil.rmtree(tmp_path, ignore_errors=True)


def left_behind(project: Project) -> list[Path]:
    return list((project.root / "scratch").glob("automl-reproduce-*"))


def identical(project: Project, name: str, version: str = "1") -> None:
    done = project.run("reproduce", name, version, "--json", timeout=1500)
    told = done.document
    assert (told["identical"], told["difference"], told["told"]) == (True, None, "identical"), told
    assert (done.code, told["pipeline"], told["version"], told["deterministic"]) == (0, name, version, True)
    assert told["seconds"] > 0
    assert left_behind(project) == []


@pytest.mark.parametrize("name", BUNDLED)
def test_each_bundled_pipeline_of_few_configurations_is_identical(name: str, project: Project) -> None:
    assert project.ok("run", name, *FEW)["model"]["version"] == "1"
    identical(project, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLED)
def test_each_bundled_pipeline_is_identical(name: str, project: Project) -> None:
    done = project.run("run", name, "--json", timeout=1500)
    assert done.code == 0, done.err
    identical(project, name)


def folds(project: Project) -> list[Path]:
    return list((project.home / "studies").glob("*/trials/*/fold_*/fold.json"))


def test_a_run_that_was_killed_and_started_again_gives_a_version_that_is_identical(project: Project) -> None:
    project.write("killed", rows=500, trials=5)
    command = ("run", "killed", *DETERMINISTIC)
    process = project.start(*command)
    assert wait_until(lambda: len(folds(project)) >= 3, 60)
    process.kill()
    process.communicate()
    assert wait_until(lambda: project.processes() == [], 10)
    finished = {file: file.stat().st_mtime_ns for file in folds(project)}

    assert project.ok(*command)["model"]["version"] == "1"

    assert {file: file.stat().st_mtime_ns for file in finished} == finished, "it went on where it was killed"
    identical(project, "killed")
    assert project.ok("show", "killed")["tags"]["deterministic"] == "true"


def test_a_version_by_the_clock_says_what_can_be_expected_and_unknown_ones_what_there_is(project: Project) -> None:
    project.write("risk", trials=2)
    assert project.ok("run", "risk")["model"]["version"] == "1"

    done = project.run("reproduce", "risk", "1")
    told = " ".join((done.out + done.err).split())
    assert "only the data, the problem, the cleaning plan and the clean table can be expected to be identical" in told
    assert done.code == (0 if "made again in" in told else 1)
    for argv, words in (
        (("reproduce", "risk", "7"), "Unknown version of risk '7'. Known: 1."),
        (("reproduce", "rsk", "1"), "Unknown pipeline 'rsk'. Did you mean 'risk'?"),
        (("reproduce", "diabetes", "1"), "diabetes has no registered version yet."),
    ):
        refused = project.run(*argv)
        assert (refused.code, words in " ".join(refused.err.split())) == (2, True), refused.err

    table = next((project.home / "tables" / "risk" / "raw_table" / "all").glob("*.parquet"))
    table.rename(table.with_suffix(".away"))
    gone = project.run("reproduce", "risk", "1", "--json")
    assert (gone.code, gone.document["error"]["code"]) == (2, "missing_data")
    table.with_suffix(".away").rename(table)
    record = next((project.home / "mlartifacts" / "risk").glob("*/artifacts/reproduce.json"))
    record.unlink()
    gone = project.run("reproduce", "risk", "1", "--json")
    assert (gone.code, gone.document["error"]["code"]) == (2, "missing_data")
    assert "was not recorded" in gone.document["error"]["message"]
    assert left_behind(project) == []


def test_ctrl_c_ends_it_at_once_and_leaves_nothing_behind(project: Project) -> None:
    project.write("long", rows=1500, trials=5)
    assert project.ok("run", "long", *DETERMINISTIC)["model"]["version"] == "1"

    process = project.start("reproduce", "long", "1")
    fitting = lambda: [f for folder in left_behind(project) for f in folder.glob("studies/*/trials/*/fold_*")]  # noqa: E731
    assert wait_until(lambda: bool(fitting()), 60)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "Stopped by Ctrl-C. Nothing was changed or left behind." in " ".join(err.split())
    assert "Traceback" not in err
    assert wait_until(lambda: project.processes() == [], 10)
    assert left_behind(project) == []
