"""A few words among numbers, or a few numbers among words."""

from automl_assets.quality.rules._base import ColumnFacts, Rule, Violation, examples_of, rows_where

NUMBER = r"^\s*[+-]?(([0-9]{1,3}(,[0-9]{3})+|[0-9]+)\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
MOSTLY = 0.9


class MixedTypes(Rule):
    """A text column of which 90% reads as numbers: the other cells are invalid."""

    component = "validity"

    @classmethod
    def check(cls, facts: ColumnFacts) -> Violation | None:
        import pyarrow.compute as pc

        if facts.values is None or not facts.filled:
            return None
        numeric = pc.match_substring_regex(facts.values, NUMBER)
        regular = rows_where(facts, numeric)
        odd = facts.filled - regular
        if not odd or regular < MOSTLY * facts.filled:
            return None
        return Violation(
            odd, "warning", "They stand among numbers.", examples_of(facts.values.filter(pc.invert(numeric)))
        )
