"""Regularised linear models: ridge for numbers, (multinomial) logistic regression for classes."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from automl_assets.learn.families._base import (
    Contributions,
    Family,
    FitData,
    FitLimits,
    Params,
    Shape,
    Suggest,
    all_classes,
    logits_of_all,
)
from automl_assets.learn.features.columns import View

if TYPE_CHECKING:
    import numpy as np

FILE = "model.npz"


class Linear(Family):
    """Coefficients of shape (features, outputs) and intercepts; stored as plain arrays."""

    view: ClassVar[View] = "dense"
    order = 0
    packages = ("sklearn.linear_model",)

    def __init__(self, coefficients: "np.ndarray", intercepts: "np.ndarray", seen: "np.ndarray", classes: int):
        self._coefficients = coefficients
        self._intercepts = intercepts
        self._seen = seen
        self._classes = classes

    @classmethod
    def defaults(cls, shape: Shape) -> Params:
        return {"strength": 1.0 if shape.is_regression else 0.1}

    @classmethod
    def space(cls, suggest: Suggest, shape: Shape) -> Params:
        """`strength` of the L2 penalty: a ridge's alpha; for classes 1 / C."""
        return {"strength": suggest.suggest_float("strength", 1e-3, 1e3, log=True)}

    @classmethod
    def fit(cls, params: Params, data: FitData, shape: Shape, limits: FitLimits) -> Self:
        import warnings

        import numpy as np
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression, Ridge

        if shape.is_regression:
            ridge = Ridge(alpha=params["strength"]).fit(data.X, data.y, sample_weight=data.weight)
            return cls(ridge.coef_.reshape(-1, 1), np.atleast_1d(ridge.intercept_), np.empty(0), 0)
        seen = np.unique(data.y)
        if len(seen) < 2:
            return cls(np.zeros((data.X.shape[1], 1)), np.zeros(1), seen, shape.classes)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = LogisticRegression(C=1 / params["strength"], max_iter=300).fit(
                data.X.astype(np.float64), data.y, sample_weight=data.weight
            )
        return cls(model.coef_.T, model.intercept_, seen, shape.classes)

    def predict(self, X: "np.ndarray", *, threads: int = 1) -> "np.ndarray":
        import numpy as np

        raw = X.astype(np.float64) @ self._coefficients + self._intercepts
        if not self._classes:
            return raw[:, 0]
        if raw.shape[1] == 1:
            raw = np.column_stack([np.zeros(len(raw)), raw[:, 0]]) if len(self._seen) > 1 else raw
        exponents = np.exp(raw - raw.max(axis=1, keepdims=True))
        return all_classes(exponents / exponents.sum(axis=1, keepdims=True), self._seen, self._classes)

    def contributions(self, X: "np.ndarray", background: "np.ndarray", *, threads: int = 1) -> Contributions | None:
        """Each coefficient times the distance from the background's mean: its Shapley values."""
        import numpy as np

        centre = background.astype(np.float64).mean(axis=0)
        coefficients = np.asarray(self._coefficients, dtype=float)
        parts = (X.astype(np.float64) - centre)[:, :, None] * coefficients[None]
        found = Contributions(parts, np.tile(centre @ coefficients + self._intercepts, (len(X), 1)))
        return logits_of_all(found, self._seen, self._classes) if self._classes else found

    def save(self, folder: Path) -> None:
        import numpy as np

        np.savez(
            folder / FILE,
            coefficients=self._coefficients,
            intercepts=self._intercepts,
            seen=self._seen,
            classes=np.array(self._classes),
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        import numpy as np

        with np.load(folder / FILE, allow_pickle=False) as file:
            return cls(file["coefficients"], file["intercepts"], file["seen"], int(file["classes"]))
