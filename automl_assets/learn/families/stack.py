"""A stack layer: LightGBM over the features and over what other members predict (Wolpert 1992)."""

from typing import TYPE_CHECKING, Self

from automl_assets.learn.families._base import FitData, FitLimits, Params, Shape, Suggest
from automl_assets.learn.families.lightgbm import LightGBM

if TYPE_CHECKING:
    import numpy as np

INPUTS = "inputs"


class Stack(LightGBM):
    """A small booster whose matrix has the members' predictions as its last columns. A search adds it by itself.

    Its parameter ``inputs`` names the members; without it, it sees the features alone.
    """

    order = 90
    by_default = False
    stacks = True

    @property
    def width(self) -> int:
        """How many columns its matrix has, the members' predictions included."""
        return self._booster.num_feature()

    @classmethod
    def defaults(cls, shape: Shape) -> Params:
        return {
            **LightGBM.defaults(shape),
            "learning_rate": 0.04,
            "num_leaves": 12,
            "min_data_in_leaf": 30 if shape.rows >= 1_000 else 10,
            "feature_fraction": 0.6,
            "lambda_l2": 5.0,
        }

    @classmethod
    def space(cls, suggest: Suggest, shape: Shape) -> Params:
        return LightGBM.space(suggest, shape)

    @classmethod
    def fit(cls, params: Params, data: FitData, shape: Shape, limits: FitLimits) -> Self:
        return super().fit({name: value for name, value in params.items() if name != INPUTS}, data, shape, limits)


def with_predictions(matrix: "np.ndarray", predictions: "list[np.ndarray]") -> "np.ndarray":
    """Encoded rows with the members' predictions beside them, float32: one column of two classes, all of several.

    Args:
        predictions: each member's, in the order of ``inputs``: (rows, classes), or (rows,) for numbers.
    """
    import numpy as np

    columns = [p[:, 1:] if p.ndim == 2 and p.shape[1] == 2 else p.reshape(len(p), -1) for p in predictions]
    return np.hstack([matrix, *columns]).astype(np.float32, copy=False)
