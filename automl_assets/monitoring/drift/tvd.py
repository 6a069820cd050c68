"""Categories: the total variation distance, with a chi-squared test of homogeneity."""

from typing import TYPE_CHECKING

from automl_assets.core.label_sketches import CategorySketch
from automl_assets.core.sketches import Sketch
from automl_assets.monitoring.drift._base import DriftTest, Measured

if TYPE_CHECKING:
    import numpy as np

LEAST_EXPECTED = 5.0


class TotalVariation(DriftTest):
    """Half the sum of the absolute differences of the category shares: the share of rows that would have to change.

    Evidently's own p-value for it is a permutation test of 100 rounds, 10 s a column at 20,000 rows and too coarse to
    correct for many features; a chi-squared test on the same counts serves instead (docs/decisions/0006).
    """

    roles = ("categorical",)
    least_effect = 0.1

    @classmethod
    def measure(cls, reference: Sketch, current: Sketch) -> Measured:
        assert isinstance(reference, CategorySketch)
        assert isinstance(current, CategorySketch)
        return total_variation(reference.cells, current.cells)


def total_variation(a: "np.ndarray", b: "np.ndarray") -> Measured:
    """The distance and the two-sample chi-squared test on counts by category; rare categories count as one.

    The distance of two samples of the same is not 0, and with many categories it is large: what chance alone would give
    is taken off in quadrature; `raw` is the distance as it is. The test takes both samples as samples: with the
    reference as the truth, as Evidently has it, a reference no larger than the batch would alarm by its own noise.
    Categories with fewer than five expected rows on a side (Cochran 1954) are put together.
    """
    import numpy as np
    from scipy.stats import chi2

    n, m = float(a.sum()), float(b.sum())
    rare = (a + b) * (min(n, m) / (n + m)) < LEAST_EXPECTED
    observed = np.vstack([np.append(side[~rare], side[rare].sum()) for side in (a, b)]).astype(float)
    observed = observed[:, observed.sum(axis=0) > 0]
    raw = float(0.5 * np.abs(a / n - b / m).sum())
    pooled = (a + b) / (n + m)
    by_chance = 0.5 * np.sqrt(2 / np.pi * pooled * (1 - pooled) * (1 / n + 1 / m)).sum()
    effect = float(np.sqrt(max(0.0, raw**2 - by_chance**2)))
    if observed.shape[1] < 2:
        return Measured(effect, 1.0, details={"raw": raw})
    expected = observed.sum(axis=0) * np.array([[n], [m]]) / (n + m)
    statistic = (np.square(observed - expected) / expected).sum()
    return Measured(effect, float(chi2.sf(statistic, observed.shape[1] - 1)), details={"raw": raw})
