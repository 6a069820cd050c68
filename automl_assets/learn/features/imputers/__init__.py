"""What stands for a missing number. A new way is one new file here: a public class derived from `Imputer`."""

from automl_assets.core.registry import Registry
from automl_assets.learn.features.imputers._base import Imputer

registry: Registry[Imputer] = Registry("automl_assets.learn.features.imputers", Imputer, "imputer")

__all__ = ["Imputer", "registry"]
