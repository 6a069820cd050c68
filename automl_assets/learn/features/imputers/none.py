"""Nothing: missing stays missing."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from automl_assets.learn.features.imputers._base import Imputer

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Unimputed(Imputer):
    """Missing in the view ``codes``; in the view ``dense`` 0 after scaling, so that it moves no linear model."""

    leaves_missing: ClassVar[bool] = True

    @classmethod
    def fit(cls, values: "np.ndarray", seed: int) -> Self:
        return cls()

    def fill(self, values: "np.ndarray") -> "np.ndarray":
        return values
