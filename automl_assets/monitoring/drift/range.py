"""Numbers: values outside the range of the reference."""

from automl_assets.core.sketches import NumericSketch, Sketch
from automl_assets.monitoring.drift._base import DriftTest, Measured


class Range(DriftTest):
    """The share of such values. Two samples of one distribution have few: the count is beta-binomial with (2, n - 1).

    That holds for any continuous distribution (Wilks 1941); where values repeat there are fewer.
    """

    roles = ("numeric",)
    aspect = "range"
    least_effect = 0.02

    @classmethod
    def measure(cls, reference: Sketch, current: Sketch) -> Measured:
        import numpy as np
        from scipy.stats import betabinom

        assert isinstance(reference, NumericSketch)
        assert isinstance(current, NumericSketch)
        inside = np.flatnonzero(reference.cells)
        outside = int(current.cells[: inside[0]].sum() + current.cells[inside[-1] + 1 :].sum())
        p = float(betabinom.sf(outside - 1, current.known, 2, max(1, reference.known - 1))) if outside else 1.0
        return Measured(outside / current.known, p)
