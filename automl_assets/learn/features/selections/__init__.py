"""How features are judged. A new way is one new file here: a public class derived from `Selection`."""

from automl_assets.core.registry import Registry
from automl_assets.learn.features.selections._base import Kept, Selection

registry: Registry[Selection] = Registry("automl_assets.learn.features.selections", Selection, "feature selection")

__all__ = ["Kept", "Selection", "registry"]
