"""The instance's databases, made by several processes at once."""

import subprocess
import sys
from pathlib import Path

from tests.end_to_end.command import clean_environment

PROCESSES = 4
OPEN = """
from resources.settings import Settings
from automl_assets.cli.home import open_instance
settings = Settings.from_environment()
settings.prepare_home()
print("ready", flush=True)
input()
with open_instance(settings) as instance:
    print(instance.get_runs_count())
"""


def test_processes_that_open_a_new_home_at_the_same_moment_all_find_a_sound_instance(tmp_path: Path) -> None:
    environment = clean_environment(AUTOML_HOME=str(tmp_path / "home"))
    opening = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN],
            env=environment,
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for process in opening:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in opening:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate() for process in opening]
    assert [out for out, _ in told] == ["0\n"] * PROCESSES, told
