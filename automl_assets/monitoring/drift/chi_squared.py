"""Categories: Pearson's chi-squared test as Evidently defines it, with the reference as the truth."""

from automl_assets.core.label_sketches import CategorySketch
from automl_assets.core.sketches import Sketch
from automl_assets.monitoring.drift._base import DriftTest, Measured


class ChiSquared(DriftTest):
    """Cohen's w (1988), the root of the statistic by row, and the statistic's p-value.

    It describes only: it takes the reference's shares as exact, and one label that the reference lacks makes p 0.
    """

    roles = ("categorical",)
    decides = False
    evidently_method = "chisquare"

    @classmethod
    def measure(cls, reference: Sketch, current: Sketch) -> Measured:
        import numpy as np
        from scipy.stats import chi2

        assert isinstance(reference, CategorySketch)
        assert isinstance(current, CategorySketch)
        either = (reference.cells > 0) | (current.cells > 0)
        observed, rows = current.cells[either], current.known
        expected = reference.cells[either] * (rows / reference.known)
        if (expected == 0).any():
            return Measured(1.0, 0.0)
        statistic = float((np.square(observed - expected) / expected).sum())
        p = float(chi2.sf(statistic, len(observed) - 1)) if len(observed) > 1 else 1.0
        return Measured(min(1.0, (statistic / rows) ** 0.5), p)
