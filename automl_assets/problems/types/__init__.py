"""Problem types. A new one is one new file here: a public class derived from `ProblemType`."""

from automl_assets.core.registry import Registry
from automl_assets.problems.types._base import ProblemType, TargetFacts

registry: Registry[ProblemType] = Registry("automl_assets.problems.types", ProblemType, "problem kind")

__all__ = ["ProblemType", "TargetFacts", "registry"]
