"""Numbers: the first Wasserstein distance, in standard deviations of the reference."""

from automl_assets.core.sketches import NumericSketch, Sketch
from automl_assets.monitoring.drift._base import DriftTest, Measured

LEAST_DEVIATION = 0.001


class Wasserstein(DriftTest):
    """The area between the two cumulative distributions over the reference's deviation, as Evidently divides it.

    From sketches: even within cells, and never less than the distance of the means, which it can't undercut.
    """

    roles = ("numeric",)
    decides = False
    evidently_method = "wasserstein"
    evidently_gives = "effect"

    @classmethod
    def measure(cls, reference: Sketch, current: Sketch) -> Measured:
        import numpy as np

        assert isinstance(reference, NumericSketch)
        assert isinstance(current, NumericSketch)
        a, b = reference.moments, current.moments
        ends = [min(a.minimum, b.minimum), max(a.maximum, b.maximum)]
        x = np.concatenate([ends[:1], np.repeat(reference.edges, 2), ends[1:]])
        gap = np.cumsum(reference.cells) / reference.known - np.cumsum(current.cells) / current.known
        gap = np.abs(np.concatenate([[0.0], gap]))
        with np.errstate(over="ignore", invalid="ignore"):
            area = float((np.diff(x) * (gap[:-1] + gap[1:]) / 2).sum())
            distance = max(area, abs(a.mean - b.mean)) / max(a.deviation, LEAST_DEVIATION)
        return (
            Measured(float(distance)) if np.isfinite(distance) else Measured(None, reason="the numbers are too large")
        )
