"""Cleaning operations. A new one is one new file here: a public class derived from `Operation`."""

from automl_assets.cleaning.operations._base import About, Accepted, Operation, Rejected
from automl_assets.core.registry import Registry

registry: Registry[Operation] = Registry("automl_assets.cleaning.operations", Operation, "cleaning operation")

__all__ = ["About", "Accepted", "Operation", "Rejected", "registry"]
