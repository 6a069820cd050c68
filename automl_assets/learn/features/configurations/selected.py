"""For tables with many columns."""

from typing import ClassVar

from automl_assets.learn.features.configurations._base import Configuration
from automl_assets.learn.features.recipe import Recipe


class Selected(Configuration):
    """For many columns of which few matter: the half of the features that tell most about the target.

    Judged by mutual information on the training rows of each fold; state `selection_count` or `selection_share` beside
    it for another size.
    """

    recipe: ClassVar[Recipe] = Recipe(selection="mutual_information", selection_share=0.5)
