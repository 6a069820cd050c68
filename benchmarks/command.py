"""`automl` and other Python programs as processes of their own, timed."""

import json
import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.end_to_end.command import AUTOML, clean_environment


@dataclass(frozen=True)
class Timed:
    """A program's wall seconds, its CPU seconds with its children, its peak resident MiB, and what it printed."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    out: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object that it printed."""
        return json.loads(self.out)


def run(command: Sequence[str], folder: Path, **environment: str) -> Timed:
    """Run a program to its end.

    Raises:
        RuntimeError: it failed; what it said on stderr.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=clean_environment(**environment), capture_output=True, text=True)
    seconds = time.monotonic() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[-4:])} ended with {done.returncode}: {done.stderr[-2000:]}{done.stdout}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Timed(seconds, cpu, after.ru_maxrss / 1024, done.stdout)


def automl(folder: Path, *argv: str, **environment: str) -> Timed:
    """`automl` with these arguments."""
    return run([*AUTOML, *argv], folder, **environment)
