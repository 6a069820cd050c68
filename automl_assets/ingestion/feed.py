"""A pipeline's batches whatever they are: the whole table, files that landed, or windows of time."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from automl_assets.core.fingerprint import canonical_json
from automl_assets.core.records import LandedBatch
from automl_assets.ingestion.batches import batch_version
from automl_assets.ingestion.config import BatchesConfig, ScheduleConfig, source_from
from automl_assets.ingestion.keys import natural_order
from automl_assets.ingestion.landing import where_it_lies
from automl_assets.ingestion.sources import Reading, Source
from automl_assets.ingestion.sources._base import WHOLE, FileSource
from automl_assets.ingestion.window_content import WindowContent, contents
from automl_assets.ingestion.window_rows import WindowReading
from automl_assets.ingestion.windows import Window, closed_windows, window_of_key


class FeedsPipeline(Protocol):
    """What a feed needs of a pipeline's configuration."""

    @property
    def source(self) -> Source:
        """Where the rows come from."""
        ...

    @property
    def batches(self) -> BatchesConfig:
        """How they arrive."""
        ...

    @property
    def schedule(self) -> ScheduleConfig:
        """Whose time zone windows of time are in."""
        ...

    @property
    def quality(self) -> Any:
        """Which contract a batch is held against."""
        ...


@dataclass(frozen=True)
class Feed:
    """Finds, identifies and opens a pipeline's batches.

    known: what the platform wrote down about its files, by key; an unchanged file is not hashed again, and a moved one
    is read where it lies now.
    """

    source: Source
    batches: BatchesConfig
    timezone: str
    contract: str | None = None
    known: Mapping[str, LandedBatch] = field(default_factory=dict)
    _opened: dict[str, Reading] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, config: FeedsPipeline, known: Mapping[str, LandedBatch] | None = None) -> "Feed":
        """The feed of a pipeline."""
        return cls(config.source, config.batches, config.schedule.timezone, config.quality.contract, known or {})

    def knowing(self, known: Mapping[str, LandedBatch]) -> "Feed":
        """The same feed with other rows known."""
        return replace(self, known=known)

    def keys(self, now: datetime | None = None) -> list[str]:
        """The batches there are: those that landed, in natural order; the windows closed by now, in time's."""
        if self.batches.kind == "none":
            return [WHOLE]
        if self.batches.kind == "files":
            return sorted((key for key, row in self.known.items() if row.state == "landed"), key=natural_order)
        return [window.key for window in self.windows(now or datetime.now(UTC))]

    def windows(self, now: datetime) -> list[Window]:
        """The windows that are closed by now (an aware time)."""
        assert self.batches.kind not in ("none", "files")
        assert self.batches.start is not None
        late = now - timedelta(hours=self.batches.delay_hours)
        return closed_windows(self.batches.kind, self.batches.start, self.timezone, late)

    def digest(self, batch: str) -> str:
        """What identifies a batch's raw content.

        Raises:
            SourceError: the batch is missing or can't be read.
        """
        if self.batches.is_windows:
            return self.source.window_digest(self.window(batch)) or self._content(batch).digest
        if self.batches.kind == "files" and isinstance(self.source, FileSource):
            return self._file_digest(batch, self.source)
        return self.source.digest(batch)

    def _file_digest(self, batch: str, source: FileSource) -> str:
        """What was hashed when the file landed, unless it has changed since."""
        key = self._lies_at(batch)
        known, lying = self.known.get(batch), self.known.get(key)
        try:
            stat = source.path_of(key).stat()
        except OSError:
            return known.digest if known is not None else source.digest(key)
        unchanged = lying is not None and (stat.st_size, stat.st_mtime_ns) == (lying.size, lying.mtime_ns)
        return lying.digest if lying is not None and unchanged else source.digest(key)

    def version(self, batch: str, accepted: str | None = None) -> str:
        """What a batch is made from: its content, the contract it is held against, and who accepted it.

        Raises:
            SourceError: the batch is missing or can't be read.
            ConfigError: the contract is not there.
        """
        return batch_version(self.digest(batch), self.contract, accepted)

    def open(self, batch: str) -> Reading:
        """Open a batch.

        Raises:
            SourceError: the batch is missing, empty, binary, or has no rows.
        """
        if batch in self._opened:
            return self._opened.pop(batch)
        if self.batches.is_windows:
            window = self.window(batch)
            reading, exact = self.source.open_window(window, self.batches.time_column)
            return reading if exact else WindowReading.of(reading, window, self.batches.time_column)
        return self.source.open(self._lies_at(batch))

    def is_empty(self, batch: str) -> bool:
        """Whether a window of time has no rows; other batches that have none are errors when they are read."""
        if not self.batches.is_windows:
            return False
        if self.source.window_digest(self.window(batch)) is None:
            return not self._content(batch).rows
        self._opened[batch] = self.open(batch)
        return not any(piece.num_rows for piece in self._opened[batch].batches())

    def window(self, batch: str) -> Window:
        """The window of time that a key names."""
        assert self.batches.kind not in ("none", "files")
        return window_of_key(self.batches.kind, self.timezone, batch)

    def _content(self, batch: str) -> WindowContent:
        windows = self.windows(datetime.now(UTC))
        window = self.window(batch)
        if window not in windows:
            return contents(self.source.open(WHOLE), [window], self.batches.time_column)[batch]
        stamp = self.source.stamp()
        if stamp is None:
            return contents(self.source.open(WHOLE), windows, self.batches.time_column)[batch]
        source = canonical_json(self.source.model_dump(mode="json"))
        return _contents(source, stamp, tuple(windows), self.batches.time_column)[batch]

    def _lies_at(self, batch: str) -> str:
        if self.batches.kind != "files" or not isinstance(self.source, FileSource):
            return batch
        return where_it_lies(Path(self.source.path), batch, self.known)


@lru_cache(maxsize=4)
def _contents(source: str, stamp: str, windows: tuple[Window, ...], column: str | None) -> dict[str, WindowContent]:
    """The windows of a table, read once a process as long as its `stamp` stays."""
    return contents(source_from(json.loads(source)).open(WHOLE), windows, column)
