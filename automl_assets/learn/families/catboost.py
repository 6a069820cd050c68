"""Gradient boosting with symmetric trees and ordered category statistics: CatBoost (Prokhorenkova et al. 2018)."""

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
    all_classes,
    boosting_trees,
    logits_of_all,
    outputs,
    patience,
)

if TYPE_CHECKING:
    import numpy as np

FILE, FACTS_FILE = "model.cbm", "facts.json"
MOST_TREES = 4_000
FASTEST = 0.3
MISSING = b"missing"
OF_THE_MOMENT = ("model_guid", "train_finish_time")  # without them the same fit is the same file


class CatBoost(Family):
    """A CatBoost model, stopped early on the validation rows. Categories are its own, the missing one among them."""

    order = 15
    packages = ("catboost",)

    def __init__(
        self,
        model: Any,
        categorical: list[int],
        seen: "np.ndarray",
        classes: int,
        constant: "list[float] | None" = None,
    ):
        self._model = model
        self._constant = constant
        self._categorical = categorical
        self._seen = seen
        self._classes = classes

    @classmethod
    def defaults(cls, shape: Shape) -> Params:
        return {
            "learning_rate": 0.06,
            "depth": 6,
            "l2_leaf_reg": 3.0,
            "random_strength": 1.0,
            "bagging_temperature": 1.0,
            "max_ctr_complexity": 1,
            "border_count": 128,
        }

    @classmethod
    def space(cls, suggest: Suggest, shape: Shape) -> Params:
        return {
            "learning_rate": suggest.suggest_float("learning_rate", 0.01, 0.3, log=True),
            "depth": suggest.suggest_int("depth", 3, 9),
            "l2_leaf_reg": suggest.suggest_float("l2_leaf_reg", 0.5, 30.0, log=True),
            "random_strength": suggest.suggest_float("random_strength", 0.1, 10.0, log=True),
            "bagging_temperature": suggest.suggest_float("bagging_temperature", 0.0, 2.0),
            "max_ctr_complexity": suggest.suggest_int("max_ctr_complexity", 1, 3),
            "border_count": suggest.suggest_int("border_count", 32, 254),
        }

    @classmethod
    def usual_trees(cls, params: Params, shape: Shape) -> float | None:
        return boosting_trees(params["learning_rate"])

    @classmethod
    def work(cls, params: Params, shape: Shape) -> float:
        depth = params["depth"]
        a_tree = shape.rows * depth * (4 + shape.features) + 400 * 2**depth
        return boosting_trees(params["learning_rate"]) * a_tree * outputs(shape)

    @classmethod
    def fit(cls, params: Params, data: FitData, shape: Shape, limits: FitLimits) -> Self:
        import catboost
        import numpy as np

        seen = np.unique(data.y) if shape.classes else np.empty(0)
        if _nothing_to_learn(data, seen):
            return cls(None, [], seen, shape.classes, _constant(data, shape.classes))
        rate, most = limits.learning_rate(params["learning_rate"], fastest=FASTEST), limits.most_trees(MOST_TREES)
        rounds = patience(rate)
        objective = _objective(seen)
        loss = objective["loss_function"]
        booster = catboost.CatBoost(
            {
                **params,
                **objective,
                "learning_rate": rate,
                "iterations": most,
                "bootstrap_type": "Bayesian",
                "boosting_type": "Plain",
                "leaf_estimation_iterations": 1,
                "thread_count": limits.threads,
                "random_seed": limits.seed,
                "allow_writing_files": False,
                "logging_level": "Silent",
            }
        )
        valid = _pool(data.X_valid, data.nominal, limits.threads, data.y_valid, data.weight_valid, seen)
        booster.fit(
            _pool(data.X, data.nominal, limits.threads, data.y, data.weight, seen),
            eval_set=valid,
            early_stopping_rounds=rounds if valid is not None else None,
            callbacks=[_OutOfTime(limits)],
        )
        grown, best = len(booster.get_evals_result()["learn"][loss]), booster.get_best_iteration()
        if best is not None and best + 1 < (booster.tree_count_ or 0):
            booster.shrink(best + 1)
        model = cls(booster, data.nominal, seen, shape.classes)
        model.trees = int(booster.tree_count_ or 0)
        model.starved = valid is not None and grown < model.trees + rounds
        return model

    def predict(self, X: "np.ndarray", *, threads: int = 1) -> "np.ndarray":
        import numpy as np

        if self._model is None:
            answers = np.repeat([self._constant or [0.0]], len(X), axis=0)
            return answers if self._classes else answers[:, 0]
        pool = _pool(X, self._categorical, threads)
        if not self._classes:
            return np.asarray(self._model.predict(pool, thread_count=threads), dtype=float)
        raw = np.asarray(self._model.predict(pool, prediction_type="Probability", thread_count=threads))
        return all_classes(raw, self._seen, self._classes)

    def contributions(self, X: "np.ndarray", background: "np.ndarray", *, threads: int = 1) -> Contributions | None:
        """The Shapley values of the trees' paths (Lundberg et al. 2018), against the training rows."""
        import numpy as np

        rows, features = X.shape
        if self._model is None:
            said = self.predict(X).reshape(rows, -1)
            units = "probability" if self._classes else "margin"
            return Contributions(np.zeros((rows, features, said.shape[1])), said, units)
        pool = _pool(X, self._categorical, threads)
        told = self._model.get_feature_importance(pool, type="ShapValues", thread_count=threads)
        parts = np.asarray(told, dtype=float).reshape(rows, -1, features + 1).transpose(0, 2, 1)
        parts = parts[:, np.append(np.argsort(_pool_order(features, self._categorical)), features)]
        found = Contributions(parts[:, :-1], parts[:, -1])
        return logits_of_all(found, self._seen, self._classes) if self._classes else found

    def save(self, folder: Path) -> None:
        facts = {"categorical": self._categorical, "seen": self._seen.tolist(), "classes": self._classes}
        (folder / FACTS_FILE).write_text(json.dumps({**facts, "constant": self._constant}))
        if self._model is not None:
            told = self._model.get_metadata()
            for name in OF_THE_MOMENT:
                if name in set(told.keys()):
                    del told[name]
            self._model.save_model(str(folder / FILE), format="cbm")

    @classmethod
    def load(cls, folder: Path) -> Self:
        import catboost
        import numpy as np

        facts = json.loads((folder / FACTS_FILE).read_text())
        model = None
        if (folder / FILE).exists():
            model = catboost.CatBoost()
            model.load_model(str(folder / FILE), format="cbm")
        seen = np.array(facts["seen"], dtype=int)
        return cls(model, facts["categorical"], seen, facts["classes"], facts["constant"])


def _nothing_to_learn(data: FitData, seen: "np.ndarray") -> bool:
    """Whether the target, or every feature, is constant, which CatBoost refuses."""
    import numpy as np

    if len(seen) == 1 or (not len(seen) and float(np.ptp(data.y)) == 0.0):
        return True
    first = data.X[:1]
    same = (first == data.X) | (np.isnan(data.X) & np.isnan(first))
    return bool(same.all())


def _constant(data: FitData, classes: int) -> list[float]:
    """The classes' weighted shares, or the weighted mean."""
    import numpy as np

    weight = np.ones(len(data.y)) if data.weight is None else data.weight
    if not classes:
        return [float(np.average(data.y, weights=weight))]
    return (np.bincount(data.y, weight, minlength=classes) / weight.sum()).tolist()


class _OutOfTime:
    """Ends the training when time is up."""

    def __init__(self, limits: FitLimits):
        self._limits = limits

    def after_iteration(self, info: Any) -> bool:
        """Whether to go on."""
        return not self._limits.time_is_up()


def _pool(
    X: "np.ndarray",
    categorical: list[int],
    threads: int,
    y: "np.ndarray | None" = None,
    weight: "np.ndarray | None" = None,
    seen: "np.ndarray | None" = None,
) -> Any:
    """CatBoost's own form of the rows; only those whose class the training rows have, None where none has."""
    import catboost
    import numpy as np

    if y is not None and seen is not None and len(seen):
        known = np.isin(y, seen)
        if not known.any():
            return None
        if not known.all():
            X, y, weight = X[known], y[known], None if weight is None else weight[known]
        y = np.searchsorted(seen, y)
    if not categorical:
        return catboost.Pool(np.ascontiguousarray(X), y, weight=weight, thread_count=threads)
    numeric = np.setdiff1d(np.arange(X.shape[1]), categorical)
    features = catboost.FeaturesData(
        num_feature_data=np.ascontiguousarray(X[:, numeric]) if len(numeric) else None,
        cat_feature_data=_texts(X[:, categorical]),
    )
    return catboost.Pool(features, y, weight=weight, thread_count=threads)


def _pool_order(features: int, categorical: list[int]) -> "np.ndarray":
    """The positions in X of a pool's features: numbers first where there are categories."""
    import numpy as np

    return np.append(np.setdiff1d(np.arange(features), categorical), categorical).astype(int)


def _texts(codes: "np.ndarray") -> "np.ndarray":
    """Category codes as the bytes that CatBoost hashes."""
    import numpy as np

    missing = np.isnan(codes)
    whole = np.where(missing, 0, codes).astype(np.int64)
    names = np.array([str(code).encode() for code in range(int(whole.max(initial=0)) + 1)], dtype=object)
    texts = names[whole]
    texts[missing] = MISSING
    return texts


def _objective(seen: "np.ndarray") -> dict[str, Any]:
    if not len(seen):
        return {"loss_function": "RMSE"}
    if len(seen) == 2:
        return {"loss_function": "Logloss"}
    return {"loss_function": "MultiClass", "classes_count": len(seen)}
