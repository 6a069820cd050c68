"""What test_memory_monitor.py lets children do under a real limit."""

import gc
import time
from pathlib import Path
from typing import Any

from automl_assets.core.errors import BudgetError
from automl_assets.core.memory import BatchSize, read_memory
from automl_assets.core.tables import iterate, open_files
from resources.memory_monitor import MIB, MemoryMonitor

ALL_ROWS = 1 << 20


def monitor_with(budget_mb: float) -> MemoryMonitor:
    """A monitor that is critical when this process has grown by the budget."""
    gc.collect()
    return MemoryMonitor(critical_mb=read_memory().resident / MIB + budget_mb)


def touch_nothing(path: str) -> None:
    time.sleep(0.5)


def read_whole(path: str, budget_mb: float) -> int:
    return open_files([path]).to_table().num_rows


def ask_for_the_whole(path: str, size_mb: float, budget_mb: float) -> dict[str, Any]:
    """Ask the monitor before reading: what it answers."""
    try:
        with monitor_with(budget_mb).budget(size_mb, what="Reading the table"):
            return {"rows": read_whole(path, budget_mb)}
    except BudgetError as error:
        return error.as_json()


def read_in_batches(path: str, budget_mb: float, pause_seconds: float = 0.0) -> dict[str, Any]:
    """Read all rows in batches whose size follows the memory that is left; the sum of the first column too.

    `pause_seconds` is what is made of each batch, which a reader ahead would use to fill the memory.
    """
    import pyarrow.compute as pc

    monitor = monitor_with(budget_mb)
    size = BatchSize(ALL_ROWS, budget_mb=monitor.available_mb())
    rows, total, kept = 0, 0.0, []
    with monitor.budget(budget_mb / 2, what="Reading the table") as use:
        for batch in iterate(open_files([path]), size=size):
            rows += batch.num_rows
            total += pc.sum(batch.column(0)).as_py()
            kept = [batch]
            time.sleep(pause_seconds)
    return {"rows": rows, "total": total, "last": kept[0].num_rows, "smallest": size.rows, "peak_mb": use.peak_mb}


def sizes_while_filling(path: str, budget_mb: float) -> list[int]:
    """The batch sizes while the process fills half, then all of its budget, and after it has let go."""
    size = BatchSize(8192, budget_mb=budget_mb)
    sizes, held = [size.next_rows()], []
    for _ in range(2):
        held.append(bytearray(b"x" * int(budget_mb / 2 * MIB)))
        sizes.append(size.next_rows())
    sizes.append(size.next_rows())
    held.clear()
    sizes.append(size.next_rows())
    return sizes


def state_at(path: str, warning_mb: float, critical_mb: float) -> dict[str, Any]:
    """The monitor's state and the batch size before and after growing past each threshold."""
    base = read_memory().resident / MIB
    monitor = MemoryMonitor(warning_mb=base + warning_mb, critical_mb=base + critical_mb)
    answers, held = [(monitor.state(), monitor.batch_rows(1000))], []
    for _ in range(2):
        held.append(bytearray(b"x" * int(critical_mb * 0.6 * MIB)))
        answers.append((monitor.state(), monitor.batch_rows(1000)))
    held.clear()
    answers.append((monitor.state(), monitor.batch_rows(1000)))
    return {"answers": answers, "exists": Path(path).exists()}
