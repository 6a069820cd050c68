"""For linear models, neighbours and networks."""

from typing import ClassVar

from automl_assets.learn.features.configurations._base import Configuration
from automl_assets.learn.features.recipe import Recipe


class Linear(Configuration):
    """What linear models, neighbours and networks read best: filled, normal-shaped numbers and a column a category.

    Each number's quantiles are mapped to a normal distribution, so that neither skew nor outliers decide; where one was
    missing, a column says so; dates stand on circles.
    """

    recipe: ClassVar[Recipe] = Recipe(
        scaler="quantile", encoder="one_hot", imputer="median", indicators=True, dates="cycles"
    )
