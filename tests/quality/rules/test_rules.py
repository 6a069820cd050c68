"""Each rule's tables: one that breaks it, by how many cells, and one that keeps it."""

import pytest

from automl_assets.quality.rules import registry
from tests.quality.tables import facts

INF = float("inf")
NUMBERS = [str(n) for n in range(9)]
CODES = [f"E{n}" for n in range(10, 28)]

BROKEN = [
    ("missing_values", facts([1, None, 3, 4]), 1, "info", ()),
    ("missing_values", facts([1, None, None, 4]), 2, "warning", ()),
    ("infinite_values", facts([1.0, INF, -INF]), 2, "warning", ()),
    ("constant_column", facts(["a", "a"], role="constant"), 2, "info", ()),
    ("constant_column", facts([None, None], role="constant"), 2, "warning", ()),
    ("placeholder_text", facts(["a", "NULL", " ? ", "?"]), 3, "warning", ("NULL", " ? ", "?")),
    ("white_space", facts(["a", " b", "c ", " b"]), 3, "info", ()),
    ("mixed_types", facts([*NUMBERS, "unknown"]), 1, "warning", ("unknown",)),
    ("mixed_types", facts([*NUMBERS, *NUMBERS, "-1.5e3", "1,000", "x"]), 1, "warning", ("x",)),
    ("case_variants", facts(["red", "red", "Red", "RED"]), 2, "warning", ("red / Red / RED",)),
    ("case_variants", facts(["New York", "New  York", "New York"]), 1, "warning", ("New York / New  York",)),
]
KEPT = [
    ("missing_values", facts([1, 2])),
    ("infinite_values", facts([1.0, 1e300, None])),
    ("infinite_values", facts(["inf"])),
    ("constant_column", facts(["a", "b"])),
    ("constant_column", facts(["a", None])),
    ("placeholder_text", facts(["a", "none of them", "nulls"])),
    ("white_space", facts(["a b", "c"])),
    ("mixed_types", facts(NUMBERS)),
    ("mixed_types", facts([*NUMBERS[:8], "x", "y"])),
    ("mixed_types", facts(["red", "blue", "1"])),
    ("mixed_types", facts([*CODES, "I10", "J45"])),
    ("case_variants", facts(["red", "blue"])),
    ("case_variants", facts([" red", "red"])),
    ("case_variants", facts(["Red", "red"], role="text")),
]


@pytest.mark.parametrize(("rule", "column", "count", "severity", "examples"), BROKEN)
def test_a_rule_counts_the_cells_that_break_it(rule: str, column, count: int, severity: str, examples: tuple) -> None:
    found = registry.get(rule).check(column)
    assert found is not None
    assert (found.count, found.severity) == (count, severity)
    assert found.examples == examples


@pytest.mark.parametrize(("rule", "column"), KEPT)
def test_a_rule_is_content_with_what_keeps_it(rule: str, column) -> None:
    assert registry.get(rule).check(column) is None


def test_every_rule_has_a_table_that_breaks_it_and_one_that_keeps_it() -> None:
    assert {rule for rule, *_ in BROKEN} == {rule for rule, _ in KEPT} == set(registry.names())
