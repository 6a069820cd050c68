"""The mean."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from automl_assets.learn.features.imputers._constant import Constant

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Mean(Constant):
    """The mean of the known values in training, 0 without any."""

    @classmethod
    def fit(cls, values: "np.ndarray", seed: int) -> Self:
        import numpy as np

        known = [column[~np.isnan(column)] for column in values.T]
        return cls(tuple(float(column.mean()) if len(column) else 0.0 for column in known))
