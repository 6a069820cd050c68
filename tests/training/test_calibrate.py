import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from automl_assets.learn.score import METRICS, Metric
from automl_assets.training.calibrate import (
    LEAST_ROWS,
    LEAST_ROWS_ISOTONIC,
    LEAST_ROWS_VECTOR,
    calibrate,
    calibration_error,
)
from automl_assets.training.calibration import Calibration
from automl_assets.training.calibration_fits import fit_isotonic

LOG_LOSS = METRICS["log_loss"]


def calibration_of(*arguments: "np.ndarray") -> Calibration:
    return calibrate(*arguments).calibration


def two(positive: "np.ndarray") -> "np.ndarray":
    return np.column_stack([1 - positive, positive])


def drawn(scale: float, rows: int = 2000, shift: float = 0.0) -> tuple["np.ndarray", "np.ndarray", "np.ndarray"]:
    """Labels, stated probabilities whose log-odds are `scale` times too large, and folds."""
    generator = np.random.default_rng(0)
    odds = generator.normal(0, 1.5, rows)
    y = (generator.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)
    return y, two(1 / (1 + np.exp(-(scale * odds + shift)))), np.arange(rows) % 5


@pytest.mark.parametrize("scale", [0.2, 0.5, 2.0, 3.0, 5.0, 10.0])
def test_over_and_underconfident_probabilities_get_the_slope_that_undoes_it(scale: float) -> None:
    y, stated, folds = drawn(scale)

    found = calibration_of(y, stated, folds)

    assert found.method == "sigmoid"
    assert found.slope == pytest.approx(1 / scale, rel=0.15)
    assert found.intercept == pytest.approx(0.0, abs=0.15)
    assert LOG_LOSS(y, found.apply(stated)) < LOG_LOSS(y, stated)


def test_a_shift_of_all_log_odds_is_undone() -> None:
    y, stated, folds = drawn(1.0, shift=2.0)

    found = calibration_of(y, stated, folds)

    assert (found.slope, found.intercept) == (pytest.approx(1.0, rel=0.15), pytest.approx(-2.0, abs=0.3))


def test_the_sigmoid_is_scikit_learns_logistic_regression_on_the_log_odds() -> None:
    y, stated, folds = drawn(3.0)
    odds = np.log(stated[:, 1] / stated[:, 0])

    found = calibration_of(y, stated, folds)

    reference = LogisticRegression(C=np.inf).fit(odds[:, None], y)
    assert found.slope == pytest.approx(reference.coef_[0, 0], rel=0.01)
    assert found.intercept == pytest.approx(reference.intercept_[0], abs=0.01)


def test_probabilities_that_are_right_stay_as_they_are() -> None:
    y, stated, folds = drawn(1.0)

    found = calibration_of(y, stated, folds)

    assert found == Calibration()
    assert found.apply(stated) is stated


def test_coins_that_are_called_fair_stay_so() -> None:
    assert calibration_of(np.arange(300) % 2, two(np.full(300, 0.5)), np.arange(300) // 60).method == "none"


def test_a_gain_on_the_fitted_rows_that_other_folds_do_not_share_does_not_count() -> None:
    """0.75 for all would be better than 0.5 on all rows, but each fold teaches the opposite of the other."""
    folds = np.r_[np.zeros(300, int), np.ones(100, int)]
    y, stated = 1 - folds, two(np.full(400, 0.5))
    assert LOG_LOSS(y, two(np.full(400, 0.75))) < LOG_LOSS(y, stated)

    assert calibration_of(y, stated, folds).method == "none"


def test_few_rows_are_not_calibrated() -> None:
    y, stated, folds = drawn(5.0, rows=LEAST_ROWS - 1)
    assert calibration_of(y, stated, folds).method == "none"

    y, stated, folds = drawn(5.0, rows=LEAST_ROWS)
    assert calibration_of(y, stated, folds).method == "sigmoid"


def test_a_single_fold_is_split_in_two() -> None:
    y, stated, _ = drawn(5.0)

    assert calibration_of(y, stated, np.zeros(len(y), int)).slope == pytest.approx(0.2, rel=0.15)


@pytest.mark.parametrize("temperature", [0.5, 2.0, 4.0])
def test_several_classes_get_one_temperature(temperature: float) -> None:
    generator = np.random.default_rng(1)
    logs = generator.normal(0, 1.5, (3000, 4))
    right = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    y = np.array([generator.choice(4, p=p) for p in right])
    sharp = np.exp(temperature * logs) / np.exp(temperature * logs).sum(axis=1, keepdims=True)

    found = calibration_of(y, sharp, np.arange(3000) % 5)

    assert found.method == "temperature"
    assert found.slope == pytest.approx(1 / temperature, rel=0.1)
    assert LOG_LOSS(y, found.apply(sharp)) < LOG_LOSS(y, sharp)


def test_weights_count() -> None:
    y, stated, folds = drawn(5.0)
    twice = np.concatenate

    weighted = calibration_of(y, stated, folds, np.where(folds == 0, 2.0, 1.0))
    repeated = calibration_of(
        twice([y, y[folds == 0]]), twice([stated, stated[folds == 0]]), twice([folds, folds[folds == 0]])
    )

    assert weighted.slope == pytest.approx(repeated.slope, rel=1e-6)


@pytest.mark.parametrize(
    ("calibration", "given", "expected"),
    [
        (Calibration("sigmoid", 2.0, 0.0), [[0.2, 0.8]], [[1 / 17, 16 / 17]]),
        (Calibration("sigmoid", 1.0, np.log(3.0)), [[0.5, 0.5]], [[0.25, 0.75]]),
        (Calibration("temperature", 2.0), [[0.2, 0.8]], [[1 / 17, 16 / 17]]),
        (Calibration("temperature", 0.5), [[0.64, 0.32, 0.04]], [[0.8 / 1.5657, 0.5657 / 1.5657, 0.2 / 1.5657]]),
    ],
)
def test_a_calibration_can_be_applied_by_hand(
    calibration: Calibration, given: list[list[float]], expected: list[list[float]]
) -> None:
    assert calibration.apply(np.array(given)) == pytest.approx(np.array(expected), abs=1e-4)


@settings(max_examples=50, deadline=None)
@given(
    slope=st.floats(1e-3, 1e3),
    intercept=st.floats(-50, 50),
    positive=st.lists(st.floats(0, 1), min_size=1, max_size=20),
)
def test_calibrated_probabilities_are_probabilities_in_the_same_order(
    slope: float, intercept: float, positive: list[float]
) -> None:
    calibration = Calibration("sigmoid", slope, intercept)

    result = Calibration(**calibration.to_json()).apply(two(np.sort(positive)))

    assert np.isfinite(result).all()
    assert np.allclose(result.sum(axis=1), 1)
    assert (np.diff(result[:, 1]) >= 0).all()


def bent(rows: int) -> tuple["np.ndarray", "np.ndarray", "np.ndarray"]:
    """Labels, and stated probabilities that no sigmoid of the log-odds undoes: confident on one side alone."""
    generator = np.random.default_rng(2)
    odds = generator.normal(0, 2, rows)
    y = (generator.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)
    return y, two(1 / (1 + np.exp(-np.where(odds > 0, 4 * odds, 0.3 * odds)))), np.arange(rows) % 5


def test_a_bend_that_no_sigmoid_undoes_is_undone_from_3000_rows_on() -> None:
    few, many = bent(LEAST_ROWS_ISOTONIC - 1), bent(LEAST_ROWS_ISOTONIC)

    assert calibration_of(*few).method == "sigmoid"
    found = calibration_of(*many)
    assert found.method == "isotonic"
    assert 2 <= len(found.knots) <= 100
    assert LOG_LOSS(many[0], found.apply(many[1])) < LOG_LOSS(many[0], calibration_of(*few).apply(many[1])) - 0.005


def test_an_isotonic_calibration_keeps_every_rank() -> None:
    y, stated, folds = bent(5000)

    calibrated = calibration_of(y, stated, folds).apply(stated)

    assert (np.argsort(calibrated[:, 1], kind="stable") == np.argsort(stated[:, 1], kind="stable")).all()
    assert METRICS["roc_auc"](y, calibrated) == METRICS["roc_auc"](y, stated)
    assert ((calibrated > 0) & (calibrated < 1)).all()


def test_pooling_is_scikit_learns_isotonic_regression() -> None:
    y, stated, _ = bent(3000)
    y[:30], stated[:30] = 0, stated[0]  # ties

    knots = np.array(fit_isotonic(y, stated, np.ones(len(y))).knots)

    odds = np.log(stated[:, 1] / stated[:, 0])
    reference = IsotonicRegression(out_of_bounds="clip").fit(odds, y).predict(knots[:, 0])
    assert np.abs(1 / (1 + np.exp(-knots[:, 1])) - reference).mean() < 0.02


def shifted_classes(rows: int) -> tuple["np.ndarray", "np.ndarray", "np.ndarray"]:
    """Labels of three classes, and stated probabilities that name the first too often."""
    generator = np.random.default_rng(3)
    logs = generator.normal(0, 1.5, (rows, 3))
    right = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    y = np.array([generator.choice(3, p=p) for p in right])
    stated = right * np.array([6.0, 1.0, 0.5])
    return y, stated / stated.sum(axis=1, keepdims=True), np.arange(rows) % 5


def test_several_classes_get_an_intercept_each_from_500_rows_on() -> None:
    y, stated, folds = shifted_classes(4000)

    found = calibration_of(y, stated, folds)

    assert found.method == "vector"
    assert np.exp(found.intercepts[1] - found.intercepts[0]) == pytest.approx(6.0, rel=0.15)
    assert np.exp(found.intercepts[2] - found.intercepts[1]) == pytest.approx(2.0, rel=0.15)
    assert calibration_of(*shifted_classes(LEAST_ROWS_VECTOR - 1)).method == "temperature"
    assert calibration_of(*shifted_classes(LEAST_ROWS_VECTOR)).method == "vector"


def test_no_calibration_is_paid_for_by_the_studys_metric() -> None:
    y, stated, folds = shifted_classes(2000)
    first = Metric("first", True, ("multiclass",), lambda y, p, w: float(p[:, 0].mean()))

    assert calibrate(y, stated, folds, metric=METRICS["log_loss"]).calibration.method == "vector"
    assert calibrate(y, stated, folds, metric=first).calibration == Calibration()


def test_the_calibration_error_is_told_before_and_after_out_of_fold() -> None:
    y, stated, folds = drawn(5.0)

    found = calibrate(y, stated, folds)

    assert found.error_before == calibration_error(y, stated)
    assert found.error_after == calibration_error(y, found.crossed)
    assert found.error_before > 0.1 > 0.05 > found.error_after


@pytest.mark.parametrize(
    ("y", "probabilities", "expected"),
    [
        ([0, 1, 0, 1], [[0.5, 0.5]] * 4, 0.5),  # a bin a row
        ([1] * 15 + [0] * 30, [[0.25, 0.75]] * 15 + [[0.75, 0.25]] * 30, 0.25),
        ([0] * 30, [[1.0, 0.0]] * 30, 0.0),
        ([0] * 15 + [1] * 30, [[0.6, 0.3, 0.1]] * 15 + [[0.8, 0.1, 0.1]] * 30, (0.4 + 2 * 0.8) / 3),
    ],
)
def test_the_calibration_error_by_hand(y: list[int], probabilities: list[list[float]], expected: float) -> None:
    assert calibration_error(np.array(y), np.array(probabilities)) == pytest.approx(expected)


def test_a_calibration_of_an_older_version_is_read() -> None:
    assert Calibration.from_json({"method": "sigmoid", "slope": 2.0, "intercept": 0.5}) == Calibration(
        "sigmoid", 2.0, 0.5
    )


KNOTS = st.lists(st.tuples(st.floats(0.05, 3), st.floats(0.05, 3)), min_size=2, max_size=10)


@settings(max_examples=50, deadline=None)
@given(steps=KNOTS, slope=st.floats(0.1, 5), positive=st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_isotonic_probabilities_are_probabilities_in_the_same_order(
    steps: list[tuple[float, float]], slope: float, positive: list[float]
) -> None:
    knots = tuple((float(x), float(y)) for x, y in np.cumsum(steps, axis=0) - 5)
    calibration = Calibration("isotonic", slope, knots=knots)

    result = Calibration.from_json(calibration.to_json()).apply(two(np.sort(positive)))

    assert Calibration.from_json(calibration.to_json()) == calibration
    assert np.allclose(result.sum(axis=1), 1)
    assert ((result > 0) & (result < 1)).all()
    assert (np.diff(result[:, 1]) >= 0).all()


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration("sigmoid", 1.7, -0.4),
        Calibration("isotonic", 0.8, knots=((-2.0, -1.0), (0.0, 0.5), (1.0, 0.7))),
        Calibration("temperature", 0.6),
    ],
)
def test_the_slope_is_that_of_the_log_odds(calibration: Calibration) -> None:
    odds = np.array([-4.0, -1.3, 0.4, 3.0])
    step = 1e-5

    def log_odds(given: "np.ndarray") -> "np.ndarray":
        result = calibration.apply(two(1 / (1 + np.exp(-given))))
        return np.log(result[:, 1] / result[:, 0])

    slope = (log_odds(odds + step) - log_odds(odds - step)) / (2 * step)
    assert calibration.slope_at(two(1 / (1 + np.exp(-odds)))) == pytest.approx(slope, rel=1e-3)
