"""What every quality rule promises: a new file in `rules/` is held to this without writing a test."""

from typing import get_args

import pyarrow as pa
import pytest

from automl_assets.core.values import Severity
from automl_assets.quality.rules import ColumnFacts, Rule, Violation, registry
from automl_assets.quality.rules._base import MOST_EXAMPLES, Component
from tests.quality.tables import facts

INF = float("inf")
COLUMNS = {
    "no rows": facts([], arrow=pa.string()),
    "no number": facts([], arrow=pa.float64()),
    "empty text": facts([None, None], role="constant", arrow=pa.string()),
    "empty numbers": facts([None, None], role="constant", arrow=pa.float64()),
    "constant": facts(["a"] * 4, role="constant"),
    "clean text": facts(["red", "blue", "green", "red"]),
    "dirty text": facts([" red", "Red", "red", "NULL", "?", None, ""]),
    "numbers as text": facts([*map(str, range(30)), "n/a"]),
    "free text": facts(["some words that nobody wrote twice", "and some more of them"], role="text"),
    "integers": facts([1, 2, None], role="numeric"),
    "numbers": facts([1.5, INF, -INF, None], role="numeric"),
    "booleans": facts([True, False, None]),
    "dates": facts([0, 1, None], role="datetime", arrow=pa.timestamp("us")),
    "ids": facts(["A1", "A2", "A3"], role="id"),
}


@pytest.mark.parametrize("name", registry.names())
@pytest.mark.parametrize("column", COLUMNS)
def test_a_rule_answers_for_every_column_or_leaves_it(name: str, column: str) -> None:
    given: ColumnFacts = COLUMNS[column]
    before = given.column.to_pylist()
    found = registry.get(name).check(given)
    assert given.column.to_pylist() == before
    if found is None:
        return
    assert isinstance(found, Violation)
    assert 0 <= found.count <= len(given.column)
    assert found.count > 0 or not len(given.column)
    assert found.severity in get_args(Severity)
    assert found.advice.endswith(".")
    assert len(found.examples) <= MOST_EXAMPLES
    assert all(isinstance(example, str) and len(example) <= 60 for example in found.examples)


@pytest.mark.parametrize("name", registry.names())
def test_a_rule_names_a_component_or_none_and_says_what_it_looks_for(name: str) -> None:
    rule: type[Rule] = registry.get(name)
    assert rule.component is None or rule.component in get_args(Component)
    assert rule.__doc__ not in (None, Rule.__doc__)


@pytest.mark.parametrize("name", registry.names())
def test_a_rule_finds_something_somewhere_and_is_content_elsewhere(name: str) -> None:
    answers = [registry.get(name).check(column) for column in COLUMNS.values()]
    assert any(answer is not None for answer in answers)
    assert any(answer is None for answer in answers)
