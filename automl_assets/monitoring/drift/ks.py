"""Numbers: the two-sample Kolmogorov–Smirnov test."""

from typing import TYPE_CHECKING

from automl_assets.learn.split import numbers_of
from automl_assets.monitoring.drift._base import DriftTest

if TYPE_CHECKING:
    import pyarrow as pa


class KolmogorovSmirnov(DriftTest):
    """The largest distance between the two cumulative distributions. A shift of 0.3 standard deviations gives 0.12."""

    roles = ("numeric",)
    evidently_method = "ks"
    least_effect = 0.1

    @classmethod
    def effect(cls, reference: "pa.ChunkedArray", current: "pa.ChunkedArray") -> float:
        import numpy as np

        a, b = np.sort(numbers_of(reference)), np.sort(numbers_of(current))
        both = np.concatenate([a, b])
        below_a = np.searchsorted(a, both, side="right") / len(a)
        below_b = np.searchsorted(b, both, side="right") / len(b)
        return float(np.abs(below_a - below_b).max())
