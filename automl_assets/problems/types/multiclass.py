"""One of several classes."""

from automl_assets.problems.types._base import MOST_WHOLE_NUMBERS, ProblemType, TargetFacts

MOST_CLASSES = 1_000


class Multiclass(ProblemType):
    """Three classes or more: words, or at most 20 whole numbers."""

    order = 20
    default_metric = "log_loss"
    strata = "class"

    @classmethod
    def why_not(cls, target: TargetFacts) -> str | None:
        if target.distinct < 3:
            return f"it has {target.distinct} classes of two rows or more"
        if target.distinct > MOST_CLASSES:
            return f"it has more than {MOST_CLASSES:,} different values, like an identifier"
        return None

    @classmethod
    def is_natural(cls, target: TargetFacts) -> bool:
        if target.type in ("text", "boolean"):
            return True
        return not target.fractional and target.distinct <= MOST_WHOLE_NUMBERS and target.type != "datetime"

    @classmethod
    def classes(cls, target: TargetFacts) -> tuple[str, ...]:
        if target.type in ("integer", "number"):
            return tuple(sorted(target.labels, key=float))
        return tuple(sorted(target.labels))
