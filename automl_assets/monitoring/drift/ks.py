"""Numbers: the two-sample Kolmogorov–Smirnov test."""

from typing import TYPE_CHECKING

from automl_assets.core.sketches import NumericSketch, Sketch
from automl_assets.monitoring.drift._base import DriftTest, Measured

if TYPE_CHECKING:
    import numpy as np

EXACT_SIZE = 100_000


class KolmogorovSmirnov(DriftTest):
    """The largest distance between the two cumulative distributions. A shift of 0.3 standard deviations gives 0.12.

    Seen at both sides of every edge of the reference's sketch, so at most a cell's share below the exact statistic.
    The p-value is SciPy's asymptotic one (Hodges 1958), too large where values repeat. What matters starts at 0.2
    standard deviations.
    """

    roles = ("numeric",)
    least_effect = 0.08
    evidently_method = "ks"

    @classmethod
    def measure(cls, reference: Sketch, current: Sketch) -> Measured:
        assert isinstance(reference, NumericSketch)
        assert isinstance(current, NumericSketch)
        return kolmogorov_smirnov(reference.cells, current.cells)


def kolmogorov_smirnov(a: "np.ndarray", b: "np.ndarray") -> Measured:
    """The test on counts by ordered cell."""
    import numpy as np
    from scipy.special import kolmogorov
    from scipy.stats import kstwo

    n, m = int(a.sum()), int(b.sum())
    effect = float(np.abs(np.cumsum(a) / n - np.cumsum(b) / m).max())
    size = n * m / (n + m)
    p = kstwo.sf(effect, round(size)) if size < EXACT_SIZE else kolmogorov(np.sqrt(size) * effect)
    return Measured(effect, float(np.clip(p, 0.0, 1.0)))
