"""The line that stands beside every figure: what was run, and on what."""

import os
import platform
import sys
from pathlib import Path

import psutil

SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def header(what: str, module: str, arguments: str = "") -> None:
    """Print what is measured, the command and the machine."""
    memory = psutil.virtual_memory().total / 2**30
    cores = len(os.sched_getaffinity(0))
    print(f"\n## {what}\n")
    print(f"    python -m benchmarks.{module} {arguments}".rstrip())
    python = f"Python {platform.python_version()}, {platform.system()}"
    print(f"    {_processor()}, {cores} cores, {memory:.0f} GiB, {python}\n")
    sys.stdout.flush()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def table(columns: list[str], rows: list[list[object]]) -> None:
    """Print rows as a Markdown table."""
    print("| " + " | ".join(columns) + " |")
    print("|" + "-|" * len(columns))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    sys.stdout.flush()


def real_table(relative: str) -> Path | None:
    """A real table beside the project, or None with a line that says so."""
    path = SHARED / relative
    if not path.exists():
        print(f"skipped: {relative} is not beside the project")
        return None
    return path
