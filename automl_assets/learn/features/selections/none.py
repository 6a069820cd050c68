"""All of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from automl_assets.learn.features.selections._base import Selection
from automl_assets.learn.features.target import FitContext

if TYPE_CHECKING:
    import numpy as np


class Everything(Selection):
    """Keeps every feature, constant ones too."""

    selects: ClassVar[bool] = False

    @classmethod
    def scores(cls, matrix: "np.ndarray", categorical: Sequence[int], context: FitContext) -> "np.ndarray":
        import numpy as np

        return np.ones(matrix.shape[1])
