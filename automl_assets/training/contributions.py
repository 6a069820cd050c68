"""What each feature added to what an estimator added up, exactly, for the families that can tell.

A family's margin is what it sums before its link function: the value itself for a number, one log-odds for two
classes, one logit a class for several. Trees split it by the Shapley values of their paths (Lundberg et al. 2018),
linear models by coefficient times the distance from the background's mean.

A family that can do so has a method ``contributions(X, background, threads)``, which returns margins' parts of shape
(rows, features + 1) or (rows, features + 1, classes), the base last. Until the families have it, it stands here.
"""

from typing import TYPE_CHECKING, Any

from automl_assets.learn.families import Family

if TYPE_CHECKING:
    import numpy as np


def margin_parts(
    estimator: Family, X: "np.ndarray", background: "np.ndarray", *, threads: int = 1
) -> "np.ndarray | None":
    """The margins' parts, shape (rows, features + 1, margins), the base last; None where the family has none.

    Args:
        background: encoded rows; linear models are explained as differences from their mean.
    """
    own = getattr(estimator, "contributions", None)
    if own is not None:
        parts = own(X, background, threads)
    else:
        contribute = NATIVE.get(type(estimator).__module__.rpartition(".")[2])
        parts = contribute(estimator, X, background, threads) if contribute is not None else None
    return parts[:, :, None] if parts is not None and parts.ndim == 2 else parts


def can_contribute(estimator: Family) -> bool:
    """Whether an estimator's family splits its margins itself."""
    return hasattr(estimator, "contributions") or type(estimator).__module__.rpartition(".")[2] in NATIVE


def _xgboost(estimator: Any, X: "np.ndarray", background: "np.ndarray", threads: int) -> "np.ndarray":
    import json

    import numpy as np

    from automl_assets.learn.families.xgboost import _matrix

    booster = estimator._booster
    booster.set_param({"nthread": threads, "device": "cpu"})
    categorical = json.loads(booster.attr("categorical") or "[]")
    parts = np.asarray(booster.predict(_matrix(X, categorical, threads), pred_contribs=True), dtype=float)
    return parts if parts.ndim == 2 else parts.transpose(0, 2, 1)


def _lightgbm(estimator: Any, X: "np.ndarray", background: "np.ndarray", threads: int) -> "np.ndarray":
    import numpy as np

    booster = estimator._booster
    trees = booster.best_iteration or None
    parts = np.asarray(booster.predict(X, pred_contrib=True, num_threads=threads, num_iteration=trees), dtype=float)
    if estimator._classes <= 2:
        return parts
    return parts.reshape(len(X), estimator._classes, X.shape[1] + 1).transpose(0, 2, 1)


def _linear(estimator: Any, X: "np.ndarray", background: "np.ndarray", threads: int) -> "np.ndarray | None":
    """None where a class had no row in training: its probability is no function of the margins."""
    import numpy as np

    if estimator._classes and len(estimator._seen) < estimator._classes:
        return None
    centre = background.astype(np.float64).mean(axis=0)
    coefficients = np.asarray(estimator._coefficients, dtype=float)
    parts = (X.astype(np.float64) - centre)[:, :, None] * coefficients[None]
    base = np.broadcast_to(centre @ coefficients + estimator._intercepts, (len(X), 1, coefficients.shape[1]))
    return np.concatenate([parts, base], axis=1)


NATIVE: dict[str, Any] = {"xgboost": _xgboost, "lightgbm": _lightgbm, "linear": _linear}
