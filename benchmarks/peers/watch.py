"""A measured process tree: how long it took, and the most memory that all of its processes had together."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from automl_assets.learn.zygote import proportional_bytes

POLL_SECONDS = 0.25
LAST_WORDS = 1_500


def watched(module: str, arguments: Sequence[str], *, threads: int, hard_limit: float) -> dict[str, Any]:
    """Run a module that writes its result into the file that `--child` names; what it wrote, and what it cost."""
    with tempfile.TemporaryDirectory(prefix="automl-peer-") as scratch:
        result, log = Path(scratch) / "result.json", Path(scratch) / "log.txt"
        begun = time.monotonic()
        with log.open("w") as sink:
            process = psutil.Popen(
                [sys.executable, "-m", module, *arguments, "--child", str(result)],
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": str(threads), "CUDA_VISIBLE_DEVICES": ""},
            )
            peak, killed = _peak(process, begun + hard_limit)
        told: dict[str, Any] = json.loads(result.read_text()) if result.exists() else {"value": None}
        if not result.exists():
            told["error"] = ("hard limit reached; " if killed else "") + log.read_text(errors="replace")[-LAST_WORDS:]
        seconds = round(time.monotonic() - begun, 2)
    return {**told, "total_seconds": seconds, "peak_pss_mb": round(peak[0]), "peak_rss_mb": round(peak[1])}


def _peak(process: psutil.Popen, deadline: float) -> tuple[tuple[float, float], bool]:
    """The largest sums of proportional and resident sizes in MiB, and whether it had to be killed."""
    pss = rss = 0.0
    while process.poll() is None:
        sizes = [_sizes(one) for one in [process, *_children(process)]]
        pss, rss = max(pss, sum(s[0] for s in sizes)), max(rss, sum(s[1] for s in sizes))
        if time.monotonic() > deadline:
            for one in [*_children(process), process]:
                one.kill()
            process.wait()
            return (pss, rss), True
        time.sleep(POLL_SECONDS)
    return (pss, rss), False


def _children(process: psutil.Popen) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _sizes(process: psutil.Process) -> tuple[float, float]:
    try:
        return proportional_bytes(process.pid) / 2**20, process.memory_info().rss / 2**20
    except psutil.NoSuchProcess:
        return 0.0, 0.0
