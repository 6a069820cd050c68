"""Imputers and scalers by hand."""

import numpy as np
import pyarrow as pa
import pytest

from automl_assets.learn.features import Encoder, Recipe
from automl_assets.learn.features.imputers import registry as imputers
from automl_assets.learn.features.scalers import registry as scalers

NAN = float("nan")


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("median", [[1.0], [2.0], [9.0], [NAN]], [[1], [2], [9], [2]]),
        ("mean", [[1.0], [2.0], [9.0], [NAN]], [[1], [2], [9], [4]]),
        ("median", [[NAN], [NAN]], [[0], [0]]),
        ("none", [[1.0], [NAN]], [[1], [NAN]]),
        ("knn", [[0, 0], [0, 1], [0, 2], [0, 3], [0, 4], [9, 50], [0, NAN]],
         [[0, 0], [0, 1], [0, 2], [0, 3], [0, 4], [9, 50], [0, 2]]),
        ("knn", [[NAN, 1.0], [3.0, NAN]], [[3, 1], [3, 1]]),
    ],
)  # fmt: skip
def test_missing_numbers_are_filled(name: str, values: list, expected: list) -> None:
    table = np.array(values, dtype=float)
    np.testing.assert_allclose(imputers.get(name).fit(table, 0).fill(table), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["knn", "iterative"])
def test_an_imputer_that_looks_at_other_columns_beats_the_median(name: str) -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=(600, 1)) + 0.1 * generator.normal(size=(600, 3))
    holes = generator.random((600, 3)) < 0.2
    values = np.where(holes, NAN, truth)
    error = {
        method: np.abs(imputers.get(method).fit(values, 0).fill(values) - truth)[holes].mean()
        for method in (name, "median")
    }
    assert error[name] < 0.4 * error["median"]


@pytest.mark.parametrize("name", ["knn", "iterative"])
def test_at_most_two_thousand_rows_are_kept_or_learnt_from(name: str) -> None:
    values = np.random.default_rng(0).normal(size=(5000, 2))
    values[::3, 0] = NAN
    fitted = imputers.get(name).fit(values, 0)
    assert len(str(fitted.to_json())) < 60_000
    assert np.isfinite(fitted.fill(values)).all()


@pytest.mark.parametrize(
    ("name", "train", "later", "expected"),
    [
        ("standard", [1.0, 3.0], [2.0, 3.0, 99.0, -99.0], [0, 1, 10, -10]),
        ("standard", [4.0], [4.0, 5.0], [0, 1]),
        ("standard", [], [2.0], [2]),
        ("robust", [0.0, 1.0, 2.0, 3.0, 4.0, 1e9, -1e9], [2.0, 2.0 + 3 / 1.349, 1e9], [0, 1, 10]),
        ("robust", [5.0, 5.0, 5.0, 5.0, 10.0], [5.0, 7.0], [0, 1]),
        ("robust_smooth", [0.0, 1.0, 2.0, 3.0, 4.0], [2.0, 1e9, -1e9], [0, 3, -3]),
        ("quantile", [7.0, 7.0, 7.0], [7.0, 9.0], [0, 0]),
        ("none", [1.0, 2.0], [5.0], [5]),
    ],
)
def test_numbers_are_scaled(name: str, train: list, later: list, expected: list) -> None:
    fitted = scalers.get(name).fit(np.array(train, dtype=float)[:, None])
    np.testing.assert_allclose(fitted.apply(np.array(later)[:, None])[:, 0], expected, atol=1e-6)


def test_quantiles_become_normal_scores() -> None:
    values = np.exp(np.random.default_rng(0).normal(size=(5000, 1)))
    scaled = scalers.get("quantile").fit(values).apply(values)
    assert abs(scaled.mean()) < 0.01
    assert abs(scaled.std() - 1) < 0.03


def test_an_imputer_that_a_recipe_names_serves_the_codes_too() -> None:
    table = pa.table({"a": [1.0, None, 5.0]})
    found = Encoder.fit(table, {"a": "numeric"}, "codes", recipe=Recipe(imputer="mean")).transform(table)
    assert found.tolist() == [[1], [3], [5]]


def test_without_an_imputer_a_dense_cell_is_the_centre() -> None:
    table = pa.table({"a": [1.0, None, 5.0]})
    encoder = Encoder.fit(table, {"a": "numeric"}, "dense", recipe=Recipe(imputer="none", indicators=False))
    assert encoder.feature_names == ["a"]
    assert encoder.transform(table)[1].tolist() == [0]


@pytest.mark.parametrize(
    ("view", "indicators", "names"),
    [
        ("codes", None, ["a"]),
        ("codes", True, ["a", "a is missing"]),
        ("dense", None, ["a", "a is missing"]),
        ("dense", False, ["a"]),
    ],
)
def test_indicators_are_of_the_dense_view_unless_a_recipe_says(view, indicators, names) -> None:
    recipe = Recipe(indicators=indicators)
    assert Encoder.fit(pa.table({"a": [1.0, None]}), {"a": "numeric"}, view, recipe=recipe).feature_names == names
