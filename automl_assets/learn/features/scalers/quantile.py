"""Ranks as normal scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from automl_assets.learn.features.scalers._base import Scaler

if TYPE_CHECKING:
    import numpy as np

KNOTS = 200


@dataclass(frozen=True)
class Quantile(Scaler):
    """Each value's normal score by its rank in training (van der Waerden 1952), linear between 200 quantiles.

    Equal quantiles share the mean of their scores. A constant is 0.
    """

    knots: tuple[tuple[float, ...], ...]
    scores: tuple[tuple[float, ...], ...]

    @classmethod
    def fit(cls, values: "np.ndarray") -> Self:
        import numpy as np
        from scipy.special import ndtri

        if not len(values):
            return cls(((0.0,),) * values.shape[1], ((0.0,),) * values.shape[1])
        levels = (np.arange(KNOTS) + 0.5) / KNOTS
        normal = ndtri(levels)
        knots, scores = [], []
        for column in np.quantile(values, levels, axis=0).T:
            distinct, at = np.unique(column, return_inverse=True)
            shared = np.bincount(at, weights=normal) / np.bincount(at)
            knots.append(tuple(distinct.tolist()))
            scores.append(tuple(np.round(shared, 9).tolist()))
        return cls(tuple(knots), tuple(scores))

    @classmethod
    def joined(cls, scalers: Sequence[Any]) -> Self:
        return cls(tuple(k for s in scalers for k in s.knots), tuple(z for s in scalers for z in s.scores))

    def apply(self, values: "np.ndarray") -> "np.ndarray":
        import numpy as np

        columns = zip(values.T, self.knots, self.scores, strict=True)
        return np.stack([np.interp(v, k, z) for v, k, z in columns], axis=1) if self.knots else values
