"""Which files are batches: what lies in a folder, held against what is known and what the last look saw.

A file is complete when its size and modification time are those of the last look, and its marker is there where one is
asked for. Times are compared for equality only, never with the clock, so a clock that jumps changes nothing. Content
decides what a file is: new, rewritten (scored again), moved or a copy (recorded, never scored).
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from automl_assets.core.errors import ConfigError, bounded
from automl_assets.core.fingerprint import digest_of, digest_of_file
from automl_assets.core.records import LandedBatch
from automl_assets.ingestion.keys import natural_order
from automl_assets.ingestion.landing import LyingFile

LONGEST_KEY = 240


def stat_mark(pipeline: str, file: LyingFile) -> str:
    """What a look remembers of a file: 8 hexadecimal digits of who it is and 12 of its size and time."""
    who = hashlib.blake2b(f"{pipeline}/{file.key}".encode(), digest_size=4).hexdigest()
    return who + hashlib.blake2b(f"{file.size}/{file.mtime_ns}".encode(), digest_size=6).hexdigest()


@dataclass(frozen=True)
class Look:
    """What one look at a folder found.

    arrived: rows to write down, in natural order: landed ones are scored, moved ones and duplicates never.
    rewritten: known keys whose content is another now: scored again. touched: known rows, the file's time changed only.
    growing, fresh (not seen before), unmarked, later (left for the next look) and unusable (with the reason): keys
    that are no batch yet. seen: what the next look needs to know of those.
    """

    arrived: tuple[LandedBatch, ...] = ()
    rewritten: tuple[LandedBatch, ...] = ()
    touched: tuple[LandedBatch, ...] = ()
    growing: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    unmarked: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    unusable: tuple[tuple[str, str], ...] = ()
    seen: tuple[str, ...] = ()

    def is_settled(self) -> bool:
        """Whether every file is a known batch now."""
        return not (self.rewritten or self.growing or self.fresh or self.unmarked or self.later or self.unusable)

    def told(self) -> list[str]:
        """What a person should know of the files that are no batch yet, a sentence a kind."""
        kinds = (
            (self.growing, "still growing"),
            (self.fresh, "complete if unchanged at the next look"),
            (self.unmarked, "waiting for a marker"),
            (self.later, "left for the next look"),
            (tuple(row.key for row in self.rewritten), "rewritten and scored again"),
        )
        told = [f"{bounded(keys, 3)} {'is' if len(keys) == 1 else 'are'} {what}" for keys, what in kinds if keys]
        copies = [f"{row.key} has the content of {row.same_as}" for row in self.arrived if row.state != "landed"]
        unusable = [f"{key} can't be used: {why}" for key, why in self.unusable[:3]]
        return [*told, *copies[:3], *unusable]


def recognise(
    pipeline: str,
    known: Mapping[str, LandedBatch],
    files: Sequence[LyingFile],
    seen: Collection[str],
    digest: Callable[[LyingFile], str | None],
    in_time: Callable[[], bool] = lambda: True,
) -> Look:
    """Decide what each file is.

    Args:
        known: the pipeline's rows by key.
        files: what lies there now.
        seen: `Look.seen` of the last look.
        digest: hashes a file's bytes; None when they changed meanwhile. Called for new and changed files only.
        in_time: whether there is time left to hash; what isn't hashed is left for the next look.
    """
    changed = [file for file in files if not _is_known(known.get(file.key), file)]
    found = _Recognition(pipeline, dict(known), {file.key for file in files})
    who_was_seen = {mark[:8] for mark in seen}
    for file in sorted(changed, key=lambda file: natural_order(file.key)):
        mark = stat_mark(pipeline, file)
        if len(quote(file.key, safe="")) > LONGEST_KEY:
            found.unusable.append((file.key[:60], "its name is too long"))
            continue
        found.seen.append(mark)
        if mark not in seen:
            (found.growing if mark[:8] in who_was_seen else found.fresh).append(file.key)
        elif not file.marked:
            found.unmarked.append(file.key)
        elif not in_time():
            found.later.append(file.key)
        else:
            found.read(file, digest)
    return found.look()


def _is_known(row: LandedBatch | None, file: LyingFile) -> bool:
    return row is not None and (row.size, row.mtime_ns) == (file.size, file.mtime_ns)


@dataclass
class _Recognition:
    """A look in the making: the rows as they would be after what was decided so far."""

    pipeline: str
    rows: dict[str, LandedBatch]
    lying: set[str]
    arrived: list[LandedBatch] = field(default_factory=list)
    rewritten: list[LandedBatch] = field(default_factory=list)
    touched: list[LandedBatch] = field(default_factory=list)
    growing: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    unmarked: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    unusable: list[tuple[str, str]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._by_digest: dict[str, set[str]] = {}
        for row in self.rows.values():
            self._by_digest.setdefault(row.digest, set()).add(row.key)

    def look(self) -> Look:
        """The finished look."""
        lists = ("arrived", "rewritten", "touched", "growing", "fresh", "unmarked", "later", "unusable", "seen")
        return Look(**{name: tuple(getattr(self, name)) for name in lists})

    def read(self, file: LyingFile, digest: Callable[[LyingFile], str | None]) -> None:
        """Decide about a complete file by its content."""
        try:
            content = digest(file)
        except OSError as error:
            self.unusable.append((file.key, f"it can't be read: {error.strerror or error}"))
            return
        if content is None:
            self.growing.append(file.key)
            return
        row = LandedBatch(self.pipeline, file.key, content, file.size, file.mtime_ns)
        before = self.rows.get(file.key)
        if before is None:
            self._arrive(row)
        elif before.digest == content:
            self._put(replace(before, size=file.size, mtime_ns=file.mtime_ns), self.touched)
        else:
            self._put(replace(row, sequence=before.sequence), self.rewritten)
            self._release(before)

    def _arrive(self, row: LandedBatch) -> None:
        """A new key: a batch, or known content that moved here or was copied."""
        same = [self.rows[key] for key in self._by_digest.get(row.digest, ()) if self.rows[key].digest == row.digest]
        original = next((other for other in same if other.state == "landed"), None)
        if original is None:
            self._put(row, self.arrived)
            return
        lies = any(other.key in self.lying for other in same)
        self._put(replace(row, state="duplicate" if lies else "moved", same_as=original.key), self.arrived)

    def _release(self, before: LandedBatch) -> None:
        """The old content of a rewritten file is a batch of its own where a copy of it lies: a rotated log."""
        for key in sorted(self._by_digest.get(before.digest, ()), key=natural_order):
            row = self.rows[key]
            if row.digest == before.digest and row.same_as == before.key and key in self.lying:
                self._put(replace(row, state="landed", same_as=None), self.rewritten)
                return

    def _put(self, row: LandedBatch, where: list[LandedBatch]) -> None:
        self.rows[row.key] = row
        self._by_digest.setdefault(row.digest, set()).add(row.key)
        where.append(row)


def batch_version(digest: str, contract: str | None, accepted: str | None = None) -> str:
    """What a batch is made from: its raw content, the contract's text, and who accepted it where someone did.

    Raises:
        ConfigError: the contract is not there.
    """
    parts = [digest]
    if contract is not None:
        path = Path(contract)
        if not path.is_file():
            raise ConfigError("The contract is not there.", where=str(path), remedy="Correct quality.contract.")
        parts.append(digest_of_file(path))
    return digest_of([*parts, f"accepted by {accepted}"] if accepted else parts)
