"""Cells without a value."""

from automl_assets.quality.rules._base import ColumnFacts, Rule, Violation

MANY = 0.35


class MissingValues(Rule):
    """Every missing cell counts; a column that misses more than 35% is a warning."""

    component = "completeness"

    @classmethod
    def check(cls, facts: ColumnFacts) -> Violation | None:
        if not facts.missing:
            return None
        share = facts.missing / len(facts.column)
        advice = f"{share:.1%} missing." + (" Find out why, or exclude the column." if share > MANY else "")
        return Violation(facts.missing, "warning" if share > MANY else "info", advice)
