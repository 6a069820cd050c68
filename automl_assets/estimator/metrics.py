"""Metrics of the user's own: a function of labels, or a scikit-learn scorer, as a metric that the search can use."""

import inspect
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from automl_assets.core.errors import UnknownNameError
from automl_assets.estimator.errors import ParameterValueError
from automl_assets.learn.score import METRICS, Metric, metric_named, own_metric

if TYPE_CHECKING:
    import numpy as np

MOST_TRIED_ROWS = 200


def metric_of(given: Any, kind: str, classes: "np.ndarray | None") -> Metric:
    """The metric that a `metric` argument means.

    Args:
        given: a name, a scikit-learn scorer or its name, or ``metric(y_true, y_pred)``, of which more is better.
        kind: of the problem.
        classes: the user's labels in the order of the model's classes; None for numbers.

    Raises:
        UnknownNameError: nothing has the name, or what has it is not for this kind of problem.
        ParameterValueError: it is no metric.
    """
    if isinstance(given, str):
        if given in METRICS or given not in _scorer_names():
            return _named(given, kind)
        given = _scorer(given)
    if not callable(given):
        raise ParameterValueError(
            f"metric is a {type(given).__name__}.",
            where="metric",
            remedy="Give a metric's name, metric(y_true, y_pred), or a scikit-learn scorer.",
        )
    told = getattr(given, "_score_func", given)
    return own_metric(getattr(told, "__name__", type(told).__name__), _Judge(given, classes))


def try_metric(metric: Metric, y: "np.ndarray", classes: int) -> None:
    """Ask a metric of the user's own about a perfect prediction, so that one that fails does so before any fit.

    Args:
        y: class indices, or numbers.

    Raises:
        ParameterValueError: it raised something, or its answer is no number.
    """
    import numpy as np

    y = y[:: max(1, len(y) // MOST_TRIED_ROWS)]
    perfect = np.eye(classes)[y.astype(int)] if classes else y
    remedy = "It is called as metric(y_true, y_pred) with arrays and returns a float, of which more is better."
    try:
        answer = metric.value(y, perfect, np.ones(len(y)))
    except Exception as error:  # the user's code: whatever it raises is told before a search begins
        raise ParameterValueError(
            f"The metric raised {type(error).__name__}: {error}.".replace("..", "."), where="metric", remedy=remedy
        ) from error
    if answer is None:
        raise ParameterValueError("The metric returned no number.", where="metric", remedy=remedy)


def _named(name: str, kind: str) -> Metric:
    try:
        return metric_named(name, kind)
    except UnknownNameError as error:
        remedy = f"{error.remedy} A scikit-learn scorer, its name, or metric(y_true, y_pred) will do too."
        raise UnknownNameError(error.message, where="metric", remedy=remedy) from error


def _scorer_names() -> list[str]:
    from sklearn.metrics import get_scorer_names

    return get_scorer_names()


def _scorer(name: str) -> Any:
    from sklearn.metrics import get_scorer

    return get_scorer(name)


class _Judge:
    """A user's metric as one of class indices and probabilities, weighted."""

    def __init__(self, given: Any, classes: "np.ndarray | None"):
        self._given = given
        self._classes = classes
        self._is_scorer = hasattr(given, "_score_func") or _positional(given) >= 3
        self._takes_weight = _takes_weight(getattr(given, "_score_func", given))

    def __call__(self, y: "np.ndarray", predicted: "np.ndarray", weight: "np.ndarray") -> float:
        """The score; not a number where it is undefined on these rows, as one class alone often leaves it."""
        import warnings

        y, predicted, extra = self._weighted(y, predicted, weight)
        truth = y if self._classes is None else self._classes[y.astype(int)]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if self._is_scorer:
                    fitted = answers(predicted, self._classes)
                    return _number(self._given(fitted, fitted.rows, truth, **extra))
                said = predicted if self._classes is None else self._classes[predicted.argmax(axis=1)]
                return _number(self._given(truth, said, **extra))
        except ValueError:
            if len(set(y.tolist())) > 1:
                raise
            return math.nan

    def _weighted(
        self, y: "np.ndarray", predicted: "np.ndarray", weight: "np.ndarray"
    ) -> "tuple[np.ndarray, np.ndarray, dict[str, Any]]":
        """Rows with their weights where the metric takes them; else repeated where weights are whole, or as they are.

        A bootstrap counts how often a row was drawn, which a metric without weights must see as repeated rows.
        """
        import numpy as np

        if (weight == 1).all():
            return y, predicted, {}
        if self._takes_weight:
            return y, predicted, {"sample_weight": weight}
        times = weight if (weight == np.floor(weight)).all() else weight > 0
        rows = np.repeat(np.arange(len(y)), times.astype(int))
        return y[rows], predicted[rows], {}


def answers(predicted: "np.ndarray", classes: "np.ndarray | None") -> Any:
    """What a scorer asks: a fitted classifier or regressor whose answers for `rows` are known.

    Args:
        classes: labels in the order of the columns of `predicted`.
    """
    import numpy as np
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

    class Regressor(RegressorMixin, BaseEstimator):
        rows = np.empty((len(predicted), 0))

        def __sklearn_is_fitted__(self) -> bool:
            return True

        def predict(self, X: Any) -> np.ndarray:
            return predicted

    if classes is None:
        return Regressor()
    order = np.argsort(classes, kind="stable")
    labels, probabilities = classes[order], predicted[:, order]

    class Classifier(ClassifierMixin, BaseEstimator):
        rows = np.empty((len(predicted), 0))
        classes_ = labels

        def __sklearn_is_fitted__(self) -> bool:
            return True

        def predict(self, X: Any) -> np.ndarray:
            return labels[probabilities.argmax(axis=1)]

        def predict_proba(self, X: Any) -> np.ndarray:
            return probabilities

    return Classifier()


def _number(answer: Any) -> float:
    number = float(answer)
    return number if math.isfinite(number) else math.nan


def _positional(function: Callable[..., Any]) -> int:
    """How many arguments a function needs; two where it doesn't tell."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 2
    return sum(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in found)


def _takes_weight(function: Callable[..., Any]) -> bool:
    try:
        return "sample_weight" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
