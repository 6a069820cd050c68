"""One look at what landed, for all pipelines, and what the next look must know of it.

A daemon may be killed between any two steps, and only the cursor that a tick was given is sure to be true:
- a new file is written down first, which gives it its sequence; the cursor holds the sequence up to which a pipeline's
  batches were requested, so a tick that is repeated requests the same ones again, under the same run keys;
- a rewritten file keeps its sequence, so it is noted in the cursor first; the next tick writes it down and requests it.
Dagster starts one run a run key. A folder whose listing is as the cursor says is neither compared nor looked up.
"""

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from automl_assets.core.errors import SourceError
from automl_assets.core.fingerprint import digest_of
from automl_assets.core.records import LandedBatch
from automl_assets.ingestion.batches import recognise
from automl_assets.ingestion.feed import FeedsPipeline
from automl_assets.ingestion.landing import LyingFile, files_in, hash_file, listing_digest
from automl_assets.ingestion.sources._base import FileSource
from automl_assets.ingestion.windows import WindowKind, closed_windows, last_closed
from resources.records.batches import Batches

HASH_SECONDS = 10.0
COMPARE_SECONDS, COMPARED_TOGETHER = 0.05, 10
MOST_REQUESTS = 100
MOST_REMEMBERED = 5_000
MOST_TOLD = 8


@dataclass(frozen=True)
class Folder:
    """Where a pipeline's files land, which of them are batches, and what marks one as complete."""

    path: str
    glob: str
    marker: str | None = None


@dataclass(frozen=True)
class Calendar:
    """A pipeline's windows of time."""

    kind: WindowKind
    first: date
    timezone: str
    delay_hours: float = 0.0


@dataclass(frozen=True)
class Fed:
    """A pipeline that batches arrive for."""

    name: str
    arrives: Folder | Calendar


def fed_of(name: str, config: FeedsPipeline) -> Fed | None:
    """What the sensor needs of a pipeline's configuration; None for one without batches."""
    batches = config.batches
    if batches.kind == "files" and isinstance(config.source, FileSource):
        return Fed(name, Folder(config.source.path, batches.glob or config.source.default_glob, batches.marker))
    if batches.kind in ("none", "files") or batches.start is None:
        return None
    return Fed(name, Calendar(batches.kind, batches.start, config.schedule.timezone, batches.delay_hours))


@dataclass
class Progress:
    """How far a pipeline is: the listing that was dealt with in full, and the last sequence that was requested."""

    listing: str = ""
    requested: int = 0


@dataclass
class Cursor:
    """What one tick tells the next.

    again: rewritten files, to be written down and requested. seen: the files that are no batch yet, as they were.
    """

    pipelines: dict[str, Progress] = field(default_factory=dict)
    again: list[LandedBatch] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, text: str | None) -> "Cursor":
        """The cursor that `text` wrote; an empty one at the first tick."""
        if not text:
            return cls()
        document = json.loads(text)
        return cls(
            {name: Progress(*progress) for name, progress in document["pipelines"].items()},
            [LandedBatch(**row) for row in document["again"]],
            document["seen"],
        )

    def text(self) -> str:
        """The cursor as JSON."""
        pipelines = {name: [progress.listing, progress.requested] for name, progress in self.pipelines.items()}
        again = [{key: value for key, value in asdict(row).items() if key != "at"} for row in self.again]
        return json.dumps({"pipelines": pipelines, "again": again, "seen": self.seen}, separators=(",", ":"))


@dataclass(frozen=True)
class Wanted:
    """A batch whose scoring is requested; `again` when it was rewritten."""

    row: LandedBatch
    again: bool

    @property
    def run_key(self) -> str:
        """What the request is known by: pipeline, key and content, and which time a rewritten file was written."""
        about = [self.row.key, self.row.digest, *([self.row.mtime_ns] if self.again else [])]
        return f"{self.row.pipeline}-{digest_of(about)}"


class Tick:
    """One look at all pipelines: `look`, then `take` what is requested; `after` is the next tick's cursor."""

    def __init__(self, fed: Sequence[Fed], before: Cursor, batches: Batches, now: datetime):
        self.fed = {pipeline.name: pipeline for pipeline in fed}
        self.after = Cursor({name: before.pipelines.get(name, Progress()) for name in self.fed})
        self._before = before
        self._batches = batches
        self._now = now
        self._deadline = time.monotonic() + HASH_SECONDS
        self._told: list[str] = []
        self._waiting = 0
        self._again: dict[str, list[LandedBatch]] = {}
        self._fresh: dict[str, list[LandedBatch]] = {}

    def look(self) -> None:
        """Find what is new and write it down.

        Raises:
            StorageError: the platform's database does not answer.
        """
        again = {(row.pipeline, row.key): row for row in self._before.again if row.pipeline in self.fed}
        for row in self._batches.land(list(again.values())):
            self._again.setdefault(row.pipeline, []).append(row)
        busy: dict[str, tuple[Sequence[LyingFile], str]] = {}
        for name, pipeline in self.fed.items():
            try:
                files, listing = self._lying(pipeline.arrives)
            except SourceError as error:
                self._told.append(f"{name}: {error}")
                continue
            if listing != self.after.pipelines[name].listing:
                busy[name] = (files, listing)
        self._compare_all(busy)
        self.after.seen = self.after.seen[:MOST_REMEMBERED]

    def _compare_all(self, busy: Mapping[str, tuple[Sequence[LyingFile], str]]) -> None:
        """Compare what is new with what is known, as many pipelines as a tick has time for; the next goes on.

        The first is drawn anew each time, so that none waits for ever behind others that never rest.
        """
        names, first = list(busy), random.Random(self._now.timestamp()).randrange(max(1, len(busy)))
        waiting, begun = names[first:] + names[:first], time.monotonic()
        while waiting and (len(waiting) == len(busy) or time.monotonic() - begun < COMPARE_SECONDS):
            some, waiting = waiting[:COMPARED_TOGETHER], waiting[COMPARED_TOGETHER:]
            known = self._batches.known_of(some)
            for name in some:
                self._compare(name, known[name], *busy[name])
        self._waiting = len(waiting)

    def _lying(self, arrives: Folder | Calendar) -> tuple[Sequence[LyingFile], str]:
        """The files of a folder, and what identifies all of what there is."""
        if isinstance(arrives, Folder):
            files = files_in(Path(arrives.path), arrives.glob, arrives.marker)
            return files, listing_digest(files)
        return (
            (),
            f"{arrives.first} to {last_closed(arrives.kind, arrives.first, arrives.timezone, self._late(arrives))}",
        )

    def _late(self, calendar: Calendar) -> datetime:
        return self._now - timedelta(hours=calendar.delay_hours)

    def _compare(self, name: str, known: dict[str, LandedBatch], files: Sequence[LyingFile], listing: str) -> None:
        arrives, before = self.fed[name].arrives, self.after.pipelines[name]
        if isinstance(arrives, Folder):
            settled = self._recognise(name, Path(arrives.path), known, files)
        else:
            settled = self._close(name, arrives, known)
        rows = (row for row in known.values() if row.state == "landed" and row.sequence > before.requested)
        self._fresh[name] = sorted(rows, key=lambda row: row.sequence)
        self.after.pipelines[name] = Progress(listing if settled else "", before.requested)

    def _recognise(self, name: str, folder: Path, known: dict[str, LandedBatch], files: Sequence[LyingFile]) -> bool:
        look = recognise(
            name,
            known,
            files,
            frozenset(self._before.seen),
            lambda file: hash_file(folder, file),
            lambda: time.monotonic() < self._deadline,
        )
        self.after.seen += look.seen
        self.after.again += look.rewritten
        self._told += [f"{name}: {told}" for told in look.told()]
        known |= {row.key: row for row in self._batches.land([*look.arrived, *look.touched])}
        return look.is_settled()

    def _close(self, name: str, calendar: Calendar, known: dict[str, LandedBatch]) -> bool:
        closed = closed_windows(calendar.kind, calendar.first, calendar.timezone, self._late(calendar))
        new = [LandedBatch(name, window.key, "") for window in closed if window.key not in known]
        known |= {row.key: row for row in self._batches.land(new[:MOST_REQUESTS])}
        return len(new) <= MOST_REQUESTS

    def take(self, scored: Callable[[str, Sequence[str]], set[str]]) -> list[Wanted]:
        """The batches to request now: each pipeline's in order, the pipelines in turn, at most 100.

        Args:
            scored: which of a pipeline's new batches were scored already, by `automl run`; these are not requested.
        """
        queues: dict[str, list[Wanted]] = {}
        for name in self.fed:
            fresh = self._fresh.get(name, [])
            done = scored(name, [row.key for row in fresh]) if fresh else set[str]()
            again = (row for row in self._again.get(name, ()) if row.sequence <= self.after.pipelines[name].requested)
            queue = [Wanted(row, True) for row in again]
            queues[name] = queue + [Wanted(row, False) for row in fresh if row.key not in done]
        taken: list[Wanted] = []
        while len(taken) < MOST_REQUESTS and any(queues.values()):
            for queue in [queue for queue in queues.values() if queue][: MOST_REQUESTS - len(taken)]:
                taken.append(queue.pop(0))
        for name, left in queues.items():
            self._advance(name, left)
        return taken

    def _advance(self, name: str, left: Sequence[Wanted]) -> None:
        """Say in the cursor how far the pipeline is, and what of it is left for the next tick."""
        before = self.after.pipelines[name]
        fresh = [wanted.row.sequence for wanted in left if not wanted.again]
        last = max([before.requested, *(row.sequence for row in self._fresh.get(name, ()))])
        self.after.again = [*(wanted.row for wanted in left if wanted.again), *self.after.again]
        self.after.pipelines[name] = Progress(
            listing="" if left else before.listing, requested=fresh[0] - 1 if fresh else last
        )

    def told(self) -> str:
        """Why nothing is requested, as a person reads it: the pipelines in their own order, whichever was first."""
        place = {name: index for index, name in enumerate(self.fed)}
        said = sorted(self._told, key=lambda told: place[told.partition(":")[0]])
        loud = {told.partition(":")[0] for told in said}
        quiet = len(self.fed) - len(loud) - self._waiting
        more = len(said) - MOST_TOLD
        parts = [*said[:MOST_TOLD], f"and {more} more" if more > 0 else ""]
        parts.append(f"{self._waiting} more are left for the next look" if self._waiting else "")
        parts.append(f"{quiet} {'pipeline has' if quiet == 1 else 'pipelines have'} nothing new" if quiet else "")
        return "; ".join(part for part in parts if part) + "." if any(parts) else "No pipeline has batches."
