"""Words that stand for a missing value."""

from automl_assets.quality.rules._base import ColumnFacts, Rule, Violation, examples_of, rows_where

LITERALS = (
    "NA",
    "N/A",
    "n/a",
    "NaN",
    "nan",
    "NULL",
    "Null",
    "null",
    "#N/A",
    "#NA",
    "\\N",
    "?",
    "nil",
    "#REF!",
    "#VALUE!",
)


class PlaceholderText(Rule):
    """Text cells such as NULL, ? or #N/A say nothing; the cleaning plan makes them missing."""

    component = "validity"

    @classmethod
    def check(cls, facts: ColumnFacts) -> Violation | None:
        import pyarrow as pa
        import pyarrow.compute as pc

        if facts.values is None:
            return None
        found = pc.is_in(pc.utf8_trim_whitespace(facts.values), pa.array(LITERALS))
        count = rows_where(facts, found)
        if not count:
            return None
        return Violation(count, "warning", "They stand for missing values.", examples_of(facts.values.filter(found)))
