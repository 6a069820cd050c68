"""False alarms where nothing changes, and how soon and how well a drift is found, replay by replay.

A replay is a deployed version and its next batches, each judged and decided upon as the platform does, the verdicts
before it in its history. A day lies between two batches. Half of the replays have labels with their rows (the drop is
measured), half have none (it is estimated). Seeds are fixed; no threshold was chosen on them.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from automl_assets.core.evidence import DriftReport, PerformanceReport, Verdict
from automl_assets.deciding.decide import History
from benchmarks.deployed import Version, verdict_on
from benchmarks.drift_changes import CHANGES, Change
from benchmarks.drift_worlds import TARGET, World, is_seasonal, kinds, world_of
from benchmarks.machine import header, table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SEED = 20_261_121
PROCESSES = 2
WORLDS = 8  # of each kind
REPLAYS = {500: 7, 1_000: 7, 2_000: 6, 5_000: 3, 20_000: 2}  # of each world
BATCHES, OF_LARGE, LARGE = 3, 2, 20_000
DRIFTS = {1_000: 9, 2_000: 1}  # of each world without seasons and kind of drift
PRIOR_FACTOR = 1.5  # worlds of numbers have no prior
MOST_BATCHES = 2
START = datetime(2026, 11, 21, tzinfo=UTC)
RETRAINS_ALLOWED, ALARMS_ALLOWED = 0.01, 0.05
RIGHT_WANTED, NAMED_WANTED = 0.95, 0.90


@dataclass(frozen=True)
class Quiet:
    """A stationary replay: how many batches, of which in how many a feature alarmed, and what was decided."""

    kind: str
    rows: int
    labelled: bool
    batches: int
    alarmed: int
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """A replay with a drift: whether a right verdict came, in which batch, and whether it named what changed."""

    kind: str
    change: str
    rows: int
    labelled: bool
    right: bool
    batch: int
    named: bool


def main() -> None:
    """Print false alarms, then power."""
    header("Stationary replays, and replays in which a drift begins", "drift_replays")
    begun = time.monotonic()
    quiet, found = measure(WORLDS)
    print("Nothing changes:\n")
    columns = ["worlds", "rows a batch", "replays", "with a false retrain (allowed 1%)", "batches"]
    table([*columns, "with a false feature alarm (allowed 5%)", "with any verdict but none"], _quiet_rows(quiet))
    print("\nA drift begins:\n")
    columns = ["drift", "rows a batch", "labels", "replays", "right within two batches (wanted 95%)"]
    table([*columns, "right in the first", "cause named (wanted 90%)"], _found_rows(found))
    print(f"\n{time.monotonic() - begun:.0f} s, two processes.")


def measure(worlds: int, base: int = SEED) -> tuple[list[Quiet], list[Found]]:
    """All replays of so many worlds of each kind."""
    os.environ["OMP_NUM_THREADS"] = "1"
    tasks = [(kind, base + number) for number in range(worlds) for kind in kinds()]
    quiet: list[Quiet] = []
    found: list[Found] = []
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        for done, (one, other) in enumerate(pool.map(replays_of, *zip(*tasks, strict=True)), start=1):
            quiet += one
            found += other
            print(f"{done} of {len(tasks)} worlds", file=sys.stderr, flush=True)
    return quiet, found


def replays_of(kind: str, seed: int) -> tuple[list[Quiet], list[Found]]:
    """The replays of one world."""
    import numpy as np

    generator = np.random.default_rng([seed, 1])
    with tempfile.TemporaryDirectory(prefix="automl-benchmark-") as scratch:
        world = world_of(kind, Path(scratch) / "reference", seed)
        sizes = [(rows, replay) for rows, count in REPLAYS.items() for replay in range(count)]
        quiet = [replay_quiet(world, rows, replay % 2 == 0, generator) for rows, replay in sizes]
        found = [
            replay_change(world, change, rows, replay, generator)
            for change in CHANGES
            if change.is_for(world) and not is_seasonal(kind)
            for rows, count in DRIFTS.items()
            for replay in range(round(count * (PRIOR_FACTOR if "prior" in change.name else 1)))
        ]
    return quiet, found


def replay_quiet(world: World, rows: int, labelled: bool, generator: "np.random.Generator") -> Quiet:
    """A replay in which nothing changes."""
    life = Life(world.version, labelled)
    count = OF_LARGE if rows >= LARGE else BATCHES
    alarmed = 0
    for frame, y in world.batches(generator, rows, count):
        drift, _, _ = life.judge(frame, y)
        alarmed += any(feature.drifted for feature in drift.features)
    actions = tuple(verdict.action for verdict in reversed(life.verdicts))
    return Quiet(world.name, rows, labelled, count, alarmed, actions)


def replay_change(world: World, change: Change, rows: int, replay: int, generator: "np.random.Generator") -> Found:
    """A replay whose batches have the change from the first on."""
    labelled = replay % 2 == 0
    life = Life(world.version, labelled)
    drawn, touched = change.apply(world, replay, generator, MOST_BATCHES * rows)
    right, named, batch = False, False, 0
    while not right and batch < MOST_BATCHES:
        part = drawn.iloc[batch * rows : (batch + 1) * rows]
        _, performance, verdict = life.judge(part.drop(columns=TARGET), part[TARGET].to_numpy())
        right, named = verdict.action in change.right, change.named(verdict, performance, touched)
        batch += 1
    return Found(world.name, change.name, rows, labelled, right, batch, right and named)


class Life:
    """A version's batches, one after the other, with what was decided about those before."""

    def __init__(self, version: Version, labelled: bool):
        self.version = version
        self.labelled = labelled
        self.verdicts: list[Verdict] = []

    def judge(self, frame: "pd.DataFrame", y: "np.ndarray") -> tuple[DriftReport, PerformanceReport, Verdict]:
        """The two reports and the verdict on the next batch."""
        sequence = len(self.verdicts) + 1
        drift = self.version.drift(frame, seed=sequence)
        performance = self.version.performance(
            self.version.model.predict(frame), y if self.labelled else None, seed=sequence
        )
        now = START + timedelta(days=sequence)
        verdict = verdict_on(self.version, sequence, drift, performance, History(self.verdicts), now)
        self.verdicts.insert(0, verdict)
        return drift, performance, verdict


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927)."""
    if not of:
        return 0.0, 1.0
    z, share = 1.96, hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * (share * (1 - share) / of + z * z / (4 * of * of)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def _share(hits: int, of: int, *, most: float = 1.0, least: float = 0.0) -> str:
    low, high = wilson(hits, of)
    missed = " (missed)" if of and not least <= hits / of <= most else ""
    return f"{hits / of if of else 0:.1%} [{low:.1%}, {high:.1%}]{missed}"


def _quiet_rows(quiet: Sequence[Quiet]) -> list[list[object]]:
    rows = []
    for name, seasons in (("bootstraps", False), ("seasonal", True)):
        mine = [q for q in quiet if is_seasonal(q.kind) is seasons]
        rows += [_quiet_row(name, f"{size:,}", [q for q in mine if q.rows == size]) for size in REPLAYS]
        rows.append(_quiet_row(name, "all", mine))
    rows.append(_quiet_row("all, with labels", "all", [q for q in quiet if q.labelled]))
    rows.append(_quiet_row("all, without", "all", [q for q in quiet if not q.labelled]))
    return [*rows, _quiet_row("all", "all", quiet)]


def _quiet_row(name: str, size: str, quiet: Sequence[Quiet]) -> list[object]:
    retrains, batches = sum("retrain" in q.actions for q in quiet), sum(q.batches for q in quiet)
    others = sum(action != "none" for q in quiet for action in q.actions)
    alarms = _share(sum(q.alarmed for q in quiet), batches, most=ALARMS_ALLOWED)
    return [
        name,
        size,
        len(quiet),
        _share(retrains, len(quiet), most=RETRAINS_ALLOWED),
        batches,
        alarms,
        f"{others / max(1, batches):.1%}",
    ]


def _found_rows(found: Sequence[Found]) -> list[list[object]]:
    rows = []
    for change in CHANGES:
        mine = [f for f in found if f.change == change.name]
        for size in DRIFTS:
            for labels in (True, False):
                some = [f for f in mine if f.rows == size and f.labelled is labels]
                rows.append(_found_row([change.name, f"{size:,}", "yes" if labels else "no"], some))
        rows.append(_found_row([change.name, "all", "both"], mine))
    return rows


def _found_row(about: list[object], found: Sequence[Found]) -> list[object]:
    right, named = sum(f.right for f in found), sum(f.named for f in found)
    first = sum(f.right and f.batch == 1 for f in found)
    count = len(found)
    return [
        *about,
        count,
        _share(right, count, least=RIGHT_WANTED),
        f"{first / max(1, count):.0%}",
        _share(named, count, least=NAMED_WANTED),
    ]


if __name__ == "__main__":
    main()
