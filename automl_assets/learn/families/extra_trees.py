"""Extremely randomised trees (Geurts, Ernst & Wehenkel 2006): fast, hard to overfit, and unlike boosting."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from automl_assets.learn.families._base import Family, FitData, FitLimits, Params, Shape, Suggest, all_classes
from automl_assets.learn.families._skops import load_estimator, save_estimator

if TYPE_CHECKING:
    import numpy as np

STEP = 25
MOST_TREES = 100
MOST_LEAVES = 1_000


class ExtraTrees(Family):
    """A forest of extra trees, grown in steps of 25 until it has 100 or time is up."""

    order = 40
    packages = ("sklearn.ensemble", "skops.io")

    def __init__(self, estimator: Any, classes: int):
        self._estimator = estimator
        self._classes = classes

    @classmethod
    def defaults(cls, shape: Shape) -> Params:
        return {"min_samples_leaf": 2 if shape.is_regression else 3, "max_features": 0.5}

    @classmethod
    def space(cls, suggest: Suggest, shape: Shape) -> Params:
        return {
            "min_samples_leaf": suggest.suggest_int("min_samples_leaf", 1, 50, log=True),
            "max_features": suggest.suggest_float("max_features", 0.1, 1.0),
        }

    @classmethod
    def fit(cls, params: Params, data: FitData, shape: Shape, limits: FitLimits) -> Self:
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

        kind = ExtraTreesRegressor if shape.is_regression else ExtraTreesClassifier
        estimator = kind(
            **params,
            n_estimators=STEP,
            max_leaf_nodes=MOST_LEAVES,
            warm_start=True,
            n_jobs=limits.threads,
            random_state=limits.seed,
        )
        while True:
            estimator.fit(data.X, data.y, sample_weight=data.weight)
            if estimator.n_estimators >= MOST_TREES or limits.time_is_up():
                return cls(estimator, shape.classes)
            estimator.n_estimators += STEP

    def predict(self, X: "np.ndarray", *, threads: int = 1) -> "np.ndarray":
        self._estimator.n_jobs = threads
        if not self._classes:
            return self._estimator.predict(X)
        return all_classes(self._estimator.predict_proba(X), self._estimator.classes_, self._classes)

    def save(self, folder: Path) -> None:
        save_estimator(self._estimator, folder)
        (folder / "classes.txt").write_text(str(self._classes))

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(load_estimator(folder), int((folder / "classes.txt").read_text()))
