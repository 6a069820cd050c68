"""What an imputer is: all numeric columns with holes in, without holes out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from automl_assets.learn.features._stored import Stored

if TYPE_CHECKING:
    import numpy as np

MOST_ROWS = 2_000


@dataclass(frozen=True)
class Imputer(Stored, ABC):
    """Learnt from float64 (rows, columns) with NaN where missing; a column may be missing altogether."""

    leaves_missing: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def fit(cls, values: "np.ndarray", seed: int) -> Self:
        """Learn from the training rows."""

    @abstractmethod
    def fill(self, values: "np.ndarray") -> "np.ndarray":
        """A copy without NaN, unless it `leaves_missing`."""


def sampled(values: "np.ndarray", seed: int) -> "np.ndarray":
    """At most 2,000 of the rows, drawn by the seed, in order."""
    import numpy as np

    if len(values) <= MOST_ROWS:
        return values
    return values[np.sort(np.random.default_rng(seed).permutation(len(values))[:MOST_ROWS])]


def medians(values: "np.ndarray") -> "np.ndarray":
    """The median of each column's known values, 0 without any."""
    import numpy as np

    known = [column[~np.isnan(column)] for column in values.T]
    return np.array([np.median(column) if len(column) else 0.0 for column in known])
