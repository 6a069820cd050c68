"""How a category becomes numbers. A new way is one new file here: a public class derived from `CategoryEncoder`."""

from automl_assets.core.registry import Registry
from automl_assets.learn.features.encoders._base import CategoryEncoder

registry: Registry[CategoryEncoder] = Registry(
    "automl_assets.learn.features.encoders", CategoryEncoder, "category encoder"
)

__all__ = ["CategoryEncoder", "registry"]
