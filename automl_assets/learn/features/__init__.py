"""From typed columns to a matrix, learnt on training rows and replayed the same everywhere."""

from automl_assets.learn.features.encoder import Encoder, View

__all__ = ["Encoder", "View"]
