"""Which candidates make the model, on predictions whose worth is known."""

import numpy as np
import pytest

from automl_assets.learn.score import METRICS
from automl_assets.training.choose import MOST_MB, MOST_MS, Cost, choose, row_ms, size_mb

RMSE = METRICS["rmse"]
CHEAP = Cost("codes", 0.1, 0.05, (0.1,) * 5)


def noisy(*spreads: float, rows: int = 2_000) -> tuple[np.ndarray, list[np.ndarray]]:
    """A target, and predictions whose errors are independent."""
    generator = np.random.default_rng(0)
    y = generator.normal(size=rows)
    return y, [y + generator.normal(scale=spread, size=rows) for spread in spreads]


def test_folds_with_one_view_share_their_encoding() -> None:
    codes, dense = Cost("codes", 1.0, 0.5, (1.0,) * 4), Cost("dense", 2.0, 0.25, (2.0,) * 2)
    assert row_ms([codes]) == pytest.approx(4 * 1.0 + 4 * 0.5)
    assert row_ms([codes, codes]) == pytest.approx(8 * 1.0 + 4 * 0.5)
    assert row_ms([codes, dense]) == pytest.approx(4 + 2 + 4 + 0.5)
    assert size_mb([codes, dense]) == 8.0


def test_within_the_limits_all_that_helps_is_kept() -> None:
    y, predictions = noisy(0.5, 0.5, 0.5)
    choice = choose(RMSE, y, predictions, [CHEAP] * 3, "balanced")
    assert choice.weights == pytest.approx([1 / 3] * 3, abs=0.05)
    assert choice.folds == (5, 5, 5)


@pytest.mark.parametrize("prefer", ["accuracy", "balanced", "latency"])
def test_a_row_costs_no_more_than_it_may(prefer: str) -> None:
    y, predictions = noisy(0.50, 0.51, 0.52, 0.53, 0.54)
    costs = [Cost("codes", each, 0.1, (0.5,) * 5) for each in (1.0, 0.8, 1.2, 0.6, 0.5)]
    choice = choose(RMSE, y, predictions, costs, prefer)  # type: ignore[arg-type]
    kept = [cost.with_folds(n) for cost, n, w in zip(costs, choice.folds, choice.weights, strict=True) if w]
    assert 0 < row_ms(kept) <= MOST_MS[prefer]
    assert choice.weights.sum() == pytest.approx(1.0)


def test_the_dear_one_goes_when_the_cheap_ones_do_as_well() -> None:
    y, predictions = noisy(0.5, 0.5, 0.5)
    choice = choose(RMSE, y, predictions, [CHEAP, Cost("codes", 9.0, 0.1, (0.1,) * 5), CHEAP], "balanced")
    assert choice.weights[1] == 0.0
    assert (choice.weights[[0, 2]] > 0).all()


def test_the_files_have_a_limit_too() -> None:
    y, predictions = noisy(0.5, 0.5)
    choice = choose(RMSE, y, predictions, [CHEAP, Cost("codes", 0.1, 0.1, (20.0,) * 5)], "accuracy")
    assert choice.weights.tolist() == [1.0, 0.0]


def test_one_that_is_alone_and_too_dear_keeps_fewer_folds() -> None:
    y, predictions = noisy(0.5)
    slow = choose(RMSE, y, predictions, [Cost("codes", 1.5, 0.1, (1.0,) * 8)], "latency")
    assert slow.folds == (2,)
    large = choose(RMSE, y, predictions, [Cost("codes", 0.1, 0.1, (20.0,) * 5)], "accuracy")
    assert large.folds == (int(MOST_MB // 20.0),)
    hopeless = choose(RMSE, y, predictions, [Cost("codes", 99.0, 0.1, (200.0,) * 5)], "latency")
    assert hopeless.folds == (1,)


@pytest.mark.parametrize(("ensemble", "weights"), [("best", [1, 0, 0, 0, 0, 0]), ("voting", [0.2] * 5 + [0])])
def test_an_ensemble_by_name(ensemble: str, weights: list[float]) -> None:
    y, predictions = noisy(0.5, 0.6, 0.7, 0.8, 0.9, 0.4)

    choice = choose(RMSE, y, predictions, [CHEAP] * 6, "balanced", ensemble=ensemble)  # type: ignore[arg-type]

    assert choice.weights == pytest.approx(weights)
    assert choice.nested == pytest.approx(np.average(predictions, axis=0, weights=weights))


def test_what_would_vote_and_is_too_dear_does_not() -> None:
    y, predictions = noisy(0.5, 0.6, 0.7)
    costs = [CHEAP, CHEAP, Cost("codes", 9.0, 0.1, (0.1,) * 5)]

    choice = choose(RMSE, y, predictions, costs, "balanced", ensemble="voting")

    assert choice.weights.tolist() == [0.5, 0.5, 0.0]
