"""All features: the share of missing values."""

from automl_assets.core.sketches import Sketch
from automl_assets.monitoring.drift._base import DriftTest, Measured


class MissingRate(DriftTest):
    """The difference of the shares, with the two-proportion z-test."""

    roles = ("numeric", "categorical", "datetime", "text")
    aspect = "missing"
    least_effect = 0.05

    @classmethod
    def compared(cls, sketch: Sketch) -> int:
        return sketch.rows

    @classmethod
    def measure(cls, reference: Sketch, current: Sketch) -> Measured:
        import math

        n, m = reference.rows, current.rows
        before, now = reference.missing / n, current.missing / m
        pooled = (reference.missing + current.missing) / (n + m)
        deviation = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        p = math.erfc(abs(now - before) / deviation / math.sqrt(2)) if deviation else 1.0
        return Measured(abs(now - before), p, details={"before": before, "now": now})
