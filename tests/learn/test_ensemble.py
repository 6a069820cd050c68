import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.learn.ensemble import MOST_ROWS, blend, cross_fitted, greedy_weights
from automl_assets.learn.score import METRICS

RMSE, MAE, AUC, LOG_LOSS = METRICS["rmse"], METRICS["mae"], METRICS["roc_auc"], METRICS["log_loss"]

RMSE = METRICS["rmse"]


@pytest.mark.parametrize(
    ("y", "predictions", "weights"),
    [
        # errors of opposite sign cancel: half and half is perfect
        ([0, 0], [[1, -1], [-1, 1]], [0.5, 0.5]),
        # 0.75 * 1 - 0.25 * 3 = 0
        ([0, 0], [[1, 1], [-3, -3]], [0.75, 0.25]),
        # one is perfect, the rest can only hurt
        ([1, 2], [[0, 0], [1, 2], [3, 3]], [0.0, 1.0, 0.0]),
        # equal ones: all weight on the first
        ([1, 2], [[1, 1], [1, 1]], [1.0, 0.0]),
        # one alone
        ([5, 6], [[0, 0]], [1.0]),
    ],
)
def test_weights_can_be_computed_by_hand(y: list[float], predictions: list[list[float]], weights: list[float]) -> None:
    found = greedy_weights(RMSE, np.array(y, float), [np.array(p, float) for p in predictions])

    assert found.tolist() == pytest.approx(weights)


def test_a_greedy_step_that_helps_nothing_yet_may_lead_to_one_that_does() -> None:
    """Rounds go on past a round that does not help; only the best prefix counts."""
    y = np.array([0.0, 0.0, 0.0])
    predictions = [np.array([0.0, 0.0, 3.0]), np.array([3.0, 0.0, -3.0]), np.array([-3.0, 0.0, 0.0])]

    found = greedy_weights(RMSE, y, predictions)

    assert RMSE(y, found @ np.array(predictions)) < min(RMSE(y, p) for p in predictions)
    assert found.tolist() == pytest.approx([1 / 3] * 3, abs=0.1)


def test_heavy_rows_decide() -> None:
    y = np.array([0.0, 0.0])
    predictions = [np.array([0.0, 1.0]), np.array([1.0, 0.0])]

    assert greedy_weights(MAE, y, predictions, weight=np.array([9.0, 1.0])).tolist() == [1.0, 0.0]
    assert greedy_weights(MAE, y, predictions, weight=np.array([1.0, 9.0])).tolist() == [0.0, 1.0]


def test_where_the_metric_is_undefined_the_best_single_has_all_weight() -> None:
    only_negatives = np.zeros(4, int)
    predictions = [np.full((4, 2), 0.5), np.full((4, 2), 0.5)]

    assert greedy_weights(AUC, only_negatives, predictions).tolist() == [1.0, 0.0]


def test_more_rows_than_twenty_thousand_are_sampled_with_their_weights() -> None:
    rows = MOST_ROWS + 5_000
    y = np.zeros(rows)
    predictions = [np.ones(rows), -np.ones(rows), np.full(rows, 7.0)]

    found = greedy_weights(RMSE, y, predictions, weight=np.ones(rows))

    assert found.tolist() == pytest.approx([0.5, 0.5, 0.0])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), members=st.integers(1, 6), metric=st.sampled_from(["rmse", "mae", "r2"]))
def test_weights_sum_to_one_and_the_blend_is_never_worse_than_the_best_single(
    seed: int, members: int, metric: str
) -> None:
    generator = np.random.default_rng(seed)
    y = generator.normal(size=40)
    predictions = [y + generator.normal(0, generator.uniform(0.1, 2), 40) for _ in range(members)]
    judge = METRICS[metric]

    found = greedy_weights(judge, y, predictions)

    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    assert (found >= 0).all()
    blended = sum(w * p for w, p in zip(found, predictions, strict=True))
    assert judge.loss(judge(y, blended)) <= min(judge.loss(judge(y, p)) for p in predictions) + 1e-9


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), metric=st.sampled_from(["log_loss", "roc_auc", "accuracy", "brier"]))
def test_the_same_holds_for_probabilities(seed: int, metric: str) -> None:
    generator = np.random.default_rng(seed)
    y = np.r_[0, 1, 2, generator.integers(0, 3, 57)]
    predictions = [generator.dirichlet(np.ones(3), 60) for _ in range(3)]
    judge = METRICS[metric]

    found = greedy_weights(judge, y, predictions)

    blended = sum(w * p for w, p in zip(found, predictions, strict=True))
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    assert judge.loss(judge(y, blended)) <= min(judge.loss(judge(y, p)) for p in predictions) + 1e-9


def test_cross_fitted_weights_are_the_mean_of_those_found_without_each_part() -> None:
    generator = np.random.default_rng(1)
    y = generator.normal(size=90)
    predictions = [y + generator.normal(0, spread, 90) for spread in (0.5, 0.6, 0.7)]
    parts = np.arange(90) % 3

    weights, nested = cross_fitted(RMSE, y, predictions, parts)

    each = [greedy_weights(RMSE, y[parts != k], [p[parts != k] for p in predictions]) for k in range(3)]
    assert weights == pytest.approx(np.mean(each, axis=0))
    assert nested[parts == 1] == pytest.approx(blend(each[1], [p[parts == 1] for p in predictions]))


def test_the_nested_estimate_is_not_fooled_by_what_fits_by_chance() -> None:
    generator = np.random.default_rng(2)
    y = generator.normal(size=60)
    noise = [generator.normal(size=60) for _ in range(40)]

    in_hindsight = blend(greedy_weights(RMSE, y, noise), noise)
    _, nested = cross_fitted(RMSE, y, noise)

    assert RMSE(y, in_hindsight) < y.std() < RMSE(y, nested)
