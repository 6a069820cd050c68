"""Every metric has scikit-learn's value, with and without weights; bootstraps are paired and repeatable."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from automl_assets.core.errors import UnknownNameError
from automl_assets.learn.score import METRICS, bootstrap, interval_of, labels_of, metric_named, metrics_for

ROWS = 200


def table_of(kind: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, predictions with many ties, and weights."""
    generator = np.random.default_rng(seed)
    weight = generator.integers(1, 5, ROWS).astype(float)
    if kind == "regression":
        y = generator.normal(5, 3, ROWS)
        return y, y + generator.normal(0, 1, ROWS), weight
    size = 2 if kind == "binary" else 4
    y = generator.integers(0, size, ROWS)
    raw = (generator.random((ROWS, size)) + 0.3 * np.eye(size)[y]).round(1) + 0.05
    return y, raw / raw.sum(axis=1, keepdims=True), weight


def _labels(predicted: np.ndarray) -> np.ndarray:
    return predicted.argmax(axis=1)


Reference = Callable[[np.ndarray, np.ndarray, Any], float]
BINARY: dict[str, Reference] = {
    "roc_auc": lambda y, p, w: sk.roc_auc_score(y, p[:, 1], sample_weight=w),
    "average_precision": lambda y, p, w: sk.average_precision_score(y, p[:, 1], sample_weight=w),
    "log_loss": lambda y, p, w: sk.log_loss(y, p, sample_weight=w),
    "brier": lambda y, p, w: sk.brier_score_loss(y, p[:, 1], sample_weight=w),
    "accuracy": lambda y, p, w: sk.accuracy_score(y, _labels(p), sample_weight=w),
    "balanced_accuracy": lambda y, p, w: sk.balanced_accuracy_score(y, _labels(p), sample_weight=w),
    "f1": lambda y, p, w: sk.f1_score(y, _labels(p), sample_weight=w),
}
MULTICLASS: dict[str, Reference] = {
    "roc_auc": lambda y, p, w: np.mean([sk.roc_auc_score(y == k, p[:, k], sample_weight=w) for k in range(4)]),
    "log_loss": BINARY["log_loss"],
    "brier": lambda y, p, w: sk.brier_score_loss(y, p, sample_weight=w, scale_by_half=False),
    "accuracy": BINARY["accuracy"],
    "balanced_accuracy": BINARY["balanced_accuracy"],
    "f1": lambda y, p, w: sk.f1_score(y, _labels(p), sample_weight=w, average="macro"),
}
REGRESSION: dict[str, Reference] = {
    "rmse": lambda y, p, w: sk.root_mean_squared_error(y, p, sample_weight=w),
    "mae": lambda y, p, w: sk.mean_absolute_error(y, p, sample_weight=w),
    "mape": lambda y, p, w: sk.mean_absolute_percentage_error(y, p, sample_weight=w),
    "r2": lambda y, p, w: sk.r2_score(y, p, sample_weight=w),
}
REFERENCES = {"binary": BINARY, "multiclass": MULTICLASS, "regression": REGRESSION}
CASES = [(kind, metric.name) for kind in REFERENCES for metric in metrics_for(kind)]


@pytest.mark.parametrize(("kind", "name"), CASES)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_metric_has_scikit_learns_value(kind: str, name: str, seed: int) -> None:
    y, predicted, weight = table_of(kind, seed)
    reference = REFERENCES[kind][name]
    assert METRICS[name](y, predicted) == pytest.approx(reference(y, predicted, None), rel=1e-9)
    assert METRICS[name](y, predicted, weight) == pytest.approx(reference(y, predicted, weight), rel=1e-9)


@pytest.mark.parametrize("kind", REFERENCES)
def test_every_metric_of_a_kind_is_compared(kind: str) -> None:
    assert {metric.name for metric in metrics_for(kind)} == set(REFERENCES[kind])


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_whole_weight_counts_a_row_that_often(kind: str, name: str) -> None:
    y, predicted, weight = table_of(kind)
    often = np.repeat(np.arange(ROWS), weight.astype(int))
    assert METRICS[name](y, predicted, weight) == pytest.approx(METRICS[name](y[often], predicted[often]), rel=1e-9)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_the_truth_scores_better_than_its_opposite(kind: str, name: str) -> None:
    y, predicted, _ = table_of(kind)
    if kind == "regression":
        perfect, poor = y, predicted + 100
    else:
        perfect = np.eye(predicted.shape[1])[y]
        poor = np.roll(perfect, 1, axis=1)
    metric = METRICS[name]
    assert metric.better(metric(y, perfect), than=metric(y, poor))
    assert not metric.better(metric(y, perfect), than=metric(y, perfect))


@pytest.mark.parametrize(
    ("name", "y", "predicted", "expected"),
    [
        ("roc_auc", [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.75),
        ("roc_auc", [0, 1], [0.5, 0.5], 0.5),
        ("log_loss", [1, 0], [0.5, 0.5], np.log(2)),
        ("log_loss", [1], [0.0], -np.log(1e-15)),
        ("brier", [1, 0], [0.5, 0.0], 0.125),
        ("accuracy", [1, 0, 1], [0.5, 0.6, 0.9], 2 / 3),
        ("f1", [0, 0], [0.1, 0.1], 0.0),
        ("rmse", [0.0, 0.0], [3.0, 4.0], 12.5**0.5),
        ("mape", [2.0, 4.0], [1.0, 5.0], 0.375),
        ("r2", [1.0, 3.0], [2.0, 2.0], 0.0),
    ],
)
def test_small_cases_by_hand(name: str, y: list, predicted: list, expected: float) -> None:
    assert METRICS[name](np.array(y), np.array(predicted)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "y"), [("roc_auc", [1, 1]), ("roc_auc", [0, 0]), ("average_precision", [0, 0]), ("r2", [2.0, 2.0])]
)
def test_what_is_undefined_is_nan_and_never_an_error(name: str, y: list) -> None:
    assert np.isnan(METRICS[name](np.array(y), np.array([0.2, 0.9])))


def test_a_class_that_is_only_predicted_lowers_f1_as_scikit_learn_says() -> None:
    y, predicted = np.array([0, 0, 1, 1]), np.eye(3)[[0, 2, 1, 1]]
    expected = sk.f1_score(y, predicted.argmax(axis=1), average="macro", zero_division=0.0)
    assert METRICS["f1"](y, predicted) == pytest.approx(expected)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(1, 3)), min_size=2, max_size=30).filter(
        lambda rows: len({positive for positive, _, _ in rows}) == 2
    )
)
@settings(max_examples=60, deadline=None)
def test_roc_auc_and_average_precision_agree_with_scikit_learn_on_any_ties(rows: list) -> None:
    y, score, weight = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        auc = sk.roc_auc_score(y, score, sample_weight=weight)
        precision = sk.average_precision_score(y, score, sample_weight=weight)
    assert METRICS["roc_auc"](y, score, weight) == pytest.approx(auc)
    assert METRICS["average_precision"](y, score, weight) == pytest.approx(precision)


def test_an_unknown_metric_is_answered_with_the_nearest_of_its_kind() -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown metric for binary problems 'roc_acu'. Did you mean 'roc_auc'"):
        metric_named("roc_acu", "binary")
    with pytest.raises(UnknownNameError, match="Known: mae, mape, r2, rmse"):
        metric_named("log_loss", "regression")
    assert metric_named("rmse").name == "rmse"


@pytest.mark.parametrize(
    ("predicted", "labels"),
    [([[0.2, 0.8], [0.6, 0.4]], [1, 0]), ([0.5, 0.49], [1, 0]), ([[0.1, 0.2, 0.7]], [2])],
)
def test_the_label_is_the_most_probable_class(predicted: list, labels: list[int]) -> None:
    assert labels_of(np.array(predicted)).tolist() == labels


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_bootstrap_is_the_metric_of_rows_drawn_with_replacement(kind: str, name: str) -> None:
    y, predicted, weight = table_of(kind)
    metric = METRICS[name]
    values = bootstrap(metric, y, [predicted], weight=weight, resamples=3, seed=7)
    generator = np.random.default_rng(7)
    for value in values[:, 0]:
        drawn = generator.integers(0, ROWS, ROWS)
        assert value == pytest.approx(metric(y[drawn], predicted[drawn], weight[drawn]), rel=1e-9)


@pytest.mark.parametrize("name", ["roc_auc", "log_loss"])
def test_the_bootstrap_is_paired(name: str) -> None:
    """Both predictions meet the same rows: equal ones never differ, and a difference varies less than its parts."""
    y, predicted, _ = table_of("binary")
    nearly = 0.98 * predicted + 0.02 * np.roll(predicted, 1, axis=0)
    values = bootstrap(METRICS[name], y, [predicted, nearly, predicted], resamples=200)
    assert values.shape == (200, 3)
    np.testing.assert_array_equal(values[:, 0], values[:, 2])
    assert (values[:, 0] - values[:, 1]).std() < 0.2 * values[:, 0].std()


def test_the_bootstrap_interval_of_a_mean_is_the_textbooks() -> None:
    y, predicted, _ = table_of("regression")
    metric = METRICS["mae"]
    values = bootstrap(metric, y, [predicted], seed=1)[:, 0]
    interval = interval_of(values, metric(y, predicted))
    error = abs(y - predicted).std() / ROWS**0.5
    assert interval.value == metric(y, predicted)
    assert interval.low == pytest.approx(interval.value - 1.96 * error, abs=0.2 * error)
    assert interval.high == pytest.approx(interval.value + 1.96 * error, abs=0.2 * error)


def test_a_seed_repeats_the_bootstrap_and_another_does_not() -> None:
    y, predicted, _ = table_of("binary")
    first, again, other = (bootstrap(METRICS["f1"], y, [predicted], resamples=20, seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [([1.0, 1.0, np.nan], 1.0, 1.0), ([np.nan, np.nan], 0.5, 0.5), (list(np.arange(1001.0)), 25.0, 975.0)],
)
def test_an_interval_leaves_undefined_resamples_out(values: list[float], low: float, high: float) -> None:
    interval = interval_of(np.array(values), 0.5)
    assert (interval.value, interval.low, interval.high) == pytest.approx((0.5, low, high))
