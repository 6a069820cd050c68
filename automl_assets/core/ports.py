"""What pure code may ask of the outside, as protocols that resources and fakes satisfy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class VersionInfo:
    """A registered version. `tags` are its own; `aliases` point at it."""

    name: str
    version: str
    run_id: str
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    created: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Publication:
    """What a new version consists of: files by artifact path, and what is said of it."""

    name: str
    files: Mapping[str, Path]
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    run_tags: Mapping[str, str]
    version_tags: Mapping[str, str]
    description: str


class Registry(Protocol):
    """A model registry with versions, tags and aliases."""

    def find(self, name: str, tag: str, value: str) -> VersionInfo | None:
        """The newest version with this tag, or None."""
        ...

    def publish(self, publication: Publication) -> VersionInfo:
        """A new version of a model; what an interrupted attempt left is removed first."""
        ...

    def aliased(self, name: str, alias: str) -> VersionInfo | None:
        """The version that an alias points at, or None."""
        ...

    def version(self, name: str, version: str) -> VersionInfo:
        """One version; an error names those that there are."""
        ...

    def versions(self, name: str) -> Sequence[VersionInfo]:
        """All versions, newest first."""
        ...

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Point an alias at a version."""
        ...

    def remove_alias(self, name: str, alias: str) -> None:
        """Let an alias point at nothing; it may do so already."""
        ...

    def tag(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        """Add tags to a version."""
        ...

    def folder(self, info: VersionInfo, path: str) -> Path:
        """A local folder or file with one of the version's artifacts."""
        ...
