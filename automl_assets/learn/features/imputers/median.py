"""The median."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from automl_assets.learn.features.imputers._base import medians
from automl_assets.learn.features.imputers._constant import Constant

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Median(Constant):
    """The median of the known values in training, 0 without any."""

    @classmethod
    def fit(cls, values: "np.ndarray", seed: int) -> Self:
        return cls(tuple(medians(values).tolist()))
