"""From typed columns to a matrix, learnt on training rows and replayed the same everywhere."""

from automl_assets.learn.features.cells import Rows
from automl_assets.learn.features.encoder import Encoder
from automl_assets.learn.features.recipe import Recipe, View

__all__ = ["Encoder", "Recipe", "Rows", "View"]
