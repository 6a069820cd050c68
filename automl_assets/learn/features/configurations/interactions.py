"""For targets that depend on columns together."""

from typing import ClassVar

from automl_assets.learn.features.configurations._base import Configuration
from automl_assets.learn.features.recipe import Recipe


class Interactions(Configuration):
    """For targets that depend on columns together: arithmetic pairs of numbers and crosses of categories are added.

    Up to ten differences, ratios and products, and five crosses, each only where it tells more about the target than
    both of its columns do.
    """

    recipe: ClassVar[Recipe] = Recipe(pairs=10, crosses=5)
