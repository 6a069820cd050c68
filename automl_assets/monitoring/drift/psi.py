"""Numbers and categories: the population stability index, less what chance alone adds to it."""

from typing import TYPE_CHECKING

from automl_assets.core.sketches import Sketch
from automl_assets.monitoring.drift._base import DriftTest, Measured
from automl_assets.monitoring.drift._shares import binned, shares

if TYPE_CHECKING:
    import numpy as np


class PopulationStabilityIndex(DriftTest):
    """Evidently's PSI minus (bins - 1)(1/n + 1/m), its expectation without drift (Yurdakul & Naranjo 2020).

    `raw` is Evidently's own number. It describes only: an outlier stretches equal widths until one bin holds all rows.
    """

    roles = ("numeric", "categorical")
    decides = False
    evidently_method = "psi"
    evidently_gives = "effect"

    @classmethod
    def measure(cls, reference: Sketch, current: Sketch) -> Measured:
        a, b = binned(reference, current)
        raw = stability_index(a, b)
        bias = (len(a) - 1) * (1 / reference.known + 1 / current.known)
        return Measured(max(0.0, raw - bias), details={"raw": raw, "bias": bias})


def stability_index(a: "np.ndarray", b: "np.ndarray") -> float:
    """The sum of (p - q) ln(p / q) over bins, empty ones filled as Evidently fills them."""
    import numpy as np

    p, q = shares(a, fill=True), shares(b, fill=True)
    return float(((p - q) * np.log(p / q)).sum())
