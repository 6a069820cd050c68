"""Categories: the total variation distance, with the chi-squared test's p-value."""

from typing import TYPE_CHECKING

from automl_assets.learn.split import label_texts
from automl_assets.monitoring.drift._base import DriftTest

if TYPE_CHECKING:
    import pyarrow as pa


class TotalVariation(DriftTest):
    """Half the sum of the absolute differences of the category shares: the share of rows that would have to change.

    Evidently's own p-value for it is a permutation test of 100 rounds, 10 s a column at 20,000 rows and too coarse to
    correct for many features; the chi-squared test on the same counts serves instead (docs/decisions/0006).
    """

    roles = ("categorical",)
    evidently_method = "chisquare"
    least_effect = 0.1

    @classmethod
    def effect(cls, reference: "pa.ChunkedArray", current: "pa.ChunkedArray") -> float:
        from collections import Counter

        a, b = Counter(label_texts(reference).tolist()), Counter(label_texts(current).tolist())
        total_a, total_b = a.total(), b.total()
        return 0.5 * sum(abs(a[label] / total_a - b[label] / total_b) for label in {*a, *b})
