"""Model families. A new one is one new file here: a public class derived from `Family`."""

from automl_assets.core.registry import Registry
from automl_assets.learn.families._base import (
    Contributions,
    Family,
    FitData,
    FitLimits,
    Params,
    Shape,
    Suggest,
    boosting_trees,
)

registry: Registry[Family] = Registry("automl_assets.learn.families", Family, "model family")

__all__ = [
    "Contributions",
    "Family",
    "FitData",
    "FitLimits",
    "Params",
    "Shape",
    "Suggest",
    "boosting_trees",
    "registry",
]
