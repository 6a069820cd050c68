"""`platform.yaml`, beside the pipelines' folders: what holds across pipelines. Without the file, the defaults hold."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError, field_validator

from automl_assets.core.config import Section
from automl_assets.core.errors import ConfigError
from automl_assets.learn.features.recipe import Recipe
from automl_assets.monitoring.routing import Route, Routing
from automl_assets.pipeline import NAME_PATTERN, PipelineConfig
from automl_assets.tuning.config import AUTO
from automl_assets.yaml_files import Location, explain, joined, parse_yaml, position, read_text, substituted

FILE_NAME = "platform.yaml"


class AlertsConfig(Section):
    """Who hears of several pipelines."""

    routes: list[Route] = []


class PlatformConfig(Section):
    """The settings of the platform as a whole."""

    alerts: AlertsConfig = AlertsConfig()
    features: dict[Annotated[str, StringConstraints(pattern=NAME_PATTERN)], Recipe] = Field(
        default={}, description="Configurations of features by name, for `features.pipeline` of any pipeline."
    )
    llm: dict[str, Any] = Field(default={}, description="Models, fall-back, budgets and prices of the agent.")

    @field_validator("features")
    @classmethod
    def _new(cls, value: dict[str, Recipe]) -> dict[str, Recipe]:
        if AUTO in value:
            raise ValueError(f"{AUTO!r} is what the platform does on its own; choose another name.")
        return value

    def routing(self, pipelines: Sequence[PipelineConfig]) -> Routing:
        """Who hears of these pipelines: their own channels and the platform's routes."""
        return Routing({config.name: tuple(config.monitoring.alerts) for config in pipelines}, self.alerts.routes)


def load_platform(folders: Sequence[Path]) -> PlatformConfig:
    """The settings in the first of the pipelines' folders that has the file.

    Raises:
        ConfigError: with the file and the line.
    """
    path = _file_in(folders)
    return PlatformConfig() if path is None else parse_platform(read_text(path), where=str(path))


def named_features(folders: Sequence[Path]) -> Mapping[str, Recipe]:
    """The configurations of features that the same file names. Nothing else of it is looked at, nor needs to be right.

    Raises:
        ConfigError: with the file and the line.
    """
    path = _file_in(folders)
    return {} if path is None else parse_platform(read_text(path), where=str(path), only="features").features


def _file_in(folders: Sequence[Path]) -> Path | None:
    return next((folder / FILE_NAME for folder in folders if (folder / FILE_NAME).is_file()), None)


def parse_platform(text: str, *, where: str, only: str | None = None) -> PlatformConfig:
    """The settings that a YAML text states; `only` those of one section.

    Raises:
        ConfigError: with `where` and the line.
    """
    lines: dict[Location, int] = {}
    document = parse_yaml(text, where, lines)
    if document is None:
        return PlatformConfig()
    if not isinstance(document, dict):
        remedy = "Start with `alerts:`, `features:` or `llm:`."
        raise ConfigError("This is no mapping.", where=f"{where}:{lines[()]}", remedy=remedy)
    if only is not None:
        document = {key: value for key, value in document.items() if key == only}
    positions = {key: f"{where}:{line}" for key, line in lines.items() if key}
    filled: set[Location] = set()
    stated = substituted(document, (), positions, filled)
    try:
        return PlatformConfig.model_validate(stated)
    except ValidationError as error:
        raise _told(error, where, positions, filled) from None  # pydantic's own words quote secrets


def _told(error: ValidationError, where: str, positions: Mapping[Location, str], filled: set[Location]) -> ConfigError:
    found: list[ConfigError] = []
    for told in error.errors():
        at: Location = tuple(part for part in told["loc"] if part != "[key]")
        place = position(at, positions, default=f"{where}:1")
        found.append(explain(at, told, place, _keys_at(at[:-1]), hidden=at in filled))
    return joined(found)


def _keys_at(at: Location) -> tuple[str, ...]:
    """The keys that the section at a location knows."""
    sections = {(): PlatformConfig, ("alerts",): AlertsConfig, ("alerts", "routes"): Route, ("features",): Recipe}
    names = tuple(part for part in at if isinstance(part, str))
    section = sections.get(names[:1] if names[:1] == ("features",) else names)
    return tuple(section.model_fields) if section else ()
