"""What a scaler is: numbers in, numbers of about the same size out, column by column."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from automl_assets.learn.features._stored import Stored

if TYPE_CHECKING:
    import numpy as np

Floats = float | tuple[float, ...]


@dataclass(frozen=True)
class Scaler(Stored, ABC):
    """Learnt from float64 (rows, columns) without missing values; the columns do not know of each other."""

    @classmethod
    @abstractmethod
    def fit(cls, values: "np.ndarray") -> Self:
        """Learn from the training rows."""

    @classmethod
    @abstractmethod
    def joined(cls, scalers: Sequence[Any]) -> Self:
        """One for all their columns side by side."""

    @abstractmethod
    def apply(self, values: "np.ndarray") -> "np.ndarray":
        """The scaled values, finite, of the same shape."""


def one_or_many(values: "np.ndarray") -> Floats:
    """A float for one column, a tuple for several."""
    found = tuple(float(value) for value in values)
    return found[0] if len(found) == 1 else found


def side_by_side(values: Sequence[Any]) -> Floats:
    """Several `one_or_many` as one."""
    found = tuple(v for value in values for v in (value if isinstance(value, tuple) else (value,)))
    return found[0] if len(found) == 1 else found
