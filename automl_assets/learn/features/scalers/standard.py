"""Mean and standard deviation."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from automl_assets.learn.features.scalers._affine import Affine, usable
from automl_assets.learn.features.scalers._base import one_or_many

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Standard(Affine):
    """Mean 0 and standard deviation 1 in training; a spread of 1 for a constant."""

    @classmethod
    def fit(cls, values: "np.ndarray") -> Self:
        import numpy as np

        if not len(values):
            return cls(one_or_many(np.zeros(values.shape[1])), one_or_many(np.ones(values.shape[1])))
        with np.errstate(over="ignore", invalid="ignore"):
            spread = usable(np.std(values, axis=0))
        return cls(one_or_many(np.mean(values, axis=0)), one_or_many(spread))
