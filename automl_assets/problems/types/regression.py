"""A number."""

from automl_assets.problems.types._base import MOST_WHOLE_NUMBERS, ProblemType, TargetFacts


class Regression(ProblemType):
    """A target with fractions, or with more than 20 different whole numbers."""

    order = 30
    default_metric = "rmse"
    strata = "quantile"

    @classmethod
    def why_not(cls, target: TargetFacts) -> str | None:
        return None if target.type in ("integer", "number") else f"its values are {target.type}, not numbers"

    @classmethod
    def is_natural(cls, target: TargetFacts) -> bool:
        return target.fractional or target.distinct > MOST_WHOLE_NUMBERS
