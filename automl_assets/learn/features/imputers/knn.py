"""The mean of similar rows."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

from automl_assets.learn.features._stored import Packed
from automl_assets.learn.features.imputers._base import Imputer, medians, sampled

if TYPE_CHECKING:
    import numpy as np

NEIGHBOURS = 5
CHUNK = 512


@dataclass(frozen=True)
class Knn(Imputer):
    """The mean of the five nearest training rows that have the value (Troyanskaya et al. 2001).

    Distances are Euclidean over the standardised columns that both rows have, scaled up to all columns. The training
    rows are at most 2,000, kept as float32. Without a neighbour, the median.
    """

    rows: Packed
    centre: tuple[float, ...]
    spread: tuple[float, ...]
    otherwise: tuple[float, ...]

    @classmethod
    def fit(cls, values: "np.ndarray", seed: int) -> Self:
        import numpy as np

        otherwise = medians(values)
        known = np.where(np.isnan(values), otherwise, values)
        centre = known.mean(axis=0) if len(known) else otherwise
        with np.errstate(over="ignore", invalid="ignore"):
            spread = known.std(axis=0) if len(known) else np.ones_like(otherwise)
        spread = np.where(np.isfinite(spread) & (spread > 1e-12), spread, 1.0)
        rows = np.clip((sampled(values, seed) - centre) / spread, -1e6, 1e6)
        return cls(Packed.of(rows, "f4"), *(tuple(v.tolist()) for v in (centre, spread, otherwise)))

    @cached_property
    def _neighbours(self) -> "tuple[np.ndarray, np.ndarray]":
        """The training rows with 0 for missing, float64 (columns, rows), and which are known."""
        import numpy as np

        rows = self.rows.array.astype(float).T
        return np.nan_to_num(rows), (~np.isnan(rows)).astype(float)

    def fill(self, values: "np.ndarray") -> "np.ndarray":
        import numpy as np

        filled = np.array(values, dtype=float)
        holes = np.flatnonzero(np.isnan(filled).any(axis=1))
        for start in range(0, len(holes), CHUNK):
            at = holes[start : start + CHUNK]
            filled[at] = self._filled(filled[at])
        return filled

    def _filled(self, values: "np.ndarray") -> "np.ndarray":
        import numpy as np

        centre, spread = np.array(self.centre), np.array(self.spread)
        scaled = np.clip((values - centre) / spread, -1e6, 1e6)
        order = self._nearest(scaled)
        rows, known = self._neighbours
        result = np.where(np.isnan(values), np.array(self.otherwise), values)
        for column in np.flatnonzero(np.isnan(values).any(axis=0)):
            have = known[column] > 0
            for row in np.flatnonzero(np.isnan(values[:, column])):
                near = order[row][have[order[row]]][:NEIGHBOURS]
                if len(near):
                    result[row, column] = rows[column, near].mean() * spread[column] + centre[column]
        return result

    def _nearest(self, scaled: "np.ndarray") -> "np.ndarray":
        """The training rows by distance from each row; those that share no known column are left at the end."""
        import numpy as np

        rows, known = self._neighbours
        mine = (~np.isnan(scaled)).astype(float)
        here = np.nan_to_num(scaled)
        shared = mine @ known
        squares = (here**2) @ known - 2 * here @ rows + mine @ rows**2
        distance = np.where(shared > 0, np.maximum(squares, 0) * scaled.shape[1] / np.maximum(shared, 1), np.inf)
        return np.argsort(np.round(distance, 6), axis=1, kind="stable")
