"""Pairs, crosses and the features that stay."""

import numpy as np
import pyarrow as pa
import pytest

from automl_assets.core.errors import ConfigError
from automl_assets.learn.features import Encoder, Recipe
from automl_assets.learn.features.columns.pair import PairEncoder

GENERATOR = np.random.default_rng(0)
ROWS = 2_000
A, B, NOISE = (GENERATOR.uniform(1, 3, ROWS) for _ in range(3))
NUMBERS = pa.table({"a": A, "b": B, "noise": NOISE})
NUMERIC = dict.fromkeys(("a", "b", "noise"), "numeric")


@pytest.mark.parametrize(
    ("y", "name"), [(A - B, "a − b"), (A / B, "a / b"), (B / A, "b / a"), (A * B, "a · b")],
    ids=["difference", "ratio", "inverse ratio", "product"],
)  # fmt: skip
def test_the_pair_that_the_target_is_made_of_is_found(y: np.ndarray, name: str) -> None:
    encoder = Encoder.fit(NUMBERS, NUMERIC, "codes", y=y, recipe=Recipe(pairs=1))
    a, sign, b = name.split()
    assert encoder.feature_names[-1] in {name, f"{b} {sign} {a}"}, "the inverse bins the rows alike"
    assert encoder.sources[-1] in {"a × b", "b × a"}


def test_a_pair_with_a_missing_number_or_divisor_is_missing() -> None:
    pair = PairEncoder.between("a", "b", "ratio", "codes")
    later = pa.table({"a": [1.0, 2.0, None], "b": [2.0, 0.0, 1.0]})
    np.testing.assert_array_equal(Encoder("codes", (pair,)).transform(later), [[0.5], [np.nan], [np.nan]])


def test_the_cross_that_decides_is_found() -> None:
    first, second, third = (GENERATOR.integers(0, 3, ROWS) for _ in range(3))
    table = pa.table({n: np.array(["x", "y", "z"])[v] for n, v in (("f", first), ("s", second), ("t", third))})
    roles = dict.fromkeys("fst", "categorical")
    y = (first == second).astype(int)
    encoder = Encoder.fit(table, roles, "codes", y=y, classes=2, recipe=Recipe(crosses=1))
    assert encoder.sources[-1] == "f × s"
    assert encoder.categorical == [0, 1, 2, 3]
    later = pa.table({"f": ["x", "q", None], "s": ["x", "x", "y"]})
    assert np.isnan(encoder.transform(later)[:, 3]).tolist() == [False, False, True]
    assert encoder.unseen(later) == {"f": 1}


@pytest.mark.parametrize("what", [{"pairs": 1}, {"crosses": 1}, {"selection": "mutual_information"}])
def test_what_the_target_chooses_needs_one(what: dict) -> None:
    with pytest.raises(ConfigError, match="none was given"):
        Encoder.fit(NUMBERS, NUMERIC, "codes", recipe=Recipe(**what))


@pytest.mark.parametrize("keep", [{"selection_count": 1}, {"selection_share": 0.3}])
def test_the_most_informative_features_stay_and_the_others_say_why_not(keep: dict) -> None:
    table = NUMBERS.append_column("same", pa.array(["x"] * ROWS))
    roles = {**NUMERIC, "same": "categorical"}
    recipe = Recipe(selection="mutual_information", **keep)
    encoder, matrix = Encoder.fit_transform(table, roles, "codes", y=A**2, recipe=recipe)
    assert encoder.feature_names == ["a"]
    assert encoder.sources == ["a"]
    assert encoder.categorical == []
    assert encoder.dropped["same"] == "constant in training"
    assert encoder.dropped["noise"].startswith("mutual_information 0")
    np.testing.assert_array_equal(matrix, encoder.transform(table))


def test_categorical_positions_follow_the_selection() -> None:
    table = pa.table({"n": NOISE, "c": np.array(["x", "y"])[(A > 2).astype(int)]})
    recipe = Recipe(selection="mutual_information", selection_count=1)
    encoder = Encoder.fit(table, {"n": "numeric", "c": "categorical"}, "codes", y=A, recipe=recipe)
    assert (encoder.feature_names, encoder.categorical) == (["c"], [0])
