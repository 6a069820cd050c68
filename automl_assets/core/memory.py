"""How much memory there is and how much is used: the machine's and the container's limit, whichever is lower."""

import gc
import os
from dataclasses import dataclass
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
UNLIMITED = 1 << 60
LEAST_BATCH_ROWS = 512
TIGHT_SHARE = 0.8
FIRST_BATCH_SHARE = 0.125


@dataclass(frozen=True)
class MemoryReading:
    """Bytes: this process's resident set and its peak, what may still be taken, and the limit in force."""

    resident: int
    peak: int
    available: int
    limit: int


def read_memory() -> MemoryReading:
    """What psutil and the control group say now."""
    import resource

    import psutil

    machine = psutil.virtual_memory()
    limit, used = cgroup_limit_and_use()
    available = min(machine.available, max(0, limit - used)) if limit < UNLIMITED else machine.available
    return MemoryReading(
        resident=psutil.Process().memory_info().rss,
        peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        available=available,
        limit=min(machine.total, limit),
    )


def cgroup_limit_and_use(root: Path = CGROUP) -> tuple[int, int]:
    """The control group's limit and what counts against it, version 2 or 1; a huge limit where there is none.

    Page cache that the kernel gives back on demand does not count.
    """
    for limit_file, use_file, cache_key in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
    ):
        limit, used = _number(root / limit_file), _number(root / use_file)
        if limit is not None and limit < UNLIMITED:
            stat = (root / limit_file).parent / "memory.stat"
            return limit, max(0, (used or 0) - _stat(stat, cache_key))
    return UNLIMITED, 0


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _stat(path: Path, key: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.split()[:1] == [key]), 0)


def release_memory() -> None:
    """Collect garbage and give Arrow's unused pages back to the system."""
    import sys

    gc.collect()
    if "pyarrow" in sys.modules:
        import pyarrow

        pyarrow.default_memory_pool().release_unused()


def usable_cores() -> int:
    """The processors that this process may use: its affinity, and the control group's quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (CGROUP / "cpu.max").read_text().split()
        return max(1, min(allowed, -(-int(quota) // int(period)))) if quota != "max" else allowed
    except (OSError, ValueError):
        return allowed


class BatchSize:
    """Rows a batch, halved whenever the process has grown by more than 80% of its budget."""

    def __init__(self, rows: int, *, budget_mb: float):
        self.rows = max(1, rows)
        self._budget = budget_mb * 2**20
        self._before = read_memory().resident

    def fit(self, row_bytes: float) -> None:
        """Start with no more rows than an eighth of the budget holds: a reader keeps a few batches at a time."""
        most = int(self._budget * FIRST_BATCH_SHARE / max(row_bytes, 1.0))
        self.rows = max(min(LEAST_BATCH_ROWS, self.rows), min(self.rows, most))

    def next_rows(self) -> int:
        """How many rows to take next; releases memory and halves when it is tight, never below 512."""
        reading = read_memory()
        grown = reading.resident - self._before
        if grown > TIGHT_SHARE * self._budget or reading.available < (1 - TIGHT_SHARE) * self._budget:
            release_memory()
            self.rows = max(min(LEAST_BATCH_ROWS, self.rows), self.rows // 2)
        return self.rows
