"""Extremely randomised trees (Geurts, Ernst & Wehenkel 2006): fast, hard to overfit, and unlike boosting."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Self

from automl_assets.learn.families._base import (
    Contributions,
    Family,
    FitData,
    FitLimits,
    Params,
    Shape,
    Suggest,
    all_classes,
)
from automl_assets.learn.families._forest import Forest
from automl_assets.learn.families._forest_shapley import shapley_values

if TYPE_CHECKING:
    import numpy as np

FACTS_FILE = "facts.json"
STEP = 25
MOST_TREES = 100
MOST_LEAVES = 4_000


class ExtraTrees(Family):
    """A forest of extra trees, grown in steps of 25 until it has 100 or time is up."""

    order = 40
    packages = ("sklearn.ensemble",)

    def __init__(self, forest: Forest, seen: "np.ndarray", classes: int):
        self._forest = forest
        self._seen = seen
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
    def usual_trees(cls, params: Params, shape: Shape) -> float | None:
        return MOST_TREES

    @classmethod
    def work(cls, params: Params, shape: Shape) -> float:
        import math

        depth = math.log2(2 + shape.rows / params["min_samples_leaf"])
        return MOST_TREES * shape.rows * depth * (1 + params["max_features"] * shape.features)

    @classmethod
    def fit(cls, params: Params, data: FitData, shape: Shape, limits: FitLimits) -> Self:
        import numpy as np
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

        most = limits.most_trees(MOST_TREES)
        kind = ExtraTreesRegressor if shape.is_regression else ExtraTreesClassifier
        estimator = kind(
            **params,
            n_estimators=min(STEP, most),
            max_leaf_nodes=MOST_LEAVES,
            warm_start=True,
            n_jobs=limits.threads,
            random_state=limits.seed,
        )
        while True:
            estimator.fit(data.X, data.y, sample_weight=data.weight)
            if estimator.n_estimators >= most or limits.time_is_up():
                seen = np.asarray(estimator.classes_) if shape.classes else np.empty(0, dtype=int)
                forest = Forest.of([tree.tree_ for tree in estimator.estimators_], shares=bool(shape.classes))
                model = cls(forest, seen, shape.classes)
                model.trees = estimator.n_estimators
                return model
            estimator.n_estimators = min(most, estimator.n_estimators + STEP)

    def predict(self, X: "np.ndarray", *, threads: int = 1) -> "np.ndarray":
        answers = self._forest.predict(X)
        if not self._classes:
            return answers[:, 0]
        return all_classes(answers / answers.sum(axis=1, keepdims=True), self._seen, self._classes)

    def contributions(self, X: "np.ndarray", background: "np.ndarray", *, threads: int = 1) -> Contributions | None:
        """The trees' Shapley values against the background rows, of probabilities or of the value."""
        import numpy as np

        parts = shapley_values(self._forest, X, background)
        if parts is None:
            return None
        base = np.tile(self._forest.predict(background).mean(axis=0), (len(X), 1))
        if not self._classes:
            return Contributions(parts, base)
        whole = (base + parts.sum(axis=1)).sum(axis=1)  # nearly 1: leaves keep shares as float16
        shares = np.zeros((*parts.shape[:2], self._classes))
        shares[:, :, self._seen] = parts / whole[:, None, None]
        return Contributions(shares, all_classes(base / whole[:, None], self._seen, self._classes), "probability")

    def save(self, folder: Path) -> None:
        self._forest.save(folder)
        (folder / FACTS_FILE).write_text(json.dumps({"seen": self._seen.tolist(), "classes": self._classes}))

    @classmethod
    def load(cls, folder: Path) -> Self:
        import numpy as np

        facts = json.loads((folder / FACTS_FILE).read_text())
        return cls(Forest.load(folder), np.array(facts["seen"], dtype=int), facts["classes"])
