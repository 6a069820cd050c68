import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.learn import expected
from automl_assets.learn.expected import (
    LEAST_RESAMPLED_ROWS,
    estimate_metric,
    expected_value,
    loss_metric,
    resampled_rows,
)
from automl_assets.learn.score import METRICS, metrics_for


def probabilities(rows: int, classes: int, seed: int = 0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(0, 1.5, (rows, classes))
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def drawn(p: np.ndarray, seed: int = 1) -> np.ndarray:
    return (np.random.default_rng(seed).random(len(p))[:, None] > p.cumsum(axis=1)).sum(axis=1)


CASES = [(classes, m.name) for classes, kind in ((2, "binary"), (4, "multiclass")) for m in metrics_for(kind)]


@pytest.mark.parametrize(("classes", "name"), CASES)
@settings(max_examples=25, deadline=None)
@given(rows=st.integers(2, 60), seed=st.integers(0, 10_000), digits=st.sampled_from([1, 6]), weighted=st.booleans())
def test_with_known_labels_the_expected_metric_is_the_metric(
    classes: int, name: str, rows: int, seed: int, digits: int, weighted: bool
) -> None:
    predicted = probabilities(rows, classes, seed).round(digits) + 1e-3  # rounded ones have ties
    y = drawn(probabilities(rows, classes, seed), seed)
    weight = np.random.default_rng(seed).uniform(0.1, 3, rows) if weighted else np.ones(rows)

    found = expected_value(METRICS[name], predicted, np.eye(classes)[y] * weight[:, None])

    assert found == pytest.approx(METRICS[name](y, predicted, weight), rel=1e-9, nan_ok=True)


@pytest.mark.parametrize(("classes", "name"), CASES)
def test_of_calibrated_probabilities_the_estimate_is_the_mean_of_what_labels_would_show(
    classes: int, name: str
) -> None:
    p, metric = probabilities(600, classes), METRICS[name]
    shown = [metric(drawn(p, seed), p) for seed in range(300)]

    found = estimate_metric(metric, p)

    assert found is not None
    assert found.band.value == pytest.approx(np.mean(shown), abs=4 * np.std(shown) / 300**0.5 + 2e-3)


@pytest.mark.parametrize(("classes", "name"), [(2, "roc_auc"), (4, "log_loss")])
def test_the_band_holds_the_measured_value_in_95_percent_of_batches(classes: int, name: str) -> None:
    metric, inside = METRICS[name], []
    for seed in range(40):
        p = probabilities(300, classes, seed)
        found = estimate_metric(metric, p, seed=seed)
        assert found is not None
        inside.append(found.band.low <= metric(drawn(p, seed), p) <= found.band.high)

    assert sum(inside) >= 33  # of Binomial(40, 0.95): in 99.7%


def test_the_standard_error_is_the_spread_of_estimates_over_batches() -> None:
    metric = METRICS["roc_auc"]
    found = [estimate_metric(metric, probabilities(500, 2, seed), band=False) for seed in range(200)]

    spread = np.std([e.band.value for e in found if e])
    assert np.mean([e.standard_error for e in found if e]) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize("name", ["rmse", "mae", "mape", "r2"])
def test_with_known_losses_the_estimate_of_a_number_is_the_metric(name: str) -> None:
    generator = np.random.default_rng(0)
    predicted = generator.normal(10, 2, 4_000)
    y = predicted + generator.normal(0, 1, 4_000)
    rows = loss_metric(name).rows
    assert rows is not None

    found = estimate_metric(METRICS[name], predicted, losses=rows(y, predicted))

    assert found is not None
    assert found.band.value == pytest.approx(METRICS[name](y, predicted), rel=1e-9 if name != "r2" else 0.02)
    assert found.band.low < found.band.value < found.band.high


def test_weights_count_rows_that_often() -> None:
    p = probabilities(300, 2)
    weight = np.random.default_rng(0).integers(1, 4, 300)

    weighed = estimate_metric(METRICS["roc_auc"], p, weight=weight.astype(float), band=False)
    repeated = estimate_metric(METRICS["roc_auc"], np.repeat(p, weight, axis=0), band=False)

    assert weighed is not None
    assert repeated is not None
    assert weighed.band.value == pytest.approx(repeated.band.value)


def test_without_losses_a_number_is_not_estimated() -> None:
    with pytest.raises(ValueError, match="expected loss"):
        estimate_metric(METRICS["rmse"], np.ones(10))


def test_rows_without_spread_have_no_r2() -> None:
    assert estimate_metric(METRICS["r2"], np.ones(10), losses=np.zeros(10)) is None


def test_large_batches_resample_a_part_whose_errors_shrink() -> None:
    chosen, shrink = resampled_rows(np.zeros((80_000, 2)), 0)

    assert len(np.unique(chosen)) == 20_000
    assert shrink == 0.5
    assert resampled_rows(np.zeros(20_000), 0) == (slice(None), 1.0)
    many, _ = resampled_rows(np.zeros((80_000, 100)), 0)
    assert len(many) == LEAST_RESAMPLED_ROWS  # type: ignore[arg-type]


def test_a_part_of_the_rows_gives_the_band_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    p = probabilities(4_000, 2)
    whole = estimate_metric(METRICS["brier"], p)
    monkeypatch.setattr(expected, "MOST_RESAMPLED_CELLS", 2_000)
    monkeypatch.setattr(expected, "LEAST_RESAMPLED_ROWS", 1_000)
    part = estimate_metric(METRICS["brier"], p)

    assert whole is not None
    assert part is not None
    assert part.band.value == whole.band.value
    assert part.band.high - part.band.low == pytest.approx(whole.band.high - whole.band.low, rel=0.15)
    assert part.standard_error == pytest.approx(whole.standard_error, rel=0.2)
