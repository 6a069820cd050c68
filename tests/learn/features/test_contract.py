"""What every method of every folder keeps, also those not yet written: shapes, JSON, one row, no surprises."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from automl_assets.learn.features import Encoder, Recipe, columns, encoders, imputers, scalers, selections
from automl_assets.learn.features.columns import View
from automl_assets.learn.features.columns._base import OneColumn
from tests.learn.features.tables import ROLES, a_table, a_target, awkward

VIEWS: tuple[View, ...] = ("codes", "dense")
DATES = [name for name, kind in columns.registry.all().items() if kind.role == "datetime"]
TEXTS = [name for name, kind in columns.registry.all().items() if kind.role == "text"]
RECIPES: list[dict[str, Any]] = [
    {},
    *({"encoder": name} for name in encoders.registry.names()),
    *({"imputer": name} for name in imputers.registry.names()),
    *({"scaler": name} for name in scalers.registry.names()),
    *({"selection": name} for name in selections.registry.names()),
    *({"dates": name} for name in DATES),
    *({"text": name} for name in TEXTS),
    {"indicators": True},
    {"indicators": False},
    {"pairs": 4, "crosses": 1},
    {"encoder": "target", "imputer": "iterative", "scaler": "quantile", "selection": "mutual_information", "pairs": 3},
]
NAMES = [" ".join(f"{k}={v}" for k, v in recipe.items()) or "auto" for recipe in RECIPES]
TWO_CATEGORIES = {**ROLES, "size": "categorical"}


def training() -> pa.Table:
    sizes = np.array(["s", "m", "l"])[np.random.default_rng(5).integers(0, 3, 120)]
    return a_table().append_column("size", pa.array(sizes))


def fitted(recipe: dict[str, Any], view: View, classes: int = 2) -> tuple[Encoder, np.ndarray]:
    y = a_target(classes=classes)
    return Encoder.fit_transform(
        training(), TWO_CATEGORIES, view, y=y, classes=classes, seed=3, recipe=Recipe(**recipe)
    )


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Matrices this small only lose by threads that wait for a busy core."""
    with threadpool_limits(1):
        yield


@pytest.fixture(params=RECIPES, ids=NAMES)
def recipe(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("classes", [0, 3])
def test_the_matrix_has_a_row_a_row_and_a_name_and_a_source_a_column(recipe: dict, view: View, classes: int) -> None:
    encoder, matrix = fitted(recipe, view, classes)
    assert matrix.dtype == np.float32
    assert matrix.shape == (120, len(encoder.feature_names)) == encoder.transform(training()).shape
    assert len(set(encoder.feature_names)) == len(encoder.feature_names)
    assert len(encoder.sources) == len(encoder.feature_names)
    assert {part for source in encoder.sources for part in source.split(" × ")} <= set(TWO_CATEGORIES)


@pytest.mark.parametrize("view", VIEWS)
def test_a_stored_encoder_is_the_same(recipe: dict, view: View) -> None:
    encoder, _ = fitted(recipe, view)
    text = json.dumps(encoder.to_json(), allow_nan=False)
    again = Encoder.from_json(json.loads(text))
    assert again == encoder
    assert json.dumps(again.to_json()) == text
    assert again.transform(training()).tobytes() == encoder.transform(training()).tobytes()
    assert (again.feature_names, again.categorical) == (encoder.feature_names, encoder.categorical)


@pytest.mark.parametrize("view", VIEWS)
def test_the_same_rows_and_seed_learn_the_same(recipe: dict, view: View) -> None:
    first, second = fitted(recipe, view), fitted(recipe, view)
    assert first[0] == second[0]
    assert first[1].tobytes() == second[1].tobytes()


@pytest.mark.parametrize("view", VIEWS)
def test_one_row_is_its_row_in_the_bulk(recipe: dict, view: View) -> None:
    encoder, _ = fitted(recipe, view)
    table = training()
    bulk = encoder.transform(table)
    for i in range(0, table.num_rows, 7):
        np.testing.assert_allclose(encoder.transform(table.slice(i, 1))[0], bulk[i], rtol=1e-6, atol=1e-6)
        row = {name: table.column(name)[i].as_py() for name in table.column_names}
        np.testing.assert_allclose(encoder.transform_one(row)[0], bulk[i], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(encoder.transform(table.slice(3, 40)), bulk[3:43], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("view", VIEWS)
def test_unseen_missing_reordered_and_extra_columns_are_no_surprise(recipe: dict, view: View) -> None:
    encoder, _ = fitted(recipe, view)
    table = training()
    turned = table.select(table.column_names[::-1]).append_column("more", pa.array([1] * 120))
    assert encoder.transform(turned).tobytes() == encoder.transform(table).tobytes()
    odd = pa.table({"colour": ["violet", None], "number": [float("inf"), None]})
    for found in (encoder.transform(odd), encoder.transform(pa.table({"unknown": [1, 2]}))):
        assert found.shape == (2, len(encoder.feature_names))
        assert view == "codes" or np.isfinite(found).all()
    assert encoder.unseen(odd) == {"colour": 1}


@pytest.mark.parametrize("view", VIEWS)
def test_the_table_and_the_target_stay_as_they_are(recipe: dict, view: View) -> None:
    table, y = training(), a_target()
    before = (table.to_pydict(), y.copy())
    encoder = Encoder.fit(table, TWO_CATEGORIES, view, y=y, classes=2, recipe=Recipe(**recipe))
    encoder.transform(table)
    assert table.to_pydict() == before[0]
    np.testing.assert_array_equal(y, before[1])


def test_a_dense_matrix_has_no_missing_cell(recipe: dict) -> None:
    encoder, matrix = fitted(recipe, "dense")
    assert np.isfinite(matrix).all()
    assert np.isfinite(encoder.transform(training())).all()


@pytest.mark.parametrize("case", awkward())
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("classes", [None, 0, 2, 3])
def test_awkward_tables_are_encoded(case: str, view: View, classes: int | None) -> None:
    table, roles = awkward()[case]
    y = None if classes is None else a_target(table.num_rows, classes)
    encoder, matrix = Encoder.fit_transform(table, roles, view, y=y, classes=classes or 0)
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json(), allow_nan=False)))
    assert matrix.shape == (table.num_rows, len(encoder.feature_names)) == again.transform(table).shape
    assert not np.isinf(matrix).any()
    assert view == "codes" or np.isfinite(again.transform(table)).all()
    assert encoder.transform(table.slice(0, 0)).shape == (0, len(encoder.feature_names))


@pytest.mark.parametrize("name", [n for n in imputers.registry.names() if not imputers.registry.get(n).leaves_missing])
def test_an_awkward_table_is_imputed(name: str) -> None:
    for table, roles in awkward().values():
        encoder, matrix = Encoder.fit_transform(table, roles, "dense", recipe=Recipe(imputer=name, encoder="ordinal"))
        assert np.isfinite(matrix).all()
        assert np.isfinite(encoder.transform(pa.table({"x": [1]}))).all()


@pytest.mark.parametrize("name", scalers.registry.names())
def test_scalers_side_by_side_are_each_on_its_own(name: str) -> None:
    kind = scalers.registry.get(name)
    values = np.random.default_rng(0).normal(size=(50, 3)) * [1, 10, 100]
    parts = [kind.fit(values[:, :1]), kind.fit(values[:, 1:])]
    expected = np.concatenate([parts[0].apply(values[:, :1]), parts[1].apply(values[:, 1:])], axis=1)
    np.testing.assert_array_equal(kind.joined(parts).apply(values), expected)
    assert kind.from_json(json.loads(json.dumps(parts[1].to_json()))) == parts[1]
    assert (np.diff(parts[0].apply(np.sort(values[:, :1], axis=0))[:, 0]) >= 0).all(), "the order stays"


@pytest.mark.parametrize("name", columns.registry.names())
def test_an_encoder_that_has_a_role_reads_one_column(name: str) -> None:
    kind = columns.registry.get(name)
    assert bool(kind.role) == issubclass(kind, OneColumn)


labels = st.one_of(st.none(), st.sampled_from(["a", "b", "", "ç", "\x00", "a b"]), st.text(max_size=4))
cells = st.fixed_dictionaries(
    {
        "n": st.one_of(st.none(), st.floats(), st.integers(-(2**53), 2**53).map(float)),
        "c": labels,
        "t": labels,
        "d": st.one_of(st.none(), st.datetimes()),
    }
)
GENERATED = pa.schema({"n": pa.float64(), "c": pa.string(), "t": pa.string(), "d": pa.timestamp("us")})


@given(
    st.lists(cells, min_size=1, max_size=25), st.sampled_from(VIEWS), st.sampled_from(RECIPES), st.integers(0, 2**31)
)
@settings(max_examples=60, deadline=None)
def test_any_table_survives_the_round_trip(rows: list, view: View, recipe: dict, seed: int) -> None:
    table = pa.Table.from_pylist(rows, schema=GENERATED)
    roles = {"n": "numeric", "c": "categorical", "t": "text", "d": "datetime"}
    y = np.random.default_rng(seed).normal(size=len(rows))
    encoder, matrix = Encoder.fit_transform(table, roles, view, y=y, recipe=Recipe(**recipe))
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json(), allow_nan=False)))
    assert again.transform(table).tobytes() == encoder.transform(table).tobytes()
    assert matrix.shape == (len(rows), len(encoder.feature_names))
    assert view == "codes" or np.isfinite(matrix).all()
    one = encoder.transform(table.slice(0, 1))
    np.testing.assert_allclose(one[0], encoder.transform(table)[0], rtol=1e-6, atol=1e-6)
