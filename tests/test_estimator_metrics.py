"""Metrics of the user's own: functions, scikit-learn's scorers, and what is told about those that don't work."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, log_loss, make_scorer, mean_absolute_error, roc_auc_score

from automl_assets import AutoMLClassifier, AutoMLRegressor
from automl_assets.core.errors import ConfigError, UnknownNameError
from automl_assets.estimator.metrics import metric_of

LABELS = np.array(["yes", "no"])  # in the model's order: the rarer last
Y = np.array([0, 1, 1, 0])
SAID = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
TRUTH = LABELS[Y]


def only_labels(truth: np.ndarray, said: np.ndarray) -> float:
    assert set(truth) | set(said) <= {"yes", "no"}
    return float((truth == said).mean())


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (only_labels, 0.75),
        (lambda truth, said: -1.0, -1.0),
        (accuracy_score, 0.75),
        (make_scorer(accuracy_score), 0.75),
        (make_scorer(log_loss, greater_is_better=False, response_method="predict_proba"), None),
        ("neg_log_loss", None),
        (make_scorer(roc_auc_score, response_method="predict_proba"), 1.0),
        (lambda model, X, truth: float((model.predict(X) == truth).sum()), 3.0),
    ],
)
def test_a_metric_sees_the_users_own_labels(metric: Any, expected: float | None) -> None:
    if expected is None:
        expected = -log_loss(TRUTH, SAID[:, ::-1], labels=["no", "yes"])

    assert metric_of(metric, "binary", LABELS)(Y, SAID) == pytest.approx(expected)


def test_a_metric_of_numbers_sees_numbers() -> None:
    y, said = np.array([1.0, 2.0]), np.array([1.5, 4.0])

    assert metric_of(make_scorer(mean_absolute_error, greater_is_better=False), "regression", None)(y, said) == -1.25
    assert metric_of(lambda truth, told: float(np.max(truth - told)), "regression", None)(y, said) == -0.5


@pytest.mark.parametrize(
    ("metric", "weight", "expected"),
    [
        (accuracy_score, [1.0, 1.0, 5.0, 1.0], 0.375),  # it takes weights
        (only_labels, [1.0, 1.0, 5.0, 1.0], 0.375),  # it does not: whole weights repeat rows
        (only_labels, [0.5, 0.5, 0.0, 0.5], 1.0),  # others leave out what weighs nothing
    ],
)
def test_weights_count_where_they_can(metric: Any, weight: list[float], expected: float) -> None:
    assert metric_of(metric, "binary", LABELS)(Y, SAID, np.array(weight)) == pytest.approx(expected)


def test_a_score_that_one_class_leaves_undefined_is_no_error() -> None:
    def refuses(truth: np.ndarray, said: np.ndarray) -> float:
        if len(set(truth)) < 2:
            raise ValueError("one class")
        return 1.0

    metric = metric_of(refuses, "binary", LABELS)

    assert np.isnan(metric(np.zeros(2, dtype=int), SAID[:2]))
    assert metric(Y, SAID) == 1.0


def rows(count: int) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).normal(size=(count, 3)), columns=list("abc"))


@pytest.mark.parametrize(("count", "seconds"), [(120, 300), (400, 5)], ids=["in this process", "in children"])
def test_a_lambda_judges_a_search_in_any_process(count: int, seconds: float) -> None:
    X = rows(count)
    y = np.where(X["a"] > 0, "yes", "no")
    metric = lambda truth, said: 10 * float((truth == said).mean())  # noqa: E731

    model = AutoMLClassifier(metric=metric, families=["linear"], time_budget_seconds=seconds).fit(X, y)

    scores = model.trials()["score"].dropna()
    assert len(scores)
    assert scores.between(8.0, 10.0).all()
    assert model.leaderboard()["score"].is_monotonic_decreasing


@pytest.mark.parametrize(
    ("metric", "error", "told"),
    [
        (lambda truth, said: "much", ConfigError, "The metric raised ValueError"),
        (lambda truth, said: 1 / 0, ConfigError, "The metric raised ZeroDivisionError: division by zero"),
        (lambda truth: 1.0, ConfigError, "The metric raised TypeError"),
        (None, ConfigError, "metric is a NoneType"),
        ("acuracy", UnknownNameError, "Did you mean 'accuracy'"),
        ("mae", UnknownNameError, "metric for binary problems"),
        ("neg_mean_squared_error", ConfigError, "could not convert string to float"),
    ],
)
def test_a_metric_that_does_not_work_is_told_before_any_fit(metric: Any, error: type[Exception], told: str) -> None:
    X = rows(60)

    with pytest.raises(error, match=told) as raised:
        AutoMLClassifier(metric=metric).fit(X, np.where(X["a"] > 0, "yes", "no"))
    assert isinstance(raised.value, ValueError)


def test_a_scorers_name_will_do() -> None:
    X = rows(100)

    model = AutoMLRegressor(metric="neg_median_absolute_error").fit(X, X["a"])

    assert (model.leaderboard()["score"] <= 0).all()
