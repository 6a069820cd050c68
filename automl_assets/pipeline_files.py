"""Finding, reading and writing `defs.yaml` files. An error names the file, the line, and what was probably meant."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from automl_assets.core.errors import ConfigError, bounded, did_you_mean, unknown_name
from automl_assets.core.files import write_text
from automl_assets.ingestion.config import source_from
from automl_assets.ingestion.sources import registry as sources
from automl_assets.pipeline import PipelineConfig

COMPONENT = "automl_assets.AutoMLPipeline"
FILE_NAME = "defs.yaml"
TEMPLATE = re.compile(r"\{\{\s*env\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
MOST_ERRORS = 3
MOST_DEPTH = 40
MOST_NODES = 50_000
Location = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with YAML 1.2's booleans: `positive_label: yes` is the word, not True."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


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
    return load_pipeline(found[name], overrides)


def load_all(folders: Sequence[Path]) -> list[PipelineConfig]:
    """Every pipeline of the folders.

    Raises:
        ConfigError: a file is wrong, or two pipelines have one name.
    """
    loaded: dict[str, Path] = {}
    pipelines: list[PipelineConfig] = []
    for path in find_pipelines(folders).values():
        pipeline = load_pipeline(path)
        if pipeline.name in loaded:
            raise ConfigError(
                f"Two pipelines are called {pipeline.name!r}: the other is {loaded[pipeline.name]}.",
                where=str(path),
                remedy="Rename one.",
            )
        loaded[pipeline.name] = path
        pipelines.append(pipeline)
    return pipelines


def load_pipeline(path: Path, overrides: Sequence[str] = ()) -> PipelineConfig:
    """Read one file; `overrides` are ``KEY=VALUE`` with dotted keys and YAML values.

    Raises:
        ConfigError: with the file and the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The file can't be read: {error}.", where=str(path), remedy="Save it as UTF-8.") from error
    return parse_pipeline(text, where=str(path), overrides=overrides).located(path.parent)


def parse_pipeline(text: str, *, where: str, overrides: Sequence[str] = ()) -> PipelineConfig:
    """The pipeline that a YAML text describes, its paths still relative.

    Raises:
        ConfigError: with `where` and the line.
    """
    lines: dict[Location, int] = {}
    document = _parse_yaml(text, where, lines)
    for key in document:
        if key not in ("type", "attributes"):
            raise _unknown_key((key,), ("type", "attributes"), f"{where}:{lines.get((key,), 1)}")
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
    return _validated(_substituted(attributes, (), positions, filled), where, positions, filled)


def _parse_yaml(text: str, where: str, lines: dict[Location, int]) -> dict[str, Any]:
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        document = _construct(loader, node, (), lines, where) if node is not None else None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        if isinstance(error, yaml.reader.ReaderError):
            line = text.count("\n", 0, error.position) + 1
        else:
            line = mark.line + 1 if mark else max(lines.values(), default=1)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(
            f"This is not valid YAML: {problem}.", where=f"{where}:{line}", remedy="Check the indentation and brackets."
        ) from error
    if not isinstance(document, dict):
        raise ConfigError(
            "The file describes no pipeline.", where=f"{where}:1", remedy=f"Start with type: {COMPONENT}."
        )
    return document


def _construct(loader: _Loader, node: yaml.Node, at: Location, lines: dict[Location, int], where: str) -> Any:
    """The node's data, with each key's line noted; a key that stands twice is an error."""
    lines.setdefault(at, node.start_mark.line + 1)
    if len(at) > MOST_DEPTH or len(lines) > MOST_NODES:
        line = node.start_mark.line + 1
        raise ConfigError("This is nested too deeply.", where=f"{where}:{line}", remedy="Write it without aliases.")
    if isinstance(node, yaml.SequenceNode):
        return [_construct(loader, item, (*at, i), lines, where) for i, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node, deep=True)
    loader.flatten_mapping(node)
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node, deep=True))
        line = key_node.start_mark.line + 1
        if key in result:
            raise ConfigError(f"The key {key!r} stands twice.", where=f"{where}:{line}", remedy="Remove one.")
        lines[(*at, key)] = line
        result[key] = _construct(loader, value_node, (*at, key), lines, where)
    return result


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
        inner[parts[-1]] = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"--set {override!r} has a value that is not YAML.", remedy="Quote it.") from error
    for length in range(1, len(parts) + 1):
        positions[parts[:length]] = f"--set {override}"


def _substituted(value: Any, at: Location, positions: Mapping[Location, str], filled: set[Location]) -> Any:
    """The value with every ``{{ env.NAME }}`` replaced; `filled` gets the places, whose values may be secrets."""
    if isinstance(value, dict):
        return {key: _substituted(item, (*at, key), positions, filled) for key, item in value.items()}
    if isinstance(value, list):
        return [_substituted(item, (*at, i), positions, filled) for i, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        filled.add(at)
        if name not in os.environ:
            raise ConfigError(
                f"The environment variable {name} is not set.",
                where=_position(at, positions),
                remedy=f"Set it before starting, such as `export {name}=…`.",
            )
        return os.environ[name]

    return TEMPLATE.sub(replace, value)


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
            place = _position(at, positions, default=f"{where}:1")
            found.append(_explain(at, told, place, known, hidden=at in filled))
        first, rest = found[0], found[1:]
        also = "; ".join(f"{e.where}: {e.message}" for e in rest[: MOST_ERRORS - 1])
        more = f" Also: {also}" if also else ""
        raise ConfigError(first.message + more, where=first.where, remedy=first.remedy) from error
    except ValueError as error:
        raise ConfigError(f"source: {error}", where=_position(("source",), positions)) from error


def _explain(
    at: Location, error: Mapping[str, Any], place: str, known: tuple[str, ...], *, hidden: bool
) -> ConfigError:
    dotted = ".".join(str(part) for part in at)
    if error["type"] == "extra_forbidden":
        return _unknown_key(at, known, place)
    if error["type"] == "missing":
        return ConfigError(f"{dotted} is missing.", where=place, remedy=f"Add `{at[-1]}:` there.")
    message = error["msg"].removeprefix("Value error, ").rstrip(".")
    given = error.get("input")
    plain = isinstance(given, str | int | float | bool) and len(repr(given)) < 60 and not hidden
    shown = f" (it is {given!r})" if plain else ""
    return ConfigError(f"{dotted}: {message}{shown}.", where=place, remedy="See the README for what it may be.")


def _is_tag(part: str | int) -> bool:
    """Whether a part of pydantic's location names a branch of a union rather than a key."""
    return isinstance(part, str) and ("[" in part or part in ("LastBatches", "BatchesSince"))


def _unknown_key(at: Location, known: Iterable[str], place: str) -> ConfigError:
    names = sorted(known)
    near = did_you_mean(str(at[-1]), names)
    hint = f"Did you mean {near!r}? " if near else ""
    listed = f"Known here: {bounded(names, 24)}." if names else "Remove it."
    return ConfigError(f"Unknown key {'.'.join(str(part) for part in at)!r}.", where=place, remedy=f"{hint}{listed}")


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


def _position(at: Location, positions: Mapping[Location, str], default: str = "") -> str:
    """Where a location, or the nearest above it that stands in the file, was written."""
    for length in range(len(at), -1, -1):
        if at[:length] in positions:
            return positions[at[:length]]
    return default


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
    whole = "\n" not in text and yaml.load(f"[{text}]", Loader=_Loader) == [value]  # noqa: S506 - a SafeLoader
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
