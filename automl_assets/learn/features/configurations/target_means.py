"""For categories of very many kinds."""

from typing import ClassVar

from automl_assets.learn.features.configurations._base import Configuration
from automl_assets.learn.features.recipe import Recipe


class TargetMeans(Configuration):
    """For categories of very many kinds, such as postcodes: each is the shrunk, cross-fitted mean of its target."""

    recipe: ClassVar[Recipe] = Recipe(encoder="target")
