"""For tables with outliers."""

from typing import ClassVar

from automl_assets.learn.features.configurations._base import Configuration
from automl_assets.learn.features.recipe import Recipe


class Robust(Configuration):
    """For numbers with outliers and errors of measurement: medians and quartiles, what lies far out bent towards them.

    Holzmüller, Grinsztajn & Steinwart 2024 found this scaling the best of several for networks on tables.
    """

    recipe: ClassVar[Recipe] = Recipe(scaler="robust_smooth", imputer="median", indicators=True)
