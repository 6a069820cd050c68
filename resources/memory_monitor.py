"""Memory as a resource: what is used, what is left, and operations that declare what they need."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import dagster as dg

from automl_assets.core.errors import BudgetError
from automl_assets.core.memory import MemoryReading, read_memory, release_memory

WARNING_SHARE = 0.80
CRITICAL_SHARE = 0.92
FIT_SHARE = 0.8
MIB = 2**20

logger = logging.getLogger(__name__)


@dataclass
class MemoryUse:
    """What an operation used, in MiB: filled when its block ends."""

    budget_mb: float
    grown_mb: float = 0.0
    peak_mb: float = 0.0


class MemoryMonitor(dg.ConfigurableResource):
    """psutil and the control group's limit, whichever is lower.

    warning_mb, critical_mb: MiB resident in this process; by default 80% and 92% of the limit.
    """

    warning_mb: float | None = None
    critical_mb: float | None = None

    def read(self) -> MemoryReading:
        """Bytes used, their peak, what may still be taken, and the limit."""
        return read_memory()

    def thresholds_mb(self) -> tuple[float, float]:
        """The warning and the critical threshold in MiB."""
        limit = self.read().limit / MIB
        return self.warning_mb or WARNING_SHARE * limit, self.critical_mb or CRITICAL_SHARE * limit

    def state(self) -> Literal["normal", "warning", "critical"]:
        """How tight it is, by this process's use and by what the machine has left."""
        reading = self.read()
        warning, critical = self.thresholds_mb()
        used = reading.resident / MIB
        taken = 1 - reading.available / reading.limit
        if used >= critical or (taken >= CRITICAL_SHARE and used >= warning / 2):
            return "critical"
        return "warning" if used >= warning else "normal"

    def relieve(self) -> bool:
        """At critical, release Arrow's pool and collect garbage; whether it was critical.

        A stage that reads in batches halves their size then.
        """
        state = self.state()
        if state == "critical":
            release_memory()
            logger.warning("Memory is critical: %.0f MiB resident after release.", self.read().resident / MIB)
        return state == "critical"

    def batch_rows(self, rows: int) -> int:
        """The batch size to use now: `rows`, or half where memory is critical."""
        return max(1, rows // 2) if self.relieve() else rows

    def available_mb(self) -> float:
        """MiB that may still be taken before the critical threshold or the machine's end."""
        reading = self.read()
        _, critical = self.thresholds_mb()
        return max(0.0, min(reading.available / MIB, critical - reading.resident / MIB))

    def fit_mb(self) -> float:
        """MiB that model fits may use together: 80% of what is available, or what is left to the critical threshold."""
        return FIT_SHARE * self.available_mb()

    @contextmanager
    def budget(self, mb: float, what: str = "The operation") -> Iterator[MemoryUse]:
        """Run a block that needs about `mb` MiB and report what it used.

        Raises:
            BudgetError: so much is not available, also after releasing what is unused; the block has not started.
        """
        if mb > self.available_mb():
            release_memory()
        available = self.available_mb()
        if mb > available:
            raise BudgetError(
                f"{what} needs about {mb:,.0f} MiB and {available:,.0f} MiB are available.",
                remedy="Free memory, raise the limit, or read fewer columns or rows.",
                code="memory_budget",
            )
        before = self.read()
        use = MemoryUse(mb)
        try:
            yield use
        finally:
            after = self.read()
            use.grown_mb = (after.resident - before.resident) / MIB
            use.peak_mb = max(0.0, (after.peak - before.resident) / MIB)
