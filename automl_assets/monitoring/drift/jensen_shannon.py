"""Numbers and categories: the Jensen–Shannon distance."""

from automl_assets.core.sketches import Sketch
from automl_assets.monitoring.drift._base import DriftTest, Measured
from automl_assets.monitoring.drift._shares import binned, shares


class JensenShannon(DriftTest):
    """The root of the Jensen–Shannon divergence in nats (Lin 1991), at most 0.83; the bins are Evidently's."""

    roles = ("numeric", "categorical")
    decides = False
    evidently_method = "jensenshannon"
    evidently_gives = "effect"

    @classmethod
    def measure(cls, reference: Sketch, current: Sketch) -> Measured:
        import numpy as np
        from scipy.special import rel_entr

        a, b = binned(reference, current)
        p, q = shares(a, fill=False), shares(b, fill=False)
        middle = (p + q) / 2
        return Measured(float(np.sqrt(max(0.0, (rel_entr(p, middle) + rel_entr(q, middle)).sum() / 2))))
