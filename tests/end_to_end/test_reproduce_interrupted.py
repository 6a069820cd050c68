"""`automl reproduce` of a run that was killed, of one that ended by the clock, and stopped by Ctrl-C."""

import os
import signal
from pathlib import Path

from tests.end_to_end.command import Project, wait_until
from tests.end_to_end.reproducing import identical, left_behind, project

__all__ = ["project"]

DETERMINISTIC = ("--set", "tuning.deterministic=true")


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
