import numpy as np
import pytest
from scipy import stats

from automl_assets.core.evidence import FeatureDrift
from automl_assets.evaluation.expectations import build_expectations, sketch_of
from automl_assets.monitoring.shift import (
    LEAST_ROWS,
    beyond_nature,
    category_shift,
    ks_p_value,
    numeric_shift,
    prediction_shift,
    target_shift,
)


def normal(rows: int, mean: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1, rows)


@pytest.mark.parametrize(
    ("mean", "rows", "drifted", "why"),
    [
        (0.0, 2_000, False, "no significant difference"),
        (0.1, 50_000, False, "too small to matter"),
        (0.5, 2_000, True, "drifted"),
        (0.2, 60, False, "no significant difference"),
    ],
)
def test_a_shift_counts_when_it_is_large_and_certain(mean: float, rows: int, drifted: bool, why: str) -> None:
    found = numeric_shift("x", "predictions", sketch_of(normal(20_000)), normal(rows, mean, seed=1))

    assert found.drifted is drifted
    assert found.reason.startswith(why)
    assert (found.name, found.test, found.aspect) == ("x", "ks", "predictions")


@pytest.mark.parametrize("mean", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("rounded", [False, True])
def test_the_distance_to_a_sketch_is_scipys_to_the_rows(mean: float, rounded: bool) -> None:
    reference, values = normal(30_000), normal(3_000, mean, seed=1)
    if rounded:
        reference, values = reference.round(), values.round()
    exact = stats.ks_2samp(reference, values)

    found = numeric_shift("x", "target", sketch_of(reference), values)

    assert found.effect == pytest.approx(exact.statistic, abs=1 / 512)
    assert found.p_value is not None
    if mean == 0.0 and not rounded:
        assert found.p_value == pytest.approx(exact.pvalue, abs=0.1)


@pytest.mark.parametrize(("distance", "rows", "others"), [(0.05, 1_000, 1_000), (0.1, 400, 900), (0.01, 5_000, 9_000)])
def test_the_p_value_of_a_distance_is_kolmogorovs(distance: float, rows: int, others: int) -> None:
    n = rows * others / (rows + others)
    assert ks_p_value(distance, rows, others) == pytest.approx(stats.kstwo.sf(distance, round(n)), rel=0.05, abs=1e-6)


def test_class_shares_are_compared_as_scipy_compares_them() -> None:
    before, labels = np.array([500, 300, 200]), np.repeat([0, 1, 2], [40, 30, 30])

    found = category_shift("target", "target", (0.5, 0.3, 0.2), 1_000, labels)

    assert found.effect == pytest.approx(0.1)
    expected = stats.chi2_contingency(np.array([before, [40, 30, 30]]))
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert not found.drifted


def test_a_class_that_neither_side_has_counts_for_nothing() -> None:
    labels = np.repeat([0, 1], [700, 300])
    assert category_shift("t", "target", (0.5, 0.5, 0.0), 1_000, labels).drifted
    assert category_shift("t", "target", (1.0, 0.0), 1_000, np.zeros(100, dtype=int)).p_value == 1.0


def test_too_few_rows_are_insufficient_data() -> None:
    few = numeric_shift("x", "target", sketch_of(normal(1_000)), normal(LEAST_ROWS - 1))

    assert (few.effect, few.p_value, few.drifted) == (None, None, False)
    assert few.reason == f"insufficient data: {LEAST_ROWS - 1} rows on one side"
    assert category_shift("x", "target", (1.0,), LEAST_ROWS - 1, np.zeros(100, dtype=int)).effect is None


def several(rows: int, sure: float, favoured: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    logits = sure * generator.normal(0, 1, (rows, 3))
    logits[:, favoured] += 0.5
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("sure", "favoured", "drifted", "test"), [(1.0, 0, False, None), (3.0, 0, True, "ks"), (1.0, 2, True, "tvd")]
)
def test_several_classes_are_watched_for_sureness_and_shares(
    sure: float, favoured: int, drifted: bool, test: str | None
) -> None:
    before = several(3_000, 1.0, 0)
    expected = build_expectations("log_loss", before.argmax(axis=1), before, target=np.array([0, 1, 2]))

    found = prediction_shift(expected, several(2_000, sure, favoured, seed=1))

    assert found.drifted is drifted
    assert test in (None, found.test)
    assert set(found.statistics) == {"ks", "tvd"} - {found.test}
    assert prediction_shift(expected, several(10, 1.0, 0)).effect is None


def test_the_target_is_compared_with_the_training_target() -> None:
    p = np.random.default_rng(0).random(1_000)
    predicted = np.column_stack([1 - p, p])
    labels = np.random.default_rng(1).permutation(np.repeat([0, 1], [900, 100]))
    classes = build_expectations("roc_auc", (p > 0.5).astype(int), predicted, target=labels)
    numbers = build_expectations("rmse", p, p + 0.1, target=normal(5_000))

    shifted = target_shift(classes, np.repeat([0, 1], [500, 500]))
    assert shifted is not None
    assert shifted.effect == pytest.approx(0.4)
    assert shifted.drifted
    same = target_shift(numbers, normal(1_000, seed=1))
    assert same is not None
    assert not same.drifted
    assert target_shift(classes.model_copy(update={"target_shares": ()}), np.zeros(100)) is None


@pytest.mark.parametrize(
    ("batch", "holdout", "out_of_fold", "drifted"),
    [
        (0.5, 0.5, 0.5, False), (0.5, 0.0, 0.5, False), (0.5, 0.5, 0.0, False), (0.5, 0.0, 0.0, True),
        (0.5, 0.0, 1.0, True),
    ],
)  # fmt: skip
def test_predictions_are_news_when_they_differ_from_the_holdout_s_and_from_those_out_of_fold(
    batch: float, holdout: float, out_of_fold: float, drifted: bool
) -> None:
    def values(mean: float, seed: int) -> np.ndarray:
        return normal(2_000, mean, seed) / 4

    y = values(holdout, 0)
    expected = build_expectations("rmse", y, y, target=y, out_of_fold=values(out_of_fold, 1))
    assert prediction_shift(expected, values(batch, 2)).drifted is drifted


@pytest.mark.parametrize(
    ("natural", "rows", "allowance", "drifted"),
    [
        ((), 600, 0.0, True),
        (((500, 0.1),), 600, 0.1, True),
        (((500, 0.2),), 600, 0.2, False),
        (((500, 0.2),), 100, 0.2, False),
        (((500, 0.2), (2_000, 0.05)), 600, 0.2, False),
        (((500, 0.2), (2_000, 0.05)), 5_000, 0.05, True),
    ],
)
def test_a_shift_within_what_windows_of_its_length_do_is_natural(
    natural: tuple[tuple[int, float], ...], rows: int, allowance: float, drifted: bool
) -> None:
    shift = FeatureDrift(
        name="target", test="ks", aspect="target", effect=0.2, p_value=0.0, q_value=None, drifted=True, reason="drifted"
    )
    found = beyond_nature(shift, natural, rows)
    assert (found.allowance, found.drifted, found.reason.startswith("natural")) == (allowance, drifted, not drifted)
