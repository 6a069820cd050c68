"""`platform.yaml`, beside the pipelines' folders: what holds across pipelines. Without the file, the defaults hold."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from automl_assets.core.config import Section
from automl_assets.core.errors import ConfigError
from automl_assets.monitoring.routing import Route, Routing
from automl_assets.pipeline import PipelineConfig
from automl_assets.pipeline_files import (
    MOST_ERRORS,
    Location,
    _explain,
    _Loader,
    _parse_yaml,
    _position,
    _substituted,
)

FILE_NAME = "platform.yaml"
NOTHING = "tag:yaml.org,2002:null"


class AlertsConfig(Section):
    """Who hears of several pipelines."""

    routes: list[Route] = []


class PlatformConfig(Section):
    """The settings of the platform as a whole."""

    alerts: AlertsConfig = AlertsConfig()
    llm: dict[str, Any] = Field(default={}, description="Models, fall-back, budgets and prices of the agent.")

    def routing(self, pipelines: Sequence[PipelineConfig]) -> Routing:
        """Who hears of these pipelines: their own channels and the platform's routes."""
        return Routing({config.name: tuple(config.monitoring.alerts) for config in pipelines}, self.alerts.routes)


def load_platform(folders: Sequence[Path]) -> PlatformConfig:
    """The settings in the first of the pipelines' folders that has the file.

    Raises:
        ConfigError: with the file and the line.
    """
    path = next((folder / FILE_NAME for folder in folders if (folder / FILE_NAME).is_file()), None)
    if path is None:
        return PlatformConfig()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The file can't be read: {error}.", where=str(path), remedy="Save it as UTF-8.") from error
    return parse_platform(text, where=str(path))


def parse_platform(text: str, *, where: str) -> PlatformConfig:
    """The settings that a YAML text states.

    Raises:
        ConfigError: with `where` and the line.
    """
    if not _is_mapping(text, where):
        return PlatformConfig()
    lines: dict[Location, int] = {}
    document = _parse_yaml(text, where, lines)
    positions = {key: f"{where}:{line}" for key, line in lines.items() if key}
    filled: set[Location] = set()
    substituted = _substituted(document, (), positions, filled)
    try:
        return PlatformConfig.model_validate(substituted)
    except ValidationError as error:
        raise _told(error, where, positions, filled) from None  # pydantic's own words quote secrets


def _is_mapping(text: str, where: str) -> bool:
    """Whether the text states anything, which then has to be a mapping."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError):
        return True  # what is wrong is told when it is parsed
    if node is None or node.tag == NOTHING:
        return False
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(
            "This is no mapping.", where=f"{where}:{node.start_mark.line + 1}", remedy="Start with `alerts:` or `llm:`."
        )
    return True


def _told(error: ValidationError, where: str, positions: Mapping[Location, str], filled: set[Location]) -> ConfigError:
    found: list[ConfigError] = []
    for told in error.errors():
        at: Location = tuple(told["loc"])
        place = _position(at, positions, default=f"{where}:1")
        found.append(_explain(at, told, place, _keys_at(at[:-1]), hidden=at in filled))
    first, rest = found[0], found[1:MOST_ERRORS]
    more = f" Also: {'; '.join(f'{other.where}: {other.message}' for other in rest)}" if rest else ""
    return ConfigError(first.message + more, where=first.where, remedy=first.remedy)


def _keys_at(at: Location) -> tuple[str, ...]:
    """The keys that the section at a location knows."""
    sections = {(): PlatformConfig, ("alerts",): AlertsConfig, ("alerts", "routes"): Route}
    names = tuple(part for part in at if isinstance(part, str))
    return tuple(sections[names].model_fields) if names in sections else ()
