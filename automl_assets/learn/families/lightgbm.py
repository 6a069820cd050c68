"""Gradient boosting with leaf-wise trees: LightGBM (Ke et al. 2017)."""

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from automl_assets.learn.families._base import (
    Contributions,
    Family,
    FitData,
    FitLimits,
    Params,
    Shape,
    Suggest,
    boosting_trees,
    leafwise_work,
    patience,
    two_columns,
)

if TYPE_CHECKING:
    import lightgbm
    import numpy as np

FILE = "model.txt.gz"
COMPRESSION = 4
MOST_TREES = 5_000
FASTEST = 0.12


class LightGBM(Family):
    """A LightGBM booster, stopped early on the validation rows."""

    order = 10
    packages = ("lightgbm",)

    def __init__(self, booster: "lightgbm.Booster", classes: int):
        self._booster = booster
        self._classes = classes

    @classmethod
    def defaults(cls, shape: Shape) -> Params:
        return {
            "learning_rate": 0.05,
            "num_leaves": 31,
            "min_data_in_leaf": 20 if shape.rows >= 1_000 else 8,
            "feature_fraction": 0.8,
            "bagging_fraction": 1.0,
            "lambda_l1": 1e-3,
            "lambda_l2": 1e-2,
            "extra_trees": False,
        }

    @classmethod
    def space(cls, suggest: Suggest, shape: Shape) -> Params:
        return {
            "learning_rate": suggest.suggest_float("learning_rate", 0.01, 0.2, log=True),
            "num_leaves": suggest.suggest_int("num_leaves", 4, 255, log=True),
            "min_data_in_leaf": suggest.suggest_int("min_data_in_leaf", 2, 200, log=True),
            "feature_fraction": suggest.suggest_float("feature_fraction", 0.3, 1.0),
            "bagging_fraction": suggest.suggest_float("bagging_fraction", 0.5, 1.0),
            "lambda_l1": suggest.suggest_float("lambda_l1", 1e-4, 10.0, log=True),
            "lambda_l2": suggest.suggest_float("lambda_l2", 1e-4, 30.0, log=True),
            "extra_trees": suggest.suggest_categorical("extra_trees", [False, True]),
        }

    @classmethod
    def usual_trees(cls, params: Params, shape: Shape) -> float | None:
        return boosting_trees(params["learning_rate"])

    @classmethod
    def work(cls, params: Params, shape: Shape) -> float:
        columns = params["feature_fraction"] * shape.features
        return leafwise_work(params["learning_rate"], params["num_leaves"], columns, shape)

    @classmethod
    def fit(cls, params: Params, data: FitData, shape: Shape, limits: FitLimits) -> Self:
        import lightgbm

        rate, most = limits.learning_rate(params["learning_rate"], fastest=FASTEST), limits.most_trees(MOST_TREES)
        settings: dict[str, Any] = {
            **params,
            "learning_rate": rate,
            **_objective(shape.classes),
            "bagging_freq": 1,
            "num_threads": limits.threads,
            "seed": limits.seed,
            "verbosity": -1,
            "max_cat_to_onehot": 8,
            "feature_pre_filter": False,
        }
        train = lightgbm.Dataset(
            data.X, data.y, weight=data.weight, categorical_feature=data.categorical, params={"verbosity": -1}
        )
        valid = lightgbm.Dataset(data.X_valid, data.y_valid, weight=data.weight_valid, reference=train)

        ended: list[bool] = []

        def out_of_time(env: Any) -> None:
            if limits.time_is_up():
                ended.append(True)
                raise lightgbm.callback.EarlyStopException(env.iteration, env.evaluation_result_list)

        booster = lightgbm.train(
            settings,
            train,
            num_boost_round=most,
            valid_sets=[valid],
            callbacks=[lightgbm.early_stopping(patience(rate), verbose=False), out_of_time],
        )
        booster.free_dataset()
        model = cls(booster, shape.classes)
        model.trees = booster.best_iteration or booster.current_iteration()
        model.starved = bool(ended) or model.trees >= most
        return model

    def predict(self, X: "np.ndarray", *, threads: int = 1) -> "np.ndarray":
        import numpy as np

        raw = np.asarray(
            self._booster.predict(X, num_threads=threads, num_iteration=self._booster.best_iteration or None)
        )
        return two_columns(raw) if self._classes == 2 else raw

    def contributions(self, X: "np.ndarray", background: "np.ndarray", *, threads: int = 1) -> Contributions | None:
        """The Shapley values of the trees' paths (Lundberg et al. 2018), against the training rows."""
        import numpy as np

        trees = self._booster.best_iteration or None
        found = self._booster.predict(X, pred_contrib=True, num_threads=threads, num_iteration=trees)
        parts = np.asarray(found, dtype=float).reshape(len(X), -1, X.shape[1] + 1).transpose(0, 2, 1)
        return Contributions(parts[:, :-1], parts[:, -1])

    def save(self, folder: Path) -> None:
        text = self._booster.model_to_string(num_iteration=self._booster.best_iteration or None)
        (folder / FILE).write_bytes(gzip.compress(text.encode(), compresslevel=COMPRESSION, mtime=0))

    @classmethod
    def load(cls, folder: Path) -> Self:
        import lightgbm

        booster = lightgbm.Booster(model_str=gzip.decompress((folder / FILE).read_bytes()).decode())
        classes = booster.num_model_per_iteration()
        objective = booster.dump_model(num_iteration=1)["objective"]
        return cls(booster, classes if classes > 1 else 2 if objective.startswith("binary") else 0)


def _objective(classes: int) -> dict[str, Any]:
    if classes == 0:
        return {"objective": "regression", "metric": "rmse"}
    if classes == 2:
        return {"objective": "binary", "metric": "binary_logloss"}
    return {"objective": "multiclass", "metric": "multi_logloss", "num_class": classes}
