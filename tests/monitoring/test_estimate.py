import numpy as np
import pytest

from automl_assets.core.evidence import Drop
from automl_assets.evaluation.expectations import Expectations, Measured, build_expectations
from automl_assets.evaluation.variation import Natural
from automl_assets.learn.score import METRICS
from automl_assets.monitoring.estimate import LEAST_ROWS, drop_from, estimate_performance


def batch(rows: int, seed: int, *, harder: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels and calibrated probabilities; `harder` shrinks the log-odds, so that less can be known."""
    generator = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-generator.normal(0, 1.5, rows) / harder))
    return (generator.random(rows) < p).astype(int), np.column_stack([1 - p, p])


def expectations_of(y: np.ndarray, predicted: np.ndarray, metric: str = "roc_auc") -> Expectations:
    return build_expectations(metric, y, predicted, target=y)


def test_an_unchanged_batch_has_no_drop_and_a_harder_one_has() -> None:
    expected = expectations_of(*batch(4_000, 0))

    same = estimate_performance("roc_auc", batch(2_000, 1)[1], expected, tolerance=0.02)
    harder = estimate_performance("roc_auc", batch(2_000, 2, harder=2.0)[1], expected, tolerance=0.02)

    assert same.drop is not None
    assert harder.drop is not None
    assert not same.drop.certain(2.0)
    assert harder.drop.certain(4.0)
    assert harder.drop.value > 0.05


def test_the_estimate_follows_what_labels_would_show() -> None:
    expected = expectations_of(*batch(5_000, 0))
    for seed in range(5):
        y, predicted = batch(2_000, 10 + seed, harder=1 + seed / 2)
        found = estimate_performance("roc_auc", predicted, expected, tolerance=0.02, seed=seed)
        assert found.value is not None
        assert found.value.value == pytest.approx(METRICS["roc_auc"](y, predicted), abs=0.03)
        assert found.value.low < found.value.value < found.value.high


def test_a_bias_that_the_holdout_shows_is_subtracted() -> None:
    y, predicted = batch(5_000, 0)
    sure = predicted**3 / (predicted**3).sum(axis=1, keepdims=True)  # too sure of itself
    expected = expectations_of(y, sure, "log_loss")

    blind = estimate_performance("log_loss", sure, None, tolerance=0.02)
    found = estimate_performance("log_loss", sure, expected, tolerance=0.02)

    truth = METRICS["log_loss"](y, sure)
    assert blind.value is not None
    assert found.value is not None
    assert blind.value.value < truth - 0.2
    assert expected.estimated is not None
    assert found.value.value == pytest.approx(truth, rel=0.01)
    assert isinstance(found.drop, Drop)
    assert found.drop.value == 0.0
    assert found.drop.tolerance == pytest.approx(0.02 * expected.estimated.value)


def test_a_bias_that_may_be_chance_is_not_subtracted() -> None:
    y, predicted = batch(300, 5)
    expected = expectations_of(y, predicted)
    assert expected.realised is not None
    assert expected.estimated is not None
    near = expected.realised.model_copy(update={"value": expected.estimated.value + 0.01, "standard_error": 0.02})

    found = estimate_performance("roc_auc", predicted, expected.model_copy(update={"realised": near}), tolerance=0.02)

    assert found.value is not None
    assert found.value.value == expected.estimated.value


def test_numbers_are_estimated_from_their_expected_losses() -> None:
    generator = np.random.default_rng(0)
    predicted, losses = generator.normal(0, 1, 2_000), np.full(2_000, 4.0)
    y = predicted + generator.normal(0, 2, 2_000)
    expected = build_expectations("rmse", y, predicted, target=y, losses=losses)

    found = estimate_performance("rmse", predicted, expected, tolerance=0.05, losses=2 * losses)

    assert found.value is not None
    assert found.drop is not None
    assert found.drop.value == pytest.approx(8**0.5 - 2)
    assert found.drop.tolerance == pytest.approx(0.1)
    assert found.value.value == pytest.approx(8**0.5, rel=0.01)
    assert "loss model" in found.reason


@pytest.mark.parametrize(
    ("predicted", "no_losses", "reason"),
    [
        (np.full((LEAST_ROWS - 1, 2), 0.5), "", f"not estimated: {LEAST_ROWS - 1} rows; {LEAST_ROWS} are needed"),
        (np.ones(100), "it is older", "not estimated: it is older"),
        (np.ones(100), "", "not estimated: there are no expected losses"),
        (np.tile([1.0, 0.0], (100, 1)), "", "not estimated: roc_auc is undefined on these rows"),
    ],
)
def test_what_cannot_be_estimated_says_why(predicted: np.ndarray, no_losses: str, reason: str) -> None:
    found = estimate_performance("roc_auc" if predicted.ndim == 2 else "rmse", predicted, None, tolerance=0.02,
                                 no_losses=no_losses)  # fmt: skip

    assert (found.value, found.drop, found.reason) == (None, None, reason)


def test_without_expectations_there_is_an_estimate_and_no_drop() -> None:
    found = estimate_performance("brier", batch(500, 0)[1], None, tolerance=0.02)

    assert found.value is not None
    assert found.drop is None
    assert "no expectations" in found.reason


@pytest.mark.parametrize(
    ("metric", "reference", "now", "worse", "allowed"),
    [
        ("roc_auc", 0.9, 0.8, 0.1, 0.02),
        ("roc_auc", 0.8, 0.9, -0.1, 0.02),
        ("brier", 0.1, 0.3, 0.2, 0.02),
        ("r2", 0.5, -0.5, 1.0, 0.02),
        ("log_loss", 0.5, 0.6, 0.1, 0.01),
        ("rmse", 100.0, 90.0, -10.0, 2.0),
        ("mape", 0.0, 0.1, 0.1, 0.0),
    ],
)
def test_a_drop_is_positive_when_worse_and_its_tolerance_in_the_metrics_units(
    metric: str, reference: float, now: float, worse: float, allowed: float
) -> None:
    usual = (Natural(rows=500, level=reference, deviation=12.0), Natural(rows=2_000, level=99.0, deviation=5.0))
    measured = Measured(value=reference, standard_error=3.0, natural=usual)

    drop = drop_from(METRICS[metric], measured, now, 4.0, rows=600, tolerance=0.02)

    assert drop.value == pytest.approx(worse)
    assert drop.tolerance == pytest.approx(allowed)
    assert drop.standard_error == pytest.approx(13.0)  # 3, 4 and 12


def test_an_estimate_stays_where_the_metric_can_be() -> None:
    y, predicted = batch(400, 0)
    perfect = expectations_of((predicted[:, 1] > 0.5).astype(int), predicted)  # measured 1, estimated less

    found = estimate_performance("roc_auc", predicted, perfect, tolerance=0.02)

    assert found.value is not None
    assert found.value.high == 1.0
    assert len(y) == 400
