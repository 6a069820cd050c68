"""How numbers are scaled for linear models. A new way is one new file here: a public class derived from `Scaler`."""

from automl_assets.core.registry import Registry
from automl_assets.learn.features.scalers._base import Scaler

registry: Registry[Scaler] = Registry("automl_assets.learn.features.scalers", Scaler, "scaler")

__all__ = ["Scaler", "registry"]
