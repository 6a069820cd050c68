from collections.abc import Callable

import numpy as np
import pytest

from automl_assets.evaluation.expectations import Measured
from automl_assets.evaluation.variation import (
    Natural,
    measured_on,
    natural_by_length,
    natural_distances,
    natural_variation,
    resampled,
)
from automl_assets.learn.score import METRICS, bootstrap
from tests.evaluation.test_expectations import binary


@pytest.mark.parametrize(("rows", "varies"), [(599, False), (600, True), (5_000, True)])
def test_variation_over_time_is_seen_from_three_stretches_on(rows: int, varies: bool) -> None:
    level = np.sin(np.linspace(0, 2 * np.pi, rows))
    noise = np.random.default_rng(0).normal(0, 1, rows)

    def measure(part: slice) -> tuple[float, float]:
        values = (level + noise)[part]
        return float(values.mean()), float(values.std() / len(values) ** 0.5)

    found = natural_variation(rows, measure)

    assert (found > 0) is varies
    if rows == 5_000:
        assert found == pytest.approx(0.7, abs=0.1)  # the standard deviation of a sine


def test_stationary_rows_seldom_vary_over_time() -> None:
    found = [natural_variation(4_000, lambda part, s=seed: noise_of(s, part)) for seed in range(200)]

    assert np.mean(np.array(found) > 0) == pytest.approx(0.1, abs=0.06)


def noise_of(seed: int, part: slice) -> tuple[float, float]:
    values = np.random.default_rng(seed).normal(0, 1, 4_000)[part]
    return float(values.mean()), 1 / len(values) ** 0.5


def test_stretches_where_the_metric_is_undefined_are_left_out() -> None:
    assert natural_variation(4_000, lambda part: None) == 0.0
    assert natural_variation(0, lambda part: (1.0, 1.0)) == 0.0


def test_resampling_a_part_of_many_rows_shows_the_spread_of_all() -> None:
    y, predicted = binary(45_000)
    metric = METRICS["brier"]

    found = resampled(metric, y, predicted, resamples=200)

    assert found.mean() == pytest.approx(metric(y, predicted), abs=3e-4)
    assert found.std() == pytest.approx(bootstrap(metric, y, [predicted], resamples=200).std(), rel=0.2)
    assert measured_on(METRICS["roc_auc"], y[y == 0], predicted[y == 0]) is None


@pytest.mark.parametrize(
    ("what", "values", "classes", "least", "most"),
    [
        ("rows in no order", np.random.default_rng(0).normal(size=20_000), 0, 0.0, 0.0),
        ("a season of 4,000 rows", np.sin(np.arange(20_000) / 4_000 * 6.28), 0, 0.6, 0.9),
        ("classes in no order", np.random.default_rng(1).integers(0, 3, 20_000), 3, 0.0, 0.0),
        ("classes that come in stretches", np.arange(20_000) // 2_000 % 2, 2, 0.4, 0.5),
        ("too few rows", np.arange(900.0), 0, None, None),
        ("numbers that are missing", np.full(5_000, np.nan), 0, 0.0, 0.0),
    ],
)
def test_what_windows_of_the_rows_differ_from_all_of_them(
    what: str, values: np.ndarray, classes: int, least: float | None, most: float | None
) -> None:
    found = dict(natural_distances(values, classes))
    if least is None or most is None:
        assert found == {}, what
    else:
        assert list(found) == [500, 2_000, 8_000][: len(found)]
        assert least <= found[500] <= most, (what, found)


@pytest.mark.parametrize(("rows", "natural"), [(100, 12.0), (500, 12.0), (1_999, 12.0), (2_000, 5.0), (90_000, 5.0)])
def test_what_is_natural_depends_on_how_long_a_batch_is(rows: int, natural: float) -> None:
    usual = (Natural(rows=500, level=2.0, deviation=12.0), Natural(rows=2_000, level=1.5, deviation=5.0))
    found = Measured(value=1.0, standard_error=0.1, natural=usual)
    assert found.natural_at(rows).deviation == natural
    none = Measured(value=1.0, standard_error=0.1).natural_at(rows)
    assert (none.level, none.deviation) == (1.0, 0.0)


def test_a_season_shows_in_stretches_that_are_shorter_than_it() -> None:
    season = np.sin(np.arange(10_000) / 1_000 * 2 * np.pi)

    def measure(rows: slice | np.ndarray) -> tuple[float, float]:
        return float(season[rows].mean()), 0.02

    found = {natural.rows: natural.deviation for natural in natural_by_length(10_000, 0.2, 0.0, measure, measure)}
    assert list(found) == [500, 2_000, 8_000]
    assert found[500] > 0.4
    assert found[8_000] < 0.2


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision"])
def test_the_usual_level_of_a_short_time_is_its_own(metric: str) -> None:
    """Half of what the score ranks is the season, which no short time shows; and few rows alone change no level."""
    generator = np.random.default_rng(0)
    season = np.sin(np.arange(20_000) / 5_000 * 2 * np.pi)
    same, other = generator.normal(size=(2, 20_000))
    seasonal, steady = (_measured(metric, part + same, generator) for part in (season, other))
    whole, steadily = seasonal(slice(None))[0], steady(slice(None))[0]

    by_season = {natural.rows: natural.level for natural in natural_by_length(20_000, 0.2, whole, seasonal, seasonal)}
    by_chance = {natural.rows: natural.level for natural in natural_by_length(20_000, 0.2, steadily, steady, steady)}
    assert by_season[500] < by_season[2_000] < whole - 0.01
    assert set(by_chance.values()) == {steadily}


def _measured(
    metric: str, score: np.ndarray, generator: np.random.Generator
) -> Callable[[slice | np.ndarray], tuple[float, float]]:
    y = (score + generator.logistic(size=len(score)) > 1).astype(int)
    p = 1 / (1 + np.exp(1 - score))

    def measure(rows: slice | np.ndarray) -> tuple[float, float]:
        return METRICS[metric](y[rows], np.column_stack([1 - p, p])[rows]), 0.01

    return measure
