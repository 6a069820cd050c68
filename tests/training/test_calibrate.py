import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from automl_assets.learn.score import METRICS
from automl_assets.training.calibrate import LEAST_ROWS, Calibration, calibrate

LOG_LOSS = METRICS["log_loss"]


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

    found = calibrate(y, stated, folds)

    assert found.method == "sigmoid"
    assert found.slope == pytest.approx(1 / scale, rel=0.15)
    assert found.intercept == pytest.approx(0.0, abs=0.15)
    assert LOG_LOSS(y, found.apply(stated)) < LOG_LOSS(y, stated)


def test_a_shift_of_all_log_odds_is_undone() -> None:
    y, stated, folds = drawn(1.0, shift=2.0)

    found = calibrate(y, stated, folds)

    assert (found.slope, found.intercept) == (pytest.approx(1.0, rel=0.15), pytest.approx(-2.0, abs=0.3))


def test_the_sigmoid_is_scikit_learns_logistic_regression_on_the_log_odds() -> None:
    y, stated, folds = drawn(3.0)
    odds = np.log(stated[:, 1] / stated[:, 0])

    found = calibrate(y, stated, folds)

    reference = LogisticRegression(C=np.inf).fit(odds[:, None], y)
    assert found.slope == pytest.approx(reference.coef_[0, 0], rel=0.01)
    assert found.intercept == pytest.approx(reference.intercept_[0], abs=0.01)


def test_probabilities_that_are_right_stay_as_they_are() -> None:
    y, stated, folds = drawn(1.0)

    found = calibrate(y, stated, folds)

    assert found == Calibration()
    assert found.apply(stated) is stated


def test_coins_that_are_called_fair_stay_so() -> None:
    assert calibrate(np.arange(300) % 2, two(np.full(300, 0.5)), np.arange(300) // 60).method == "none"


def test_a_gain_on_the_fitted_rows_that_other_folds_do_not_share_does_not_count() -> None:
    """0.75 for all would be better than 0.5 on all rows, but each fold teaches the opposite of the other."""
    folds = np.r_[np.zeros(300, int), np.ones(100, int)]
    y, stated = 1 - folds, two(np.full(400, 0.5))
    assert LOG_LOSS(y, two(np.full(400, 0.75))) < LOG_LOSS(y, stated)

    assert calibrate(y, stated, folds).method == "none"


def test_few_rows_are_not_calibrated() -> None:
    y, stated, folds = drawn(5.0, rows=LEAST_ROWS - 1)
    assert calibrate(y, stated, folds).method == "none"

    y, stated, folds = drawn(5.0, rows=LEAST_ROWS)
    assert calibrate(y, stated, folds).method == "sigmoid"


def test_a_single_fold_is_split_in_two() -> None:
    y, stated, _ = drawn(5.0)

    assert calibrate(y, stated, np.zeros(len(y), int)).slope == pytest.approx(0.2, rel=0.15)


@pytest.mark.parametrize("temperature", [0.5, 2.0, 4.0])
def test_several_classes_get_one_temperature(temperature: float) -> None:
    generator = np.random.default_rng(1)
    logs = generator.normal(0, 1.5, (3000, 4))
    right = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    y = np.array([generator.choice(4, p=p) for p in right])
    sharp = np.exp(temperature * logs) / np.exp(temperature * logs).sum(axis=1, keepdims=True)

    found = calibrate(y, sharp, np.arange(3000) % 5)

    assert found.method == "temperature"
    assert found.slope == pytest.approx(1 / temperature, rel=0.1)
    assert LOG_LOSS(y, found.apply(sharp)) < LOG_LOSS(y, sharp)


def test_weights_count() -> None:
    y, stated, folds = drawn(5.0)
    twice = np.concatenate

    weighted = calibrate(y, stated, folds, np.where(folds == 0, 2.0, 1.0))
    repeated = calibrate(
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
