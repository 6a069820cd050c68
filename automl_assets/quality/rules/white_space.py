"""Spaces that don't belong."""

from automl_assets.quality.rules._base import ColumnFacts, Rule, Violation, rows_where


class WhiteSpace(Rule):
    """Leading and trailing spaces make two values of one; the cleaning plan trims them."""

    component = "consistency"

    @classmethod
    def check(cls, facts: ColumnFacts) -> Violation | None:
        import pyarrow.compute as pc

        if facts.values is None:
            return None
        count = rows_where(facts, pc.not_equal(pc.utf8_trim_whitespace(facts.values), facts.values))
        return Violation(count, "info", "They have spaces around them.") if count else None
