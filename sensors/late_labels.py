"""Requests that batches are measured once their labels have come: one sensor for all pipelines with `labels`.

Labels come in a file that is written again; its size and time are looked at, and it has settled when they are the same
at two ticks. A batch is due when it is mature, and its labels are others than when it was last requested, or it has
matured since. Labels in a database don't tell that they changed: batches are due when they mature.

A daemon may be killed between any two steps: a tick that is repeated requests the same batches again, under the same
run keys. What is up to date is used again by the run, so a batch that another champion scored is scored anew first.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import dagster as dg

from automl_assets.core.errors import SourceError, bounded
from automl_assets.core.fingerprint import digest_of
from automl_assets.core.records import LandedBatch
from automl_assets.ingestion.sources import Source
from automl_assets.ingestion.sources._base import WHOLE
from automl_assets.ingestion.windows import WindowKind, window_of_key
from automl_assets.serving.steps import PREDICTIONS
from automl_assets.steps import SCORING
from resources.platform_database import PlatformDatabase
from resources.records.batches import Batches
from sensors.new_batches import already_scored
from sensors.requests import batch_tags

INTERVAL_SECONDS = 60
MOST_REQUESTS = 20
MOST_PIPELINES = 50
UNSTAMPED = "-"


@dataclass(frozen=True)
class Watched:
    """A pipeline whose labels come later; windows of time land when they end, in `timezone`."""

    name: str
    labels: Source
    matures_after_days: float
    arrives: Literal["none", "files"] | WindowKind
    timezone: str = "UTC"

    def matures_at(self, row: LandedBatch) -> datetime:
        """When a batch's labels are complete; a whole table's are whenever they come."""
        if self.arrives == "none":
            return row.at
        landed = row.at
        if self.arrives != "files":
            landed = window_of_key(self.arrives, self.timezone, row.key).instants()[1]
        return landed + timedelta(days=self.matures_after_days)


@dataclass(frozen=True)
class Progress:
    """How far a pipeline is.

    stamp: of the labels at the last tick; done: the one whose batches were requested. Of these, the places from `low`
    to below `high` are left for the next tick. looked: when its batches were last looked at, in seconds; matures: when
    the next one does, 0 where none waits; newest: the place of the one that had arrived last.
    """

    stamp: str = ""
    done: str = ""
    low: int = 0
    high: int = 0
    looked: float = 0.0
    matures: float = 0.0
    newest: int = 0


@dataclass(frozen=True)
class Due:
    """A batch to measure with the labels that there are."""

    row: LandedBatch
    stamp: str

    @property
    def run_key(self) -> str:
        """What the request is known by: the pipeline, the batch's key and content, and the labels."""
        return f"{self.row.pipeline}-labels-{digest_of([self.row.key, self.row.digest, self.stamp])}"


class Tick:
    """One look at the labels of all pipelines: `look`, then `take` what is requested; `after` is the next's cursor."""

    def __init__(self, watched: Sequence[Watched], cursor: str | None, batches: Batches, now: datetime):
        self._watched = {pipeline.name: pipeline for pipeline in watched}
        before = json.loads(cursor) if cursor else {}
        self.after = {name: Progress(*before.get(name, ())) for name in self._watched}
        self._batches = batches
        self._now = now
        self._due: dict[str, list[LandedBatch]] = {}
        self._changed: list[str] = []
        self._absent: list[str] = []

    def cursor(self) -> str:
        """The cursor as JSON."""
        return json.dumps({name: astuple(one) for name, one in self.after.items()}, separators=(",", ":"))

    def look(self) -> None:
        """Find the batches that are due.

        Raises:
            StorageError: the platform's database does not answer.
        """
        parted = [name for name, pipeline in self._watched.items() if pipeline.arrives != "none"]
        newest = {name: row.sequence for name, row in self._batches.newest(parted).items()} if parted else {}
        busy = [name for name in self._watched if self._is_busy(name, newest.get(name, 0))]
        busy = sorted(busy, key=lambda name: self.after[name].looked)[:MOST_PIPELINES]
        loaded = [name for name in busy if self._watched[name].arrives != "none"]
        known = self._batches.known_of(loaded) if loaded else {}
        for name in busy:
            whole = LandedBatch(name, WHOLE, "", sequence=1, at=datetime.fromtimestamp(0, UTC))
            self._compare(name, list(known[name].values()) if name in known else [whole], newest.get(name, 0))

    def _is_busy(self, name: str, newest: int) -> bool:
        """Whether a pipeline's batches must be looked at; what its labels are now is noted."""
        before = self.after[name]
        try:
            stamp = self._watched[name].labels.stamp() or UNSTAMPED
        except (SourceError, OSError):
            self._absent.append(name)
            return False
        if stamp != before.stamp:
            self.after[name] = replace(before, stamp=stamp)
            self._changed.append(name)
            return False
        matured = 0 < before.matures <= self._now.timestamp()
        return stamp != before.done or before.high > 0 or matured or newest > before.newest

    def _compare(self, name: str, rows: Sequence[LandedBatch], newest: int) -> None:
        before, pipeline = self.after[name], self._watched[name]
        landed = [(pipeline.matures_at(row).timestamp(), row) for row in rows if row.state == "landed"]
        now = self._now.timestamp()
        others = before.stamp != before.done
        self._due[name] = [
            row
            for matures, row in landed
            if matures <= now and (others or matures > before.looked or before.low <= row.sequence < before.high)
        ]
        waiting = [matures for matures, _ in landed if matures > now]
        self.after[name] = replace(
            before, done=before.stamp, low=0, high=0, looked=now, matures=min(waiting, default=0.0), newest=newest
        )

    def take(self, scored: Callable[[str, Sequence[str]], set[str]]) -> list[Due]:
        """The batches to request now: the newest of each pipeline, the pipelines in turn, at most 20; each's in order.

        Args:
            scored: which of a pipeline's batches have predictions. The scoring of the others will measure them.
        """
        queues: dict[str, list[LandedBatch]] = {}
        for name, due in self._due.items():
            there = scored(name, [row.key for row in due]) if due else set[str]()
            queues[name] = sorted((row for row in due if row.key in there), key=lambda row: row.sequence)
        taken: dict[str, list[LandedBatch]] = {name: [] for name in queues}
        while sum(map(len, taken.values())) < MOST_REQUESTS and any(queues.values()):
            for name in [name for name, queue in queues.items() if queue]:
                if sum(map(len, taken.values())) < MOST_REQUESTS:
                    taken[name].insert(0, queues[name].pop())
        for name, left in queues.items():
            if left:
                self.after[name] = replace(self.after[name], low=left[0].sequence, high=left[-1].sequence + 1)
        return [Due(row, self.after[name].done) for name, rows in taken.items() for row in rows]

    def told(self) -> str:
        """Why nothing is requested, as a person reads it."""
        if not self._watched:
            return "No pipeline has labels that come later."
        quiet = len(self._watched) - len(self._changed) - len(self._absent)
        parts = [
            f"the labels of {bounded(self._changed, 5)} changed: complete if unchanged at the next look"
            if self._changed
            else "",
            f"no labels of {bounded(self._absent, 5)} have come" if self._absent else "",
            f"{quiet} {'pipeline has' if quiet == 1 else 'pipelines have'} no new labels and no batch that matured"
            if quiet
            else "",
        ]
        told = "; ".join(part for part in parts if part)
        return f"{told[:1].upper()}{told[1:]}."


def build(
    watched: Sequence[Watched],
    jobs: Sequence[Any],
    database: Callable[[], PlatformDatabase],
    *,
    interval_seconds: int = INTERVAL_SECONDS,
) -> dg.SensorDefinition:
    """One sensor for all pipelines; `jobs` are their `<name>_score`."""
    whole = {pipeline.name for pipeline in watched if pipeline.arrives == "none"}
    files = {pipeline.name for pipeline in watched if pipeline.arrives == "files"}

    @dg.sensor(
        name="late_labels",
        jobs=list(jobs),
        minimum_interval_seconds=interval_seconds,
        description="Requests the measuring of batches whose labels have come or have matured, each once.",
    )
    def late_labels(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        tick = Tick(watched, context.cursor, Batches(database()), datetime.now(UTC))
        tick.look()
        due = tick.take(lambda name, keys: _scored(context.instance, name, keys, name in whole))
        if not due:
            return dg.SensorResult(skip_reason=tick.told(), cursor=tick.cursor())
        return dg.SensorResult(
            run_requests=[_request(one, one.row.pipeline in whole) for one in due],
            dynamic_partitions_requests=[
                dg.DynamicPartitionsDefinition(name=f"{one.row.pipeline}_batches").build_add_request([one.row.key])
                for one in due
                if one.row.pipeline in files
            ],
            cursor=tick.cursor(),
        )

    return late_labels


def _scored(instance: dg.DagsterInstance, pipeline: str, keys: Sequence[str], whole: bool) -> set[str]:
    if not whole:
        return already_scored(instance, pipeline, keys)
    there = instance.get_latest_materialization_event(dg.AssetKey([pipeline, PREDICTIONS.name])) is not None
    return set(keys) if there else set()


def _request(due: Due, whole: bool) -> dg.RunRequest:
    row = due.row
    return dg.RunRequest(
        run_key=due.run_key,
        job_name=f"{row.pipeline}_score",
        partition_key=None if whole else row.key,
        asset_selection=[dg.AssetKey([row.pipeline, step.name]) for step in SCORING],
        tags=batch_tags(row, "labels", partitioned=not whole),
    )
