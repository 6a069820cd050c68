"""Gradient boosting with depth-wise histogram trees: XGBoost (Chen & Guestrin 2016), on the GPU where there is one."""

import gzip
import json
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
    outputs,
    patience,
    two_columns,
)

if TYPE_CHECKING:
    import numpy as np
    import xgboost

FILE = "model.ubj.gz"
COMPRESSION = 4
MOST_TREES = 5_000
FASTEST = 0.2


class XGBoost(Family):
    """An XGBoost booster, stopped early on the validation rows."""

    order = 20
    packages = ("xgboost",)
    on_gpu = True

    def __init__(self, booster: "xgboost.Booster", classes: int):
        self._booster = booster
        self._classes = classes

    @classmethod
    def defaults(cls, shape: Shape) -> Params:
        return {
            "learning_rate": 0.08,
            "max_depth": 6,
            "min_child_weight": 1.0,
            "subsample": 0.9,
            "colsample_bynode": 0.8,
            "reg_alpha": 1e-3,
            "reg_lambda": 1.0,
        }

    @classmethod
    def space(cls, suggest: Suggest, shape: Shape) -> Params:
        return {
            "learning_rate": suggest.suggest_float("learning_rate", 0.01, 0.3, log=True),
            "max_depth": suggest.suggest_int("max_depth", 2, 10),
            "min_child_weight": suggest.suggest_float("min_child_weight", 0.1, 50.0, log=True),
            "subsample": suggest.suggest_float("subsample", 0.5, 1.0),
            "colsample_bynode": suggest.suggest_float("colsample_bynode", 0.3, 1.0),
            "reg_alpha": suggest.suggest_float("reg_alpha", 1e-4, 10.0, log=True),
            "reg_lambda": suggest.suggest_float("reg_lambda", 1e-3, 30.0, log=True),
        }

    @classmethod
    def usual_trees(cls, params: Params, shape: Shape) -> float | None:
        return boosting_trees(params["learning_rate"])

    @classmethod
    def work(cls, params: Params, shape: Shape) -> float:
        depth = params["max_depth"]
        a_tree = shape.rows * depth * (1 + params["colsample_bynode"] * shape.features) + 800 * 2**depth
        return boosting_trees(params["learning_rate"]) * a_tree * outputs(shape)

    @classmethod
    def fit(cls, params: Params, data: FitData, shape: Shape, limits: FitLimits) -> Self:
        import xgboost
        import xgboost.callback

        class OutOfTime(xgboost.callback.TrainingCallback):
            def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
                return limits.time_is_up()

        rate, most = limits.learning_rate(params["learning_rate"], fastest=FASTEST), limits.most_trees(MOST_TREES)
        settings = {
            **params,
            "learning_rate": rate,
            **_objective(shape.classes),
            "tree_method": "hist",
            "device": limits.device,
            "nthread": limits.threads,
            "seed": limits.seed,
            "max_cat_to_onehot": 8,
            "verbosity": 0,
        }
        train = _matrix(data.X, data.categorical, limits.threads, y=data.y, weight=data.weight)
        valid = _matrix(data.X_valid, data.categorical, limits.threads, y=data.y_valid, weight=data.weight_valid)
        rounds = patience(rate)
        booster = xgboost.train(
            settings,
            train,
            num_boost_round=most,
            evals=[(valid, "valid")],
            verbose_eval=False,
            callbacks=[xgboost.callback.EarlyStopping(rounds=rounds, save_best=False), OutOfTime()],
        )
        best, grown = booster.attr("best_iteration"), booster.num_boosted_rounds()
        if best is not None:
            booster = booster[: int(best) + 1]
        booster.set_attr(categorical=json.dumps(data.categorical))
        model = cls(booster, shape.classes)
        model.trees = booster.num_boosted_rounds()
        model.starved = grown < model.trees + rounds
        return model

    def predict(self, X: "np.ndarray", *, threads: int = 1) -> "np.ndarray":
        import numpy as np

        raw = np.asarray(self._booster.predict(self._rows(X, threads)), dtype=float)
        return two_columns(raw) if self._classes == 2 else raw

    def contributions(self, X: "np.ndarray", background: "np.ndarray", *, threads: int = 1) -> Contributions | None:
        """The Shapley values of the trees' paths (Lundberg et al. 2018), against the training rows."""
        import numpy as np

        found = np.asarray(self._booster.predict(self._rows(X, threads), pred_contribs=True), dtype=float)
        parts = found.reshape(len(X), -1, X.shape[1] + 1).transpose(0, 2, 1)
        return Contributions(parts[:, :-1], parts[:, -1])

    def _rows(self, X: "np.ndarray", threads: int) -> "xgboost.DMatrix":
        """Rows to predict, on the CPU."""
        self._booster.set_param({"nthread": threads, "device": "cpu"})
        return _matrix(X, json.loads(self._booster.attr("categorical") or "[]"), threads)

    def save(self, folder: Path) -> None:
        self._booster.set_attr(classes=str(self._classes))
        data = bytes(self._booster.save_raw("ubj"))
        (folder / FILE).write_bytes(gzip.compress(data, compresslevel=COMPRESSION, mtime=0))

    @classmethod
    def load(cls, folder: Path) -> Self:
        import xgboost

        booster = xgboost.Booster(model_file=bytearray(gzip.decompress((folder / FILE).read_bytes())))
        return cls(booster, int(booster.attr("classes") or 0))


def _matrix(
    X: "np.ndarray",
    categorical: list[int],
    threads: int,
    y: "np.ndarray | None" = None,
    weight: "np.ndarray | None" = None,
) -> "xgboost.DMatrix":
    import xgboost

    types = ["c" if position in set(categorical) else "float" for position in range(X.shape[1])]
    return xgboost.DMatrix(
        X, label=y, weight=weight, feature_types=types, enable_categorical=bool(categorical), nthread=threads
    )


def _objective(classes: int) -> dict[str, Any]:
    if classes == 0:
        return {"objective": "reg:squarederror", "eval_metric": "rmse"}
    if classes == 2:
        return {"objective": "binary:logistic", "eval_metric": "logloss"}
    return {"objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": classes}
