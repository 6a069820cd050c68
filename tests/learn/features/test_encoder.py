"""Both views of each column role, by hand; JSON round trips; any batch size gives the same matrix."""

import json
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.learn.features import Encoder, Recipe
from automl_assets.learn.features.cells import Cells
from automl_assets.learn.features.columns import CategoricalEncoder, View
from automl_assets.learn.features.target import FitContext

NAN = float("nan")
ROOT_HALF = 0.5**0.5
VIEWS: tuple[View, ...] = ("codes", "dense")


def encode(
    role: str, view: View, train: list, later: list | None = None, **recipe: Any
) -> tuple[list[str], list[list[float]]]:
    table = pa.table({"a": pa.array(train)})
    encoder = Encoder.fit(table, {"a": role}, view, recipe=Recipe(**recipe))
    target = table if later is None else pa.table({"a": pa.array(later, table.schema.field("a").type)})
    matrix = encoder.transform(target)
    assert matrix.dtype == np.float32
    return encoder.feature_names, matrix.tolist()


@pytest.mark.parametrize(
    ("train", "later", "expected"),
    [
        ([1.0, 2.0, None], None, [[1], [2], [NAN]]),
        ([1, 2, 3], [7, None], [[7], [NAN]]),
        ([1.0, float("inf"), float("-inf"), NAN], None, [[1], [NAN], [NAN], [NAN]]),
        ([True, False, None], None, [[1], [0], [NAN]]),
        ([None, None], None, [[NAN], [NAN]]),
    ],
)
def test_codes_of_a_number_are_the_number_and_missing_stays_missing(train: list, later, expected: list) -> None:
    names, matrix = encode("numeric", "codes", train, later)
    assert names == ["a"]
    np.testing.assert_array_equal(matrix, expected)


@pytest.mark.parametrize("view", VIEWS)
def test_a_number_beyond_float32_stays_finite(view: View) -> None:
    _, matrix = encode("numeric", view, [1.0, 2.0, 1e300], [1e308, -1e308, 3.0])
    assert np.isfinite(matrix).all()
    assert matrix[0][0] > matrix[2][0] > matrix[1][0]


def test_a_dense_number_is_standardised_and_clipped_at_ten_deviations() -> None:
    names, matrix = encode("numeric", "dense", [1.0, 3.0, 1.0, 3.0], [2.0, 3.0, 100.0, -100.0])
    assert names == ["a"]
    assert matrix == [[0], [1], [10], [-10]]


def test_a_dense_missing_number_is_the_median_and_indicated() -> None:
    names, matrix = encode("numeric", "dense", [1.0, 3.0, None, 8.0], [None, 3.0])
    assert names == ["a", "a is missing"]
    assert [row[1] for row in matrix] == [1, 0]
    assert matrix[0][0] == matrix[1][0], "the median of 1, 3 and 8 is 3"


def test_a_dense_column_without_missing_cells_in_training_imputes_without_an_indicator() -> None:
    names, matrix = encode("numeric", "dense", [1.0, 3.0], [None])
    assert (names, matrix) == (["a"], [[0]])


@pytest.mark.parametrize("train", [[5.0, 5.0], [NAN, NAN]], ids=["constant", "empty"])
def test_a_dense_column_without_spread_is_not_divided_by_zero(train: list) -> None:
    _, matrix = encode("numeric", "dense", train, [5.0, 6.0])
    assert np.isfinite(matrix).all()


def test_codes_of_a_category_are_ranks_by_frequency_then_name() -> None:
    names, matrix = encode("categorical", "codes", ["b", "a", "c", "b", None], ["b", "a", "c", "zebra", None])
    assert names == ["a"]
    np.testing.assert_array_equal(matrix, [[0], [1], [2], [3], [NAN]])


def test_a_dense_category_is_one_hot_with_a_column_for_others_and_one_for_missing() -> None:
    names, matrix = encode("categorical", "dense", ["b", "a", "b"], ["a", "b", "zebra", None])
    assert names == ["a = b", "a = a", "a is another", "a is missing"]
    assert matrix == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def test_a_dense_category_keeps_the_fifty_most_frequent() -> None:
    labels = [f"v{i:02d}" for i in range(60) for _ in range(2 if i >= 10 else 1)]
    names, matrix = encode("categorical", "dense", labels, ["v59", "v00"])
    assert len(names) == 52
    assert names[0] == "a = v10"
    assert [row[50] for row in matrix] == [0, 1]


@pytest.mark.parametrize(("values", "categorical"), [(64, [0]), (65, [])])
def test_only_a_column_with_few_categories_is_told_to_trees_as_categorical(values: int, categorical: list) -> None:
    table = pa.table({"a": [f"v{i}" for i in range(values)]})
    assert Encoder.fit(table, {"a": "categorical"}, "codes").categorical == categorical
    assert Encoder.fit(table, {"a": "categorical"}, "dense").categorical == []


def test_categorical_positions_count_the_columns_before_them() -> None:
    table = pa.table({"when": [datetime(2020, 1, 1), datetime(2021, 2, 4)], "colour": ["red", "blue"]})
    encoder = Encoder.fit(table, {"when": "datetime", "colour": "categorical"}, "codes")
    assert encoder.feature_names == [
        "when year",
        "when month",
        "when day",
        "when day_of_week",
        "when day_of_year",
        "when week_of_year",
        "when is_month_start",
        "when days_since_start",
        "colour",
    ]
    assert encoder.categorical == [8]


@pytest.mark.parametrize(
    ("column", "later"),
    [
        ([1, 2, 1], pa.array([1.0, 2.0, 9.0])),
        ([True, False, True], pa.array([True, False, None])),
        (["x", "y", "x"], pa.array(["x", "y", "z"]).dictionary_encode()),
    ],
    ids=["integers that widened", "booleans", "dictionary-encoded text"],
)
def test_a_category_of_another_type_reads_as_its_text(column: list, later: pa.Array) -> None:
    encoder = Encoder.fit(pa.table({"a": column}), {"a": "categorical"}, "codes")
    np.testing.assert_array_equal(encoder.transform(pa.table({"a": later}))[:2, 0], [0, 1])


def test_unseen_counts_rows_whose_category_training_did_not_have() -> None:
    encoder = Encoder.fit(pa.table({"a": ["x", "y"], "n": [1, 2]}), {"a": "categorical", "n": "numeric"}, "codes")
    assert encoder.unseen(pa.table({"a": ["x", "q", "q", None], "n": [5, 6, 7, 8]})) == {"a": 2}
    assert encoder.unseen(pa.table({"a": ["x"]})) == {}
    assert encoder.unseen(pa.table({"b": ["x"]})) == {}


def test_codes_of_a_date_are_its_parts_without_those_that_never_varied() -> None:
    names, matrix = encode("datetime", "codes", [datetime(2020, 1, 1, 6), datetime(2020, 3, 1, 6), None])
    assert names == ["a month", "a day_of_week", "a day_of_year", "a week_of_year", "a days_since_start"]
    np.testing.assert_allclose(matrix, [[1, 2, 1, 1, 0], [3, 6, 61, 9, 60], [NAN] * 5])


def test_a_date_with_a_zone_is_read_in_utc() -> None:
    zoned = pa.array([datetime(2020, 1, 1, 23), datetime(2020, 1, 2, 1)], pa.timestamp("us", tz="UTC"))
    encoder = Encoder.fit(pa.table({"a": zoned}), {"a": "datetime"}, "codes")
    assert encoder.feature_names[:4] == ["a day", "a day_of_week", "a hour", "a day_of_year"]
    assert encoder.transform(pa.table({"a": zoned}))[:, 2].tolist() == [23, 1]


def test_words_of_a_text_are_weighed_by_how_rare_they_are() -> None:
    names, matrix = encode(
        "text", "codes", ["good dog", "good cat", "bad DOG", None], ["dog, good!", "good", "eel", None], text="words"
    )
    assert names == ["a: dog", "a: good", "a length"]
    np.testing.assert_allclose(
        matrix,
        [[ROOT_HALF, ROOT_HALF, np.log1p(10)], [0, 1, np.log1p(4)], [0, 0, np.log1p(3)], [0, 0, 0]],
        rtol=1e-6,
    )


def test_a_number_that_someone_calls_text_is_read_as_text() -> None:
    names, _ = encode("text", "codes", [2020, 2020, 2021], text="words")
    assert names == ["a: 2020", "a length"]


def mixed_table() -> pa.Table:
    generator = np.random.default_rng(0)
    rows = 50
    hidden = generator.random(rows) < 0.2
    return pa.table(
        {
            "number": pa.array(generator.normal(size=rows), mask=hidden),
            "colour": pa.array(np.array(["red", "green", "blue"])[generator.integers(0, 3, rows)], mask=hidden[::-1]),
            "when": pa.array(generator.integers(0, 10**15, rows), pa.int64(), mask=hidden).cast(pa.timestamp("us")),
            "words": [" ".join(np.array(["one", "two", "three"])[generator.integers(0, 3, 3)]) for _ in range(rows)],
            "flag": pa.array(generator.random(rows) < 0.5),
        }
    )


MIXED_ROLES = {
    "number": "numeric", "colour": "categorical", "when": "datetime", "words": "text", "flag": "categorical",
}  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
def test_an_encoder_is_the_same_after_json(view: View) -> None:
    table = mixed_table()
    encoder = Encoder.fit(table, MIXED_ROLES, view)
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert again == encoder
    np.testing.assert_array_equal(again.transform(table), encoder.transform(table))
    assert again.feature_names == encoder.feature_names
    assert again.categorical == encoder.categorical


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("size", [1, 7])
def test_any_batch_size_gives_the_same_matrix(view: View, size: int) -> None:
    table = mixed_table()
    encoder = Encoder.fit(table, MIXED_ROLES, view)
    pieces = [encoder.transform(table.slice(start, size)) for start in range(0, table.num_rows, size)]
    np.testing.assert_array_equal(np.concatenate(pieces), encoder.transform(table))


@pytest.mark.parametrize("view", VIEWS)
def test_a_column_that_is_not_there_counts_as_missing(view: View) -> None:
    table = mixed_table()
    encoder = Encoder.fit(table, MIXED_ROLES, view)
    absent = pa.table(
        {name: pa.nulls(2, field.type) for name, field in zip(table.column_names, table.schema, strict=True)}
    )
    np.testing.assert_array_equal(encoder.transform(pa.table({"other": [1, 2]})), encoder.transform(absent))


@pytest.mark.parametrize("view", VIEWS)
def test_every_feature_has_a_name_and_no_dense_cell_is_missing(view: View) -> None:
    table = mixed_table()
    encoder = Encoder.fit(table, MIXED_ROLES, view)
    matrix = encoder.transform(table)
    assert matrix.shape == (50, len(encoder.feature_names))
    assert len(set(encoder.feature_names)) == len(encoder.feature_names)
    assert np.isnan(matrix).any() == (view == "codes")


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("kind", ["numeric", "categorical", "datetime", "text"])
def test_a_table_without_rows_has_a_matrix_without_rows(kind: str, view: View) -> None:
    table = mixed_table()
    name = next(name for name, role in MIXED_ROLES.items() if role == kind)
    encoder = Encoder.fit(table, {name: kind}, view)
    assert encoder.transform(table.slice(0, 0)).shape == (0, len(encoder.feature_names))


def test_no_features_give_a_matrix_without_columns() -> None:
    assert Encoder.fit(pa.table({"a": [1, 2]}), {}, "codes").transform(pa.table({"a": [1, 2]})).shape == (2, 0)


@given(st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "ç", "", " a", "\x00"])), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_codes_of_training_rows_name_their_category(values: list) -> None:
    column = Cells(pa.chunked_array([pa.array(values, pa.string())]))
    encoder = CategoricalEncoder.fit("a", column, FitContext("codes"))
    assert CategoricalEncoder.from_json(json.loads(json.dumps(encoder.to_json()))) == encoder
    codes = encoder.encode(column)[:, 0]
    assert [None if np.isnan(code) else encoder.categories[int(code)] for code in codes] == values
    assert encoder.unseen(column) == 0


@given(st.lists(st.one_of(st.none(), st.floats(width=64)), min_size=1, max_size=20), st.floats(width=64))
@settings(max_examples=80, deadline=None)
def test_a_dense_number_is_finite_whatever_the_float(values: list, later: float) -> None:
    _, matrix = encode("numeric", "dense", [0.0, *values], [later, None])
    assert np.isfinite(matrix).all()
    assert abs(matrix[0][0]) <= 10
