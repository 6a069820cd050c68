"""Numbers that are not finite."""

from automl_assets.quality.rules._base import ColumnFacts, Rule, Violation


class InfiniteValues(Rule):
    """Infinities come from divisions by zero and overflows; models treat them as missing."""

    component = "validity"

    @classmethod
    def check(cls, facts: ColumnFacts) -> Violation | None:
        import pyarrow.compute as pc

        if facts.type != "number":
            return None
        count = pc.sum(pc.is_inf(facts.column)).as_py() or 0
        return (
            Violation(count, "warning", "Models treat them as missing; check what divides by zero.") if count else None
        )
