"""The configurations that are tried before any search: diverse, in the order in which they help most tables soonest.

The list is data, `portfolio.json` beside this file: a family, how it differs from its defaults, and which fields of the
recipe it has for itself: a few members see products of columns. `benchmarks/learn_portfolio.py` wrote its order.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from automl_assets.learn.families import Params, Shape, registry

FILE = Path(__file__).with_name("portfolio.json")
RECIPE = "recipe"


@dataclass(frozen=True)
class Entry:
    """A configuration of the portfolio: its family's parameters for a problem of one shape, its recipe among them."""

    family: str
    params: Params


@cache
def listed() -> tuple[dict[str, Any], ...]:
    """The file's entries in their order."""
    return tuple(json.loads(FILE.read_text()))


def entries(shape: Shape, families: Sequence[str]) -> list[Entry]:
    """The portfolio of some families for one shape; a family that the list lacks comes last with its defaults."""
    chosen = [one for one in listed() if one["family"] in families]
    known = {one["family"] for one in chosen}
    chosen += [{"family": family} for family in families if family not in known]
    return [Entry(one["family"], _params(one, shape)) for one in chosen]


def _params(one: dict[str, Any], shape: Shape) -> Params:
    recipe = {RECIPE: one[RECIPE]} if RECIPE in one else {}
    return {**registry.get(one["family"]).defaults(shape), **one.get("params", {}), **recipe}


def without_recipe(params: Params) -> tuple[Params, dict[str, Any] | None]:
    """A configuration's parameters for its family, and the fields of the recipe that it has for itself."""
    return {name: value for name, value in params.items() if name != RECIPE}, params.get(RECIPE)
