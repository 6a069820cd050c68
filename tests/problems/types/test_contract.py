"""What every problem type promises, over the registry."""

import pytest

from automl_assets.learn.score import metric_named
from automl_assets.problems.types import ProblemType, TargetFacts, registry

TARGETS = {
    "two words": TargetFacts("y", "text", 10, 0, 0, False, {"a": 6, "b": 4}, 2),
    "three words": TargetFacts("y", "text", 10, 0, 0, False, {"a": 4, "b": 3, "c": 3}, 3),
    "booleans": TargetFacts("y", "boolean", 10, 0, 0, False, {"false": 6, "true": 4}, 2),
    "few whole numbers": TargetFacts("y", "integer", 10, 0, 0, False, {"1": 4, "2": 3, "3": 3}, 3),
    "many whole numbers": TargetFacts("y", "integer", 90, 0, 0, False, {str(i): 3 for i in range(30)}, 30),
    "fractions": TargetFacts("y", "number", 10, 0, 0, True, {"0.5": 5, "1.5": 5}, 2),
}
NATURAL = {
    "two words": "binary",
    "three words": "multiclass",
    "booleans": "binary",
    "few whole numbers": "multiclass",
    "many whole numbers": "regression",
    "fractions": "regression",
}


@pytest.fixture(params=registry.names())
def kind(request: pytest.FixtureRequest) -> type[ProblemType]:
    return registry.get(request.param)


@pytest.mark.parametrize("target", TARGETS)
def test_it_takes_a_target_or_says_why_not(kind: type[ProblemType], target: str) -> None:
    reason = kind.why_not(TARGETS[target])
    assert reason is None or reason.strip()


@pytest.mark.parametrize("target", TARGETS)
def test_its_classes_are_the_targets_labels_or_none(kind: type[ProblemType], target: str) -> None:
    classes = kind.classes(TARGETS[target])
    assert classes == () or sorted(classes) == sorted(TARGETS[target].labels)
    assert (kind.strata == "quantile") == (classes == ())


def test_its_metric_makes_sense_for_it() -> None:
    for name, kind in registry.all().items():
        assert metric_named(kind.default_metric, name).name == kind.default_metric


def test_types_are_asked_in_different_places() -> None:
    orders = [kind.order for kind in registry.all().values()]
    assert len(set(orders)) == len(orders)


@pytest.mark.parametrize(("target", "expected"), NATURAL.items())
def test_exactly_one_type_is_first_to_be_possible_and_natural(target: str, expected: str) -> None:
    facts = TARGETS[target]
    by_order = sorted(registry.all().items(), key=lambda item: item[1].order)
    assert next(name for name, kind in by_order if kind.why_not(facts) is None and kind.is_natural(facts)) == expected


@pytest.mark.parametrize(
    ("labels", "expected"),
    [({"no": 7, "yes": 3}, ("no", "yes")), ({"b": 5, "a": 5}, ("a", "b")), ({"1": 1, "0": 9}, ("0", "1"))],
)
def test_the_rarer_class_is_positive_and_of_equals_the_later_name(labels: dict, expected: tuple) -> None:
    facts = TargetFacts("y", "text", 10, 0, 0, False, labels, 2)
    assert registry.get("binary").classes(facts) == expected
