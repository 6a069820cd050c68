"""The guard ends process groups when the process that it watches over is gone, and only then."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from automl_assets.cli.guard import Guard, end_groups
from tests.end_to_end.command import wait_until

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
WATCHED = f"""
import subprocess, sys, time
from automl_assets.cli.guard import Guard
server = subprocess.Popen(
    [sys.executable, "-c", {DEAF.replace("SIG_IGN", "SIG_DFL")!r}], start_new_session=True, stdout=subprocess.DEVNULL
)  # what it says would end up within the number below
guard = Guard()
guard.watch(server.pid)
print(server.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def deaf() -> Iterator["subprocess.Popen[str]"]:
    """A server that does not listen to SIGTERM."""
    with subprocess.Popen(
        [sys.executable, "-c", DEAF], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        assert server.stdout is not None
        server.stdout.readline()
        yield server
        server.kill()


def runs(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_ends_when_who_started_it_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", WATCHED], stdout=subprocess.PIPE, text=True) as ui:
        assert ui.stdout is not None
        server = int(next(line for line in ui.stdout if line.strip().isdigit()))
        assert runs(server)
        ui.kill()
        ui.wait()
        assert wait_until(lambda: not runs(server), 15)


def test_a_server_lives_on_when_the_guard_is_dismissed(deaf: "subprocess.Popen[str]") -> None:
    guard = Guard()
    guard.watch(deaf.pid)
    guard.dismiss()
    assert deaf.poll() is None


def test_a_guard_that_was_killed_is_no_error() -> None:
    guard = Guard()
    guard._process.kill()
    guard._process.wait()
    guard.watch(1)
    guard.dismiss()


def test_a_group_that_does_not_listen_is_made_to_end(deaf: "subprocess.Popen[str]") -> None:
    end_groups([deaf.pid], grace_seconds=0.1)
    assert deaf.wait(10) == -signal.SIGKILL


def test_a_group_that_is_gone_is_passed_over(deaf: "subprocess.Popen[str]") -> None:
    deaf.kill()
    deaf.wait()
    end_groups([deaf.pid])
