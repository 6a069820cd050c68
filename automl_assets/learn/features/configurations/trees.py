"""For tree models."""

from typing import ClassVar

from automl_assets.learn.features.configurations._base import Configuration
from automl_assets.learn.features.recipe import Recipe


class Trees(Configuration):
    """Few and plain columns for tree models: numbers as they are, missing stays missing, a category is its rank.

    Beside `auto`, categories of more than 64 kinds get no target encoding and texts no topics: what is left is quick to
    encode and easy to read in an explanation. Of little use to linear models: name tree families too.
    """

    recipe: ClassVar[Recipe] = Recipe(
        scaler="none", encoder="ordinal", imputer="none", indicators=False, dates="parts", text="words"
    )
