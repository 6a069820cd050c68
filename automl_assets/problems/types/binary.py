"""One of two classes."""

from automl_assets.problems.types._base import MOST_WHOLE_NUMBERS, ProblemType, TargetFacts


class Binary(ProblemType):
    """Two classes; the rarer is positive unless someone says otherwise."""

    order = 10
    default_metric = "roc_auc"
    strata = "class"

    @classmethod
    def why_not(cls, target: TargetFacts) -> str | None:
        if target.distinct < 2:
            return "fewer than two classes have two rows or more"
        return None if target.distinct == 2 else f"it has {target.distinct:,} classes"

    @classmethod
    def is_natural(cls, target: TargetFacts) -> bool:
        if target.type in ("text", "boolean"):
            return True
        return not target.fractional and target.distinct <= MOST_WHOLE_NUMBERS

    @classmethod
    def classes(cls, target: TargetFacts) -> tuple[str, ...]:
        return tuple(sorted(target.labels, key=lambda label: (-target.labels[label], label)))
