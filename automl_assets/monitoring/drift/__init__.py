"""Drift tests. A new one is one new file here: a public class derived from `DriftTest`."""

from automl_assets.core.registry import Registry
from automl_assets.monitoring.drift._base import DriftTest, Measured

registry: Registry[DriftTest] = Registry("automl_assets.monitoring.drift", DriftTest, "drift test")


def tests_for(role: str) -> dict[str, type[DriftTest]]:
    """The tests that compare columns of a role, by name."""
    return {name: test for name, test in registry.all().items() if role in test.roles}


__all__ = ["DriftTest", "Measured", "registry", "tests_for"]
