"""What a search may use, and what it tells while it runs."""

from dataclasses import dataclass
from pathlib import Path

SMALL_FIT_CELLS = 2_000_000


@dataclass(frozen=True)
class SearchSettings:
    """What a search may use. `workers` fits run at once, each with `threads`; `memory_mb` is for all together.

    deterministic: count work instead of seconds, so that the same seed and data give the same models. stack: try a
    second layer where there is time. memory_file: where what fits needed is kept from one search to the next.
    """

    families: tuple[str, ...]
    folds: int
    seed: int
    workers: int
    threads: int
    memory_mb: float
    max_trials: int | None = None
    device: str = "cpu"
    deterministic: bool = False
    stack: bool = False
    memory_file: Path | None = None


@dataclass(frozen=True)
class SearchProgress:
    """How far a search is: what a progress display shows."""

    trials: int
    best_score: float | None
    best_family: str | None
    seconds_left: float


def workers_and_threads(cells: int, cores: int) -> tuple[int, int]:
    """How many fits at once and the threads of each: single-threaded side by side while the table is small."""
    return (cores, 1) if cells <= SMALL_FIT_CELLS else (1, cores)
