"""Finding, reading and writing `defs.yaml` files. An error names the file, the line, and what was probably meant."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from automl_assets.core.errors import ConfigError, UnknownNameError, unknown_name
from automl_assets.core.files import write_text
from automl_assets.ingestion.config import source_from
from automl_assets.ingestion.sources import registry as sources
from automl_assets.learn.features.recipe import Recipe
from automl_assets.pipeline import PipelineConfig
from automl_assets.platform_file import named_features
from automl_assets.yaml_files import (
    Loader,
    Location,
    explain,
    joined,
    parse_yaml,
    position,
    read_text,
    substituted,
    unknown_key,
)

COMPONENT = "automl_assets.AutoMLPipeline"
FILE_NAME = "defs.yaml"


def find_pipelines(folders: Iterable[Path]) -> dict[str, Path]:
    """Every `<folder>/<name>/defs.yaml`, by the folder's name; the first folder that has a name wins."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob(f"*/{FILE_NAME}")) if folder.is_dir() else []:
            found.setdefault(path.parent.name, path)
    return found


def load_named(name: str, folders: Sequence[Path], overrides: Sequence[str] = ()) -> PipelineConfig:
    """The pipeline called `name`.

    Raises:
        UnknownNameError: no folder has it.
        ConfigError: its file is wrong, or an override is.
    """
    found = find_pipelines(folders)
    if name not in found:
        raise unknown_name("pipeline", name, found)
    return load_pipeline(found[name], overrides, shared=folders)


def load_all(folders: Sequence[Path]) -> list[PipelineConfig]:
    """Every pipeline of the folders.

    Raises:
        ConfigError: a file is wrong, or two pipelines have one name.
    """
    loaded: dict[str, Path] = {}
    pipelines: list[PipelineConfig] = []
    for path in find_pipelines(folders).values():
        pipeline = load_pipeline(path, shared=folders)
        if pipeline.name in loaded:
            raise ConfigError(
                f"Two pipelines are called {pipeline.name!r}: the other is {loaded[pipeline.name]}.",
                where=str(path),
                remedy="Rename one.",
            )
        loaded[pipeline.name] = path
        pipelines.append(pipeline)
    return pipelines


def load_pipeline(path: Path, overrides: Sequence[str] = (), *, shared: Sequence[Path] | None = None) -> PipelineConfig:
    """Read one file; `overrides` are ``KEY=VALUE`` with dotted keys and YAML values.

    Args:
        shared: the folders of which the first with a `platform.yaml` names configurations of features; by default the
            one that the pipeline's own folder lies in.

    Raises:
        ConfigError: with the file and the line.
    """
    folders = [path.parent.parent] if shared is None else shared
    config = parse_pipeline(
        read_text(path), where=str(path), overrides=overrides, named=lambda: named_features(folders)
    )
    return config.located(path.parent)


def parse_pipeline(
    text: str, *, where: str, overrides: Sequence[str] = (), named: Callable[[], Mapping[str, Recipe]] = dict
) -> PipelineConfig:
    """The pipeline that a YAML text describes, its paths still relative.

    Args:
        named: the platform's own configurations of features; asked only where the text names one.

    Raises:
        ConfigError: with `where` and the line.
    """
    lines: dict[Location, int] = {}
    document = parse_yaml(text, where, lines)
    if not isinstance(document, dict):
        raise ConfigError(
            "The file describes no pipeline.", where=f"{where}:1", remedy=f"Start with type: {COMPONENT}."
        )
    for key in document:
        if key not in ("type", "attributes"):
            raise unknown_key((key,), ("type", "attributes"), f"{where}:{lines.get((key,), 1)}")
    if document.get("type") != COMPONENT:
        raise ConfigError(
            f"The component type is {document.get('type')!r}.",
            where=f"{where}:{lines.get(('type',), 1)}",
            remedy=f"Write `type: {COMPONENT}`.",
        )
    attributes = document.get("attributes")
    if not isinstance(attributes, dict):
        raise ConfigError("There are no attributes.", where=f"{where}:1", remedy="Add name, source and target.")
    positions = {key[1:]: f"{where}:{line}" for key, line in lines.items() if key[:1] == ("attributes",)}
    for override in overrides:
        _override(attributes, override, positions)
    filled: set[Location] = set()
    config = _validated(substituted(attributes, (), positions, filled), where, positions, filled)
    if config.features.is_resolved():
        return config
    try:
        return config.model_copy(update={"features": config.features.resolved(named())})
    except UnknownNameError as error:
        place = position(("features", "pipeline"), positions)
        raise ConfigError(f"features.pipeline: {error.message}", where=place, remedy=error.remedy) from error


def _override(attributes: dict[str, Any], override: str, positions: dict[Location, str]) -> None:
    key, equals, text = override.partition("=")
    parts = tuple(key.strip().split("."))
    if not equals or not all(parts):
        raise ConfigError(f"--set {override!r} is not KEY=VALUE.", remedy="Write --set tuning.time_budget_seconds=60.")
    inner = attributes
    for part in parts[:-1]:
        if not isinstance(inner.setdefault(part, {}), dict):
            inner[part] = {}
        inner = inner[part]
    try:
        inner[parts[-1]] = yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"--set {override!r} has a value that is not YAML.", remedy="Quote it.") from error
    for length in range(1, len(parts) + 1):
        positions[parts[:length]] = f"--set {override}"


def _validated(
    attributes: dict[str, Any], where: str, positions: Mapping[Location, str], filled: set[Location]
) -> PipelineConfig:
    prefix: Location = ("source",)
    try:
        if "source" in attributes:
            attributes = {**attributes, "source": source_from(attributes["source"])}
        prefix = ()
        return PipelineConfig.model_validate(attributes)
    except ValidationError as error:
        found = []
        for told in error.errors():
            at = tuple(part for part in (*prefix, *told["loc"]) if not _is_tag(part))
            known = _keys_of_source(attributes["source"]) if prefix else _keys_at(at[:-1])
            place = position(at, positions, default=f"{where}:1")
            found.append(explain(at, told, place, known, hidden=at in filled))
        raise joined(found) from error
    except ValueError as error:
        raise ConfigError(f"source: {error}", where=position(("source",), positions)) from error


def _is_tag(part: str | int) -> bool:
    """Whether a part of pydantic's location names a branch of a union rather than a key."""
    return isinstance(part, str) and ("[" in part or part in ("LastBatches", "BatchesSince"))


def _keys_at(at: Location) -> tuple[str, ...]:
    """The keys that the section at a location knows."""
    model: type[BaseModel] = PipelineConfig
    for part in at:
        field = model.model_fields.get(str(part))
        kinds = [field.annotation, *get_args(field.annotation)] if field else []
        sections = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if len(sections) != 1:
            return ()
        model = sections[0]
    return tuple(model.model_fields)


def _keys_of_source(source: Any) -> tuple[str, ...]:
    """The keys that a source of this type knows."""
    kind = str(source.get("type", "")) if isinstance(source, dict) else ""
    return tuple(sources.get(kind).model_fields) if kind in sources.names() else ()


def write_pipeline(
    path: Path, *, name: str, source: Mapping[str, Any], target: str, exclude: Mapping[str, str] | None = None
) -> None:
    """Write a new `defs.yaml` with what has no default.

    Args:
        exclude: columns that give the target away, with the reason, which is written beside them.
    """
    lines = [
        f"type: {COMPONENT}",
        "attributes:",
        f"  name: {name}",
        f"  source: {_inline(dict(source))}",
        f"  target: {_inline(target)}",
    ]
    if exclude:
        lines += ["  columns:", "    exclude:"]
        lines += [f"      - {_inline(column)}  # {reason}" for column, reason in exclude.items()]
    write_text(path, "\n".join([*lines, "  tuning: {time_budget_seconds: 300}"]) + "\n")


def _inline(value: Any) -> str:
    """A value as YAML on one line, in which every character survives."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_inline(key)}: {_inline(item)}" for key, item in value.items()) + "}"
    text = _dumped(value, allow_unicode=True)
    whole = "\n" not in text and yaml.load(f"[{text}]", Loader=Loader) == [value]  # noqa: S506 - a SafeLoader
    return text if whole else _dumped(value, default_style='"')


def _dumped(value: Any, **style: Any) -> str:
    text = yaml.safe_dump([value], default_flow_style=True, width=1 << 30, **style)
    return text.removeprefix("[").removesuffix("]\n")


def pipeline_text(config: PipelineConfig) -> str:
    """The resolved configuration as a defs.yaml: every setting stated, paths absolute."""
    document = {"type": COMPONENT, "attributes": config.model_dump(mode="json")}
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    if yaml.safe_load(text) == document:
        return text
    return yaml.safe_dump(document, sort_keys=False, width=120)
