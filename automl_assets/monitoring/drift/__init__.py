"""Drift tests. A new one is one new file here: a public class derived from `DriftTest`."""

from automl_assets.core.registry import Registry
from automl_assets.monitoring.drift._base import DriftTest

registry: Registry[DriftTest] = Registry("automl_assets.monitoring.drift", DriftTest, "drift test")

__all__ = ["DriftTest", "registry"]
