"""The configurations that are tried before any search: diverse, in the order in which they help most tables soonest.

The list is data, `portfolio.json` beside this file: a family and how it differs from its defaults. What wrote its order
is `benchmarks/learn_portfolio.py`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from automl_assets.learn.families import Params, Shape, registry

FILE = Path(__file__).with_name("portfolio.json")


@dataclass(frozen=True)
class Entry:
    """A configuration of the portfolio: the parameters of its family for a problem of one shape."""

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
    return [
        Entry(one["family"], {**registry.get(one["family"]).defaults(shape), **one.get("params", {})}) for one in chosen
    ]
