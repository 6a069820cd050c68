"""Columns that never vary."""

from automl_assets.quality.rules._base import ColumnFacts, Rule, Violation


class ConstantColumn(Rule):
    """A column with one value, or none, teaches nothing; it costs no component."""

    component = None

    @classmethod
    def check(cls, facts: ColumnFacts) -> Violation | None:
        if facts.filled == 0:
            return Violation(len(facts.column), "warning", "The column is empty.")
        if facts.distinct == 1 and not facts.missing:
            return Violation(len(facts.column), "info", "Every row has the same value.")
        return None
