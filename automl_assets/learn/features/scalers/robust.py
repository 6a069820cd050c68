"""Median and interquartile range."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from automl_assets.learn.features.scalers._affine import Affine, usable
from automl_assets.learn.features.scalers._base import one_or_many

if TYPE_CHECKING:
    import numpy as np

NORMAL_IQR = 1.349


@dataclass(frozen=True)
class Robust(Affine):
    """Median 0 and, were the column normal, standard deviation 1: the interquartile range over 1.349.

    Where half the values are equal the standard deviation stands in for the range, 1 for a constant.
    """

    @classmethod
    def fit(cls, values: "np.ndarray") -> Self:
        import numpy as np

        if not len(values):
            return cls(one_or_many(np.zeros(values.shape[1])), one_or_many(np.ones(values.shape[1])))
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
        with np.errstate(over="ignore", invalid="ignore"):
            spread = usable((high - low) / NORMAL_IQR, usable(np.std(values, axis=0)))
        return cls(one_or_many(middle), one_or_many(spread))
