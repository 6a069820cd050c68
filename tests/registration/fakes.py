"""A registry in memory that keeps the protocol of `core.ports.Registry`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from automl_assets.core.ports import Publication, Registry, VersionInfo


class MemoryRegistry:
    """Versions in a list; `published` keeps what each was made from."""

    def __init__(self) -> None:
        self.published: list[Publication] = []
        self.tags: dict[str, dict[str, str]] = {}
        self.aliases: dict[tuple[str, str], str] = {}

    def _info(self, position: int) -> VersionInfo:
        publication, version = self.published[position], str(position + 1)
        return VersionInfo(
            publication.name, version, f"run {version}", {**publication.version_tags, **self.tags.get(version, {})}
        )

    def versions(self, name: str) -> Sequence[VersionInfo]:
        return [self._info(i) for i in reversed(range(len(self.published))) if self.published[i].name == name]

    def find(self, name: str, tag: str, value: str) -> VersionInfo | None:
        return next((info for info in self.versions(name) if info.tags.get(tag) == value), None)

    def publish(self, publication: Publication) -> VersionInfo:
        self.published.append(publication)
        return self._info(len(self.published) - 1)

    def aliased(self, name: str, alias: str) -> VersionInfo | None:
        version = self.aliases.get((name, alias))
        return self._info(int(version) - 1) if version is not None else None

    def version(self, name: str, version: str) -> VersionInfo:
        return next(info for info in self.versions(name) if info.version == version)

    def set_alias(self, name: str, alias: str, version: str) -> None:
        self.aliases[name, alias] = version

    def remove_alias(self, name: str, alias: str) -> None:
        self.aliases.pop((name, alias), None)

    def tag(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        self.tags.setdefault(version, {}).update(tags)

    def folder(self, info: VersionInfo, path: str) -> Path:
        return self.published[int(info.version) - 1].files[path]


if TYPE_CHECKING:
    _: Registry = MemoryRegistry()
