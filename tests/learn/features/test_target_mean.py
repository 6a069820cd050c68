"""Target means by hand, and that no row reads its own target."""

import numpy as np
import pyarrow as pa
import pytest

from automl_assets.core.errors import ConfigError
from automl_assets.learn.features import Encoder, Recipe
from automl_assets.learn.features.encoders.target import shrunk_means
from automl_assets.learn.features.target import Target

TARGET_ONLY = Recipe(encoder="target")


def sums_of(categories: list[list[float]]) -> np.ndarray:
    """Weight, total and square a category; nothing unseen, nothing missing."""
    rows = [[len(v), sum(v), sum(x * x for x in v)] for v in categories]
    return np.array([*rows, [0, 0, 0], [0, 0, 0]], dtype=float)


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        ([[0, 0, 0, 0], [1, 1, 1, 1]], [0.1, 0.9, 0.5, 0.5]),
        ([[0, 1, 0, 1], [1, 0, 1, 0]], [0.5, 0.5, 0.5, 0.5]),
        ([[3.0]], [3, 3, 3]),
        ([[1.0], [5.0]], [3, 3, 3, 3]),
        ([[], [2.0, 4.0]], [3, 3, 3, 3]),
        ([], [0, 0]),
    ],
    ids=[
        "categories that decide still share one row of the prior",
        "categories that tell nothing have the prior",
        "a single row",
        "a row a category has no variance within to compare with",
        "a category of no row has the prior",
        "no category",
    ],
)
def test_a_category_is_its_mean_shrunk_to_the_prior(categories: list, expected: list) -> None:
    np.testing.assert_allclose(shrunk_means(sums_of(categories))[:, 0], expected)


def test_shrinking_weighs_the_variance_within_against_that_between() -> None:
    found = shrunk_means(sums_of([[0, 2] * 5, [4, 6] * 5]))[:, 0]
    within, between = 20 / 18, (10 * 4 + 10 * 4) / 1
    m = max(within / ((between - within) / 10), 1.0)
    np.testing.assert_allclose(found[:2], [(10 * 1 + m * 3) / (10 + m), (10 * 5 + m * 3) / (10 + m)])


def test_unseen_and_missing_categories_have_the_prior() -> None:
    table = pa.table({"a": ["x"] * 30 + ["y"] * 30})
    y = np.array([0] * 30 + [1] * 30)
    encoder = Encoder.fit(table, {"a": "categorical"}, "codes", y=y, classes=2, recipe=TARGET_ONLY)
    assert encoder.feature_names == ["a target mean"]
    found = encoder.transform(pa.table({"a": ["x", "y", "z", None]}))[:, 0]
    np.testing.assert_allclose(found, [0.5 / 31, 30.5 / 31, 0.5, 0.5], rtol=1e-6)


@pytest.mark.parametrize("classes", [0, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_noise_of_many_categories_does_not_leak(classes: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels = [f"v{i}" for i in generator.integers(0, 700, 3000)]
    y = generator.integers(0, classes, 3000) if classes else generator.normal(size=3000)
    table = pa.table({"a": labels})
    encoder, matrix = Encoder.fit_transform(table, {"a": "categorical"}, "codes", y=y, classes=classes, seed=seed)
    outcome = Target.of(y, classes, None, seed).columns
    for column, wanted in zip(matrix[:, 1:].T, outcome.T, strict=True):
        own = np.corrcoef(column, wanted)[0, 1] if column.std() > 1e-5 else 0.0
        assert abs(own) < 0.06
    assert np.abs(encoder.transform(table)[:, 1:] - matrix[:, 1:]).max() < 0.5


def test_a_telling_category_is_told_out_of_fold() -> None:
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 100, 4000)
    y = np.linspace(-2, 2, 100)[codes] + generator.normal(size=4000)
    table = pa.table({"a": [f"v{i}" for i in codes]})
    encoder, matrix = Encoder.fit_transform(table, {"a": "categorical"}, "codes", y=y)
    assert encoder.feature_names == ["a", "a target mean"]
    assert encoder.categorical == []
    assert np.corrcoef(matrix[:, 1], y)[0, 1] > 0.6
    assert np.corrcoef(encoder.transform(table)[:, 1], np.linspace(-2, 2, 100)[codes])[0, 1] > 0.98


def test_several_classes_have_a_column_each_for_the_ten_most_frequent() -> None:
    y = np.repeat(np.arange(12), np.arange(10, 22))
    table = pa.table({"a": ["x", "y"] * (len(y) // 2)})
    encoder = Encoder.fit(table, {"a": "categorical"}, "codes", y=y, classes=12, recipe=TARGET_ONLY)
    assert encoder.feature_names == [f"a share of class {i}" for i in range(2, 12)]


def test_a_dense_column_of_many_categories_keeps_thirty_and_its_target_mean() -> None:
    labels = [f"v{i:02d}" for i in range(70)] * 3
    encoder = Encoder.fit(pa.table({"a": labels}), {"a": "categorical"}, "dense", y=np.arange(210.0))
    assert len(encoder.feature_names) == 30 + 2 + 1
    assert encoder.feature_names[-3:] == ["a is another", "a is missing", "a target mean"]
    assert encoder.unseen(pa.table({"a": ["v69", "w"]})) == {"a": 1}, "a rare category was seen all the same"


@pytest.mark.parametrize(("values", "names"), [(64, ["a"]), (65, ["a", "a target mean"])])
def test_few_categories_are_left_to_the_trees(values: int, names: list[str]) -> None:
    table = pa.table({"a": [f"v{i}" for i in range(values)] * 2})
    assert Encoder.fit(table, {"a": "categorical"}, "codes", y=np.arange(2.0 * values)).feature_names == names


def test_weights_count_as_rows() -> None:
    table = pa.table({"a": ["x", "x", "y", "y", "x", "y"]})
    y, weight = np.array([0, 1, 0, 1, 1, 0]), np.array([3, 1, 1, 3, 1, 1])
    rows = np.repeat(np.arange(6), weight)
    weighed = Encoder.fit(
        table, {"a": "categorical"}, "codes", y=y, classes=2, weight=weight.astype(float), recipe=TARGET_ONLY
    )
    prior = weighed.transform(pa.table({"a": ["q"]}))[0, 0]
    assert prior == pytest.approx(y[rows].mean())


def test_target_means_without_a_target_are_an_error_that_says_so() -> None:
    with pytest.raises(ConfigError, match=r"features\.encoder: .*none was given.*Pass y"):
        Encoder.fit(pa.table({"a": ["x", "y"]}), {"a": "categorical"}, "codes", recipe=TARGET_ONLY)


@pytest.mark.parametrize(
    ("encoder", "train", "later", "names", "expected"),
    [
        ("count", ["b", "b", "a", None], ["b", "a", "q", None], ["a share"], [[0.5], [0.25], [0], [0.25]]),
        ("ordinal", ["b", "b", "a"], ["b", "a", "q"], ["a"], [[0], [1], [2]]),
        ("one_hot", ["b"], ["b", "q", None], ["a = b", "a is another", "a is missing"],
         [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    ],
)  # fmt: skip
def test_a_named_encoder_stands_for_every_category(encoder: str, train, later, names, expected) -> None:
    table = pa.table({"a": pa.array(train, pa.string())})
    found = Encoder.fit(table, {"a": "categorical"}, "codes", recipe=Recipe(encoder=encoder))
    assert found.feature_names == names
    np.testing.assert_allclose(found.transform(pa.table({"a": pa.array(later, pa.string())})), expected)
