"""Recipes by name. A new one is one new file here: a public class derived from `Configuration`."""

from automl_assets.core.registry import Registry
from automl_assets.learn.features.configurations._base import Configuration

registry: Registry[Configuration] = Registry(
    "automl_assets.learn.features.configurations", Configuration, "features configuration"
)

__all__ = ["Configuration", "registry"]
