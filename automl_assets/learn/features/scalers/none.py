"""Numbers as they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from automl_assets.learn.features.scalers._base import Scaler

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Unscaled(Scaler):
    """The values themselves."""

    @classmethod
    def fit(cls, values: "np.ndarray") -> Self:
        return cls()

    @classmethod
    def joined(cls, scalers: Sequence[Any]) -> Self:
        return cls()

    def apply(self, values: "np.ndarray") -> "np.ndarray":
        return values
