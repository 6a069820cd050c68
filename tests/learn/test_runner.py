"""Every task ends as it should: well, on time, within its memory, or killed; and nothing outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from automl_assets.core.errors import BudgetError, FitError
from automl_assets.learn.runner import CLOSE_SECONDS, Outcome, Runner, Task

PLANTED = "tests.learn.planted"
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 20.0


def run(runner: Runner, function: str, *, seconds: float = 30, memory_mb: float = 2000, spawn=False, **arguments):
    return runner.run(f"{PLANTED}:{function}", arguments, deadline_seconds=seconds, memory_mb=memory_mb, spawn=spawn)


def submit(runner: Runner, function: str, *, seconds: float = 60, **arguments) -> Task:
    return runner.submit(f"{PLANTED}:{function}", arguments, deadline_seconds=seconds, memory_mb=2000)


def number_in(file: Path) -> int:
    """The process id that a child writes; waits until it has."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if file.exists() and file.read_text():
            return int(file.read_text())
        time.sleep(0.02)
    raise AssertionError("the child did not start")


def is_gone(pid: int) -> bool:
    """Whether a process has ended, waiting a while for it."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("spawn", [False, True], ids=["forked", "spawned"])
def test_a_task_returns_its_value(runner: Runner, spawn: bool) -> None:
    outcome = run(runner, "add", x=2, y=3, spawn=spawn)
    assert (outcome.kind, outcome.value) == ("ok", 5)
    assert 0 < outcome.seconds < 30
    assert outcome.value_or_raise("Adding") == 5


def test_a_task_runs_in_a_child_of_the_zygote(runner: Runner) -> None:
    pid, parent = run(runner, "own_ids").value
    assert parent == runner.pid
    assert is_gone(pid)


def test_the_zygote_has_the_families_imported(runner: Runner) -> None:
    assert run(runner, "is_imported", name="lightgbm").value is True


def test_an_answer_longer_than_a_pipe_arrives_whole(runner: Runner) -> None:
    assert run(runner, "long_text", characters=1_000_000).value == "x" * 1_000_000


def test_what_a_task_prints_does_not_reach_the_answers(runner: Runner) -> None:
    assert run(runner, "shout").value == "heard"


@pytest.mark.parametrize("spawn", [False, True], ids=["forked", "spawned"])
def test_a_deadline_kills_a_sleeper(runner: Runner, tmp_path: Path, spawn: bool) -> None:
    begun = time.monotonic()
    outcome = run(runner, "sleep_for_ever", seconds=1.5, spawn=spawn, pid_file=str(tmp_path / "pid"))
    assert outcome.kind == "timeout"
    assert 1.5 <= outcome.seconds < 4
    assert time.monotonic() - begun < 8
    if not spawn:
        assert is_gone(number_in(tmp_path / "pid"))
    with pytest.raises(BudgetError, match=r"Fitting took longer than it may \(\d+ s\)"):
        outcome.value_or_raise("Fitting")


def test_a_memory_limit_kills_a_glutton(runner: Runner) -> None:
    outcome = run(runner, "eat", step_mb=20, memory_mb=400, seconds=60)
    assert outcome.kind == "memory"
    assert 400 < outcome.peak_mb < 900
    with pytest.raises(BudgetError, match="needed more memory than it may"):
        outcome.value_or_raise("Fitting")


def test_the_peak_is_the_memory_that_a_task_held(runner: Runner) -> None:
    outcome = run(runner, "hold", megabytes=200)
    assert outcome.value == 200
    assert 200 <= outcome.peak_mb < 700


def test_a_memory_error_counts_as_too_much_memory(runner: Runner) -> None:
    assert run(runner, "run_out_of_memory").kind == "memory"


@pytest.mark.parametrize(
    ("function", "arguments", "kind", "message"),
    [
        ("fail", {"message": "no rows"}, "error", "ValueError: no rows"),
        ("no_such_function", {}, "error", "AttributeError: module 'tests.learn.planted' has no attribute"),
        ("die", {"code": 3}, "crashed", "the process ended with exit code 3"),
        ("kill_itself", {"signal_number": int(signal.SIGSEGV)}, "crashed", "the process ended with signal SIGSEGV"),
    ],
)
def test_a_failure_is_a_fit_error_that_says_what_happened(
    runner: Runner, function: str, arguments: dict, kind: str, message: str
) -> None:
    outcome = run(runner, function, **arguments)
    assert outcome.kind == kind
    assert outcome.message.startswith(message)
    with pytest.raises(FitError, match="Fitting failed: ") as raised:
        outcome.value_or_raise("Fitting")
    assert message in str(raised.value)


def test_a_failure_leaves_the_other_tasks_alone(runner: Runner) -> None:
    crashing, good = submit(runner, "die", code=1), submit(runner, "add", x=1, y=1)
    assert (crashing.outcome().kind, good.outcome().value) == ("crashed", 2)


def test_a_cancelled_task_is_killed(runner: Runner, tmp_path: Path) -> None:
    task = submit(runner, "sleep_for_ever", pid_file=str(tmp_path / "pid"))
    pid = number_in(tmp_path / "pid")
    assert task.wait(0.05) is None
    runner.cancel(task)
    assert task.outcome().kind == "cancelled"
    assert is_gone(pid)
    with pytest.raises(FitError, match="Fitting failed: cancelled"):
        task.outcome().value_or_raise("Fitting")


def test_cancelling_what_has_ended_changes_nothing(runner: Runner) -> None:
    task = submit(runner, "add", x=1, y=2)
    task.outcome()
    runner.cancel(task)
    assert run(runner, "add", x=2, y=2).value == 4
    assert task.outcome().value == 3


def test_a_fork_that_a_task_leaves_behind_is_killed_and_holds_nothing_up(runner: Runner, tmp_path: Path) -> None:
    outcome = run(runner, "leave_a_fork_behind", pid_file=str(tmp_path / "pid"))
    assert (outcome.kind, outcome.value) == ("ok", "done")
    assert is_gone(number_in(tmp_path / "pid"))


def test_a_killed_task_takes_its_own_processes_along(runner: Runner, tmp_path: Path) -> None:
    task = submit(runner, "leave_a_process_behind", pid_file=str(tmp_path / "pid"))
    pid = number_in(tmp_path / "pid")
    runner.cancel(task)
    assert task.outcome().kind == "cancelled"
    assert is_gone(pid)


def test_tasks_that_have_ended_are_given_out_once_each() -> None:
    with Runner() as own:
        submitted = {submit(own, "add", x=i, y=0).id for i in range(4)}
        ended = [own.next_ended(10) for _ in range(4)]
        assert {task.id for task in ended if task is not None} == submitted
        assert own.next_ended(0.05) is None


def test_closing_kills_what_runs_and_reports_it(tmp_path: Path) -> None:
    with Runner() as own:
        task = submit(own, "sleep_for_ever", pid_file=str(tmp_path / "pid"))
        pid = number_in(tmp_path / "pid")
    outcome = task.wait(10)
    assert outcome is not None
    assert (outcome.kind, outcome.message) == ("crashed", "the zygote ended")
    assert is_gone(pid)
    assert own.pid is None


def test_closing_waits_for_no_imports() -> None:
    own = Runner(packages=("xgboost", "lightgbm", "torch"))
    own.start()
    pid, begun = own.pid, time.monotonic()

    own.close()

    assert time.monotonic() - begun < CLOSE_SECONDS / 2
    assert pid is not None
    assert is_gone(pid)


def test_a_killed_zygote_fails_its_tasks_once_and_the_next_call_starts_another(tmp_path: Path) -> None:
    with Runner() as own:
        task = submit(own, "sleep_for_ever", pid_file=str(tmp_path / "pid"))
        child, zygote = number_in(tmp_path / "pid"), own.pid
        assert zygote is not None
        os.kill(zygote, signal.SIGKILL)
        outcome = task.wait(10)
        assert outcome is not None
        assert outcome.kind == "crashed"
        assert is_gone(child)
        assert own.next_ended(1) is task
        assert own.next_ended(0.05) is None
        assert run(own, "add", x=20, y=22).value == 42
        assert own.pid != zygote


def test_the_log_has_the_traceback_of_a_failure(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "fits.log"
    with Runner(log=log) as own:
        run(own, "fail", message="the reason")
    text = log.read_text()
    assert "Traceback" in text
    assert "ValueError: the reason" in text


PARENT = """
import sys
from automl_assets.learn.runner import Runner
runner = Runner()
arguments = {"pid_file": sys.argv[1]}
task = runner.submit("tests.learn.planted:sleep_for_ever", arguments, deadline_seconds=600, memory_mb=900)
print(runner.pid, flush=True)
task.outcome()
"""


def test_no_orphan_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(pid_file)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        zygote, child = int(parent.stdout.readline()), number_in(pid_file)
        assert psutil.Process(child).ppid() == zygote
        parent.kill()
    assert is_gone(zygote)
    assert is_gone(child)


@pytest.mark.parametrize(
    ("kind", "error"),
    [("timeout", BudgetError), ("memory", BudgetError), ("error", FitError), ("crashed", FitError)],
)
def test_each_ending_has_its_error(kind, error: type[Exception]) -> None:
    with pytest.raises(error, match="Fit 3 "):
        Outcome(kind, None, 2.0, 10.0, "why").value_or_raise("Fit 3")
