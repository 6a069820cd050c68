"""One value a column."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from automl_assets.learn.features.imputers._base import Imputer

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Constant(Imputer):
    """The same value for every missing cell of a column."""

    values: tuple[float, ...]

    @cached_property
    def _row(self) -> "np.ndarray":
        import numpy as np

        return np.array(self.values, dtype=float)

    def fill(self, values: "np.ndarray") -> "np.ndarray":
        import numpy as np

        return np.where(np.isnan(values), self._row, values)
