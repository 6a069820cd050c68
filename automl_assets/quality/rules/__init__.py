"""Quality rules. A new one is one new file here: a public class derived from `Rule`."""

from automl_assets.core.registry import Registry
from automl_assets.quality.rules._base import ColumnFacts, Rule, Violation

registry: Registry[Rule] = Registry("automl_assets.quality.rules", Rule, "quality rule")

__all__ = ["ColumnFacts", "Rule", "Violation", "registry"]
