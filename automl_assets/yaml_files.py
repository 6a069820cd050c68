"""YAML as people write it: read safely, with the line of every key, `{{ env.NAME }}` filled in, faults as sentences."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from automl_assets.core.errors import ConfigError, bounded, did_you_mean

TEMPLATE = re.compile(r"\{\{\s*env\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
MOST_ERRORS = 3
MOST_DEPTH = 40
MOST_NODES = 50_000
Location = tuple[str | int, ...]


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader with YAML 1.2's booleans: `positive_label: yes` is the word, not True."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def read_text(path: Path) -> str:
    """The file's text.

    Raises:
        ConfigError: it is gone, or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The file can't be read: {error}.", where=str(path), remedy="Save it as UTF-8.") from error


def parse_yaml(text: str, where: str, lines: dict[Location, int]) -> Any:
    """What the text says, None where it says nothing; `lines` gets the line of every key.

    Raises:
        ConfigError: it is no YAML, has a key twice, or is nested too deeply.
    """
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        return _construct(loader, node, (), lines, where) if node is not None else None
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


def _construct(loader: Loader, node: yaml.Node, at: Location, lines: dict[Location, int], where: str) -> Any:
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


def substituted(value: Any, at: Location, positions: Mapping[Location, str], filled: set[Location]) -> Any:
    """The value with every ``{{ env.NAME }}`` replaced; `filled` gets the places, whose values may be secrets."""
    if isinstance(value, dict):
        return {key: substituted(item, (*at, key), positions, filled) for key, item in value.items()}
    if isinstance(value, list):
        return [substituted(item, (*at, i), positions, filled) for i, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        filled.add(at)
        if name not in os.environ:
            raise ConfigError(
                f"The environment variable {name} is not set.",
                where=position(at, positions),
                remedy=f"Set it before starting, such as `export {name}=…`.",
            )
        return os.environ[name]

    return TEMPLATE.sub(replace, value)


def explain(at: Location, error: Mapping[str, Any], place: str, known: tuple[str, ...], *, hidden: bool) -> ConfigError:
    """One of pydantic's faults as a sentence; `known` are the keys that its section knows, `hidden` a secret value."""
    dotted = ".".join(str(part) for part in at)
    if error["type"] == "extra_forbidden":
        return unknown_key(at, known, place)
    if error["type"] == "missing":
        return ConfigError(f"{dotted} is missing.", where=place, remedy=f"Add `{at[-1]}:` there.")
    message = error["msg"].removeprefix("Value error, ").rstrip(".")
    given = error.get("input")
    plain = isinstance(given, str | int | float | bool) and len(repr(given)) < 60 and not hidden
    shown = f" (it is {given!r})" if plain else ""
    return ConfigError(f"{dotted}: {message}{shown}.", where=place, remedy="See the README for what it may be.")


def unknown_key(at: Location, known: Iterable[str], place: str) -> ConfigError:
    """A key that its section does not know, with the nearest that it does."""
    names = sorted(known)
    near = did_you_mean(str(at[-1]), names)
    hint = f"Did you mean {near!r}? " if near else ""
    listed = f"Known here: {bounded(names, 24)}." if names else "Remove it."
    return ConfigError(f"Unknown key {'.'.join(str(part) for part in at)!r}.", where=place, remedy=f"{hint}{listed}")


def joined(found: list[ConfigError]) -> ConfigError:
    """The first of several faults, with the next two in its message."""
    first, rest = found[0], found[1:MOST_ERRORS]
    more = f" Also: {'; '.join(f'{other.where}: {other.message}' for other in rest)}" if rest else ""
    return ConfigError(first.message + more, where=first.where, remedy=first.remedy)


def position(at: Location, positions: Mapping[Location, str], default: str = "") -> str:
    """Where a location, or the nearest above it that stands in the file, was written."""
    for length in range(len(at), -1, -1):
        if at[:length] in positions:
            return positions[at[:length]]
    return default
