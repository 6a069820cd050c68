"""scikit-learn's histogram gradient boosting, for those who name it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from automl_assets.learn.families._base import (
    Family,
    FitData,
    FitLimits,
    Params,
    Shape,
    Suggest,
    all_classes,
    boosting_trees,
    leafwise_work,
)
from automl_assets.learn.families._skops import load_estimator, save_estimator

if TYPE_CHECKING:
    import numpy as np

STEP = 50
MOST_TREES = 2_000
PATIENCE_STEPS = 2


class HistGradientBoosting(Family):
    """A HistGradientBoosting estimator, grown in steps of 50 trees until the validation rows stop improving."""

    order = 30
    by_default = False  # LightGBM's trees, slower, and skops brings 250 MB into every process that stores them
    packages = ("sklearn.ensemble", "skops.io")

    def __init__(self, estimator: Any, classes: int):
        self._estimator = estimator
        self._classes = classes

    @classmethod
    def defaults(cls, shape: Shape) -> Params:
        return {
            "learning_rate": 0.06,
            "max_leaf_nodes": 31,
            "min_samples_leaf": 20 if shape.rows >= 1_000 else 8,
            "l2_regularization": 1e-2,
            "max_features": 0.8,
        }

    @classmethod
    def space(cls, suggest: Suggest, shape: Shape) -> Params:
        return {
            "learning_rate": suggest.suggest_float("learning_rate", 0.02, 0.3, log=True),
            "max_leaf_nodes": suggest.suggest_int("max_leaf_nodes", 4, 128, log=True),
            "min_samples_leaf": suggest.suggest_int("min_samples_leaf", 2, 200, log=True),
            "l2_regularization": suggest.suggest_float("l2_regularization", 1e-4, 30.0, log=True),
            "max_features": suggest.suggest_float("max_features", 0.3, 1.0),
        }

    @classmethod
    def usual_trees(cls, params: Params, shape: Shape) -> float | None:
        return boosting_trees(params["learning_rate"])

    @classmethod
    def work(cls, params: Params, shape: Shape) -> float:
        return leafwise_work(params["learning_rate"], params["max_leaf_nodes"], shape.features, shape)

    @classmethod
    def fit(cls, params: Params, data: FitData, shape: Shape, limits: FitLimits) -> Self:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        from automl_assets.learn.score import metric_named

        kind: Any = HistGradientBoostingRegressor if shape.is_regression else HistGradientBoostingClassifier
        metric = metric_named("rmse" if shape.is_regression else "log_loss")
        estimator = kind(
            **params,
            max_iter=STEP,
            early_stopping=False,
            warm_start=True,
            categorical_features=data.categorical or None,
            random_state=limits.seed,
        )
        best = float("inf")
        best_trees = since_best = 0
        while estimator.max_iter <= MOST_TREES:
            estimator.fit(data.X, data.y, sample_weight=data.weight)
            score = metric(data.y_valid, cls(estimator, shape.classes).predict(data.X_valid), data.weight_valid)
            since_best += 1
            if score < best:
                best, best_trees, since_best = score, estimator.n_iter_, 0
            if since_best >= PATIENCE_STEPS or limits.time_is_up():
                break
            estimator.max_iter += STEP
        del estimator._predictors[best_trees:]
        estimator.max_iter = best_trees
        model = cls(estimator, shape.classes)
        model.trees, model.starved = best_trees, since_best < PATIENCE_STEPS
        return model

    def predict(self, X: "np.ndarray", *, threads: int = 1) -> "np.ndarray":
        from threadpoolctl import threadpool_limits

        with threadpool_limits(threads, user_api="openmp"):
            if not self._classes:
                return self._estimator.predict(X)
            return all_classes(self._estimator.predict_proba(X), self._estimator.classes_, self._classes)

    def save(self, folder: Path) -> None:
        save_estimator(self._estimator, folder)
        (folder / "classes.txt").write_text(str(self._classes))

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(load_estimator(folder), int((folder / "classes.txt").read_text()))
