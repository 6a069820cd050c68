import json
from typing import Any

import pytest

from automl_assets.learn.families import Shape, registry
from automl_assets.learn.features import Recipe
from automl_assets.tuning.portfolio import FILE, entries, listed, without_recipe

SHAPE = Shape(1_000, 10, 2)


class Ranges:
    """A `Suggest` that keeps the ranges."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        self.found[name] = (low, high)
        return low

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        self.found[name] = (low, high)
        return low

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        self.found[name] = tuple(choices)
        return choices[0]


@pytest.mark.parametrize("entry", listed(), ids=lambda e: json.dumps(e))
def test_an_entry_lies_in_its_familys_search_space(entry: dict[str, Any]) -> None:
    """Optuna starts from it, so it must be able to have proposed it."""
    assert set(entry) <= {"family", "params", "recipe"}
    Recipe(**entry.get("recipe", {}))
    kind, ranges = registry.get(entry["family"]), Ranges()
    kind.space(ranges, SHAPE)
    for name, value in entry.get("params", {}).items():
        low_or_choice, *rest = ranges.found[name]
        inside = value in ranges.found[name] if isinstance(value, bool | str) else low_or_choice <= value <= rest[0]
        assert inside, f"{name}={value} is outside {ranges.found[name]}"


def test_the_floor_is_in_it_and_no_entry_twice() -> None:
    texts = [json.dumps(entry, sort_keys=True) for entry in listed()]
    assert len(set(texts)) == len(texts)
    assert {"linear", "lightgbm"} <= {entry["family"] for entry in listed()}
    assert FILE.is_file()


def test_entries_are_their_familys_defaults_and_what_differs() -> None:
    (only,) = [e for e in entries(SHAPE, ["svm"]) if e.family == "svm"][:1]
    assert only.params == registry.get("svm").defaults(SHAPE)
    assert entries(SHAPE, ["extra_trees"])[0].params["max_features"] == 0.5


def test_only_the_chosen_families_are_in_and_each_at_least_once() -> None:
    assert {e.family for e in entries(SHAPE, ["xgboost", "linear"])} == {"xgboost", "linear"}
    assert {e.family for e in entries(SHAPE, registry.names())} == set(registry.names())


def test_an_entrys_own_recipe_travels_with_its_parameters() -> None:
    own = next(e for e in entries(SHAPE, ["linear"]) if "recipe" in e.params)

    assert without_recipe(own.params) == (registry.get("linear").defaults(SHAPE), {"pairs": 10, "crosses": 5})
    assert without_recipe({"strength": 1.0}) == ({"strength": 1.0}, None)
