"""Nearest neighbours (Cover & Hart 1967), weighted by distance: small tables only, sharp where rows repeat."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from automl_assets.learn.families._base import Family, FitData, FitLimits, Params, Shape, Suggest
from automl_assets.learn.features.columns import View

if TYPE_CHECKING:
    import numpy as np

FILE = "rows.npz"
MOST_ROWS, MOST_FEATURES = 20_000, 200
CHUNK_CELLS = 4_000_000
LEAST_DISTANCE = 1e-6
TINY = 1e-12


class Neighbours(Family):
    """The training rows themselves; an answer is the weighted mean of those of the nearest ones."""

    view: ClassVar[View] = "dense"
    order = 70
    packages = ("numpy",)

    def __init__(self, X: "np.ndarray", y: "np.ndarray", weight: "np.ndarray", params: Params, classes: int):
        self._X = X
        self._y = y
        self._weight = weight
        self._params = params
        self._classes = classes
        self._squares = (X.astype(float) ** 2).sum(axis=1)

    @classmethod
    def refuses(cls, shape: Shape) -> str | None:
        if shape.rows > MOST_ROWS or shape.features > MOST_FEATURES:
            return f"it compares with every row; it takes at most {MOST_ROWS:,} rows and {MOST_FEATURES} features"
        return None

    @classmethod
    def defaults(cls, shape: Shape) -> Params:
        return {"neighbours": 20, "sharpness": 1.0}

    @classmethod
    def space(cls, suggest: Suggest, shape: Shape) -> Params:
        """`sharpness` is the power of the inverse distance that a neighbour's say falls with."""
        return {
            "neighbours": suggest.suggest_int("neighbours", 1, 100, log=True),
            "sharpness": suggest.suggest_float("sharpness", 0.0, 3.0),
        }

    @classmethod
    def work(cls, params: Params, shape: Shape) -> float:
        return 0.25 * float(shape.rows) ** 2 * (shape.features + 20)

    @classmethod
    def fit(cls, params: Params, data: FitData, shape: Shape, limits: FitLimits) -> Self:
        import numpy as np

        weight = np.ones(len(data.X)) if data.weight is None else data.weight
        return cls(data.X.astype(np.float32), data.y, weight.astype(np.float32), params, shape.classes)

    def predict(self, X: "np.ndarray", *, threads: int = 1) -> "np.ndarray":
        import numpy as np

        chunk = max(1, CHUNK_CELLS // max(1, len(self._X)))
        parts = [self._answers(X[start : start + chunk]) for start in range(0, len(X), chunk)]
        return np.concatenate(parts) if parts else np.empty((0, self._classes) if self._classes else 0)

    def _answers(self, X: "np.ndarray") -> "np.ndarray":
        import numpy as np

        count = min(int(self._params["neighbours"]), len(self._X))
        apart = (X.astype(float) ** 2).sum(axis=1)[:, None] + self._squares - 2 * (X @ self._X.T)
        farthest = np.partition(apart, count - 1, axis=1)[:, count - 1]
        asked, near = np.nonzero(apart <= farthest[:, None])  # as near as the last counts too
        distance = np.sqrt(np.maximum(apart[asked, near], 0))
        say = self._weight[near] / np.maximum(distance, LEAST_DISTANCE) ** self._params["sharpness"]
        total = np.bincount(asked, say, minlength=len(X))
        if not self._classes:
            return np.bincount(asked, say * self._y[near], minlength=len(X)) / np.maximum(total, TINY)
        cells = asked * self._classes + self._y[near].astype(int)
        shares = np.bincount(cells, say, minlength=len(X) * self._classes).reshape(len(X), self._classes)
        return (shares + TINY) / (total + self._classes * TINY)[:, None]

    def save(self, folder: Path) -> None:
        import numpy as np

        params = np.array([self._params["neighbours"], self._params["sharpness"], self._classes], dtype=float)
        np.savez_compressed(folder / FILE, X=self._X, y=self._y, weight=self._weight, params=params)

    @classmethod
    def load(cls, folder: Path) -> Self:
        import numpy as np

        with np.load(folder / FILE, allow_pickle=False) as file:
            count, sharpness, classes = file["params"]
            params = {"neighbours": int(count), "sharpness": float(sharpness)}
            return cls(file["X"], file["y"], file["weight"], params, int(classes))
