"""One encoder a kind of column. A new one is one new file here: a public class derived from `ColumnEncoder`.

Two views: ``codes`` for trees (missing stays missing, a category is a code) and ``dense`` for linear models (missing
imputed and indicated, categories one-hot, everything scaled).
"""

from automl_assets.core.registry import Registry
from automl_assets.learn.features.columns._base import ColumnEncoder
from automl_assets.learn.features.recipe import View

registry: Registry[ColumnEncoder] = Registry("automl_assets.learn.features.columns", ColumnEncoder, "column encoder")

from automl_assets.learn.features.columns.categorical import CategoricalEncoder  # noqa: E402 - needs the registry

__all__ = ["CategoricalEncoder", "ColumnEncoder", "View", "registry"]
