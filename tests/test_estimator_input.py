"""Whatever a user gives, the estimators fit and predict, or say in one sentence what is wrong and what to do."""

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import DataConversionWarning

from automl_assets import AutoML, AutoMLClassifier, AutoMLRegressor
from automl_assets.core.errors import AutoMLError

ROWS = 60
CUT = np.arange(ROWS) % 2


def frame() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    return pd.DataFrame({"a": CUT + generator.normal(0, 0.3, ROWS), "b": generator.normal(size=ROWS)})


def is_sound(model: AutoML, X: Any, rows: int) -> bool:
    """Whether predictions have the right shape, are finite, and probabilities sum to one."""
    predicted = model.predict(X)
    if not hasattr(model, "classes_"):
        return predicted.shape == (rows,) and bool(np.isfinite(predicted).all())
    probabilities = model.predict_proba(X)
    return (
        predicted.shape == (rows,)
        and set(predicted.tolist()) <= set(model.classes_.tolist())
        and probabilities.shape == (rows, len(model.classes_))
        and bool((probabilities >= 0).all())
        and np.allclose(probabilities.sum(axis=1), 1)
    )


def fitted(model: AutoML, X: Any, y: Any) -> tuple[AutoML | None, AutoMLError | None]:
    """The fitted model, or the error that says why there is none; no other exception."""
    try:
        return model.fit(X, y), None
    except AutoMLError as error:
        return None, error


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (CUT, [0, 1]),
        (CUT - 3, [-3, -2]),
        (2.0 * CUT, [0.0, 2.0]),
        (CUT > 0, [False, True]),
        (np.where(CUT, "b", "a"), ["a", "b"]),
        (np.where(CUT, "b", "a").tolist(), ["a", "b"]),
        (pd.Series(np.where(CUT, "b", "a"), index=[5] * ROWS), ["a", "b"]),
        (pd.Series(np.where(CUT, "b", "a"), dtype="string"), ["a", "b"]),
        (pd.Categorical(np.where(CUT, "b", "a"), categories=["b", "a", "never"]), ["a", "b"]),
        (pd.Series(CUT, dtype="Int64").where(np.arange(ROWS) > 5), [0, 1]),
        (pd.Series(CUT > 0, dtype="boolean").where(np.arange(ROWS) > 5), [False, True]),
        (pd.Series([None if i < 5 else "ab"[i % 2] for i in range(ROWS)], dtype=object), ["a", "b"]),
        (pd.to_datetime(np.where(CUT, "2021-01-01", "2020-01-01")), list(pd.to_datetime(["2020", "2021"]).to_numpy())),
        ([datetime.date(2020, 1, 1 + i) for i in CUT], [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)]),
        (pl.Series(np.where(CUT, "b", "a").tolist()), ["a", "b"]),
        (pl.Series([None if i < 5 else int(i % 2) for i in range(ROWS)]), [0, 1]),
    ],
)  # fmt: skip
def test_labels_of_any_type_come_back_as_they_were(labels: Any, classes: list[Any]) -> None:
    model = AutoMLClassifier().fit(frame(), labels)

    assert list(model.classes_) == classes
    assert type(model.classes_.tolist()[0]) is type(np.asarray(classes).tolist()[0])
    assert is_sound(model, frame(), ROWS)
    assert (model.predict(frame()) == np.array(classes)[CUT]).mean() > 0.9


@pytest.mark.parametrize(
    "column",
    [
        [{"k": i % 3} for i in range(ROWS)],
        [[i % 3] for i in range(ROWS)],
        [1 if i % 2 else "x" for i in range(ROWS)],
        [b"\xff" if i % 2 else b"a" for i in range(ROWS)],
        [10**30 if i % 2 else 1 for i in range(ROWS)],
        [np.inf if i % 7 == 0 else float(i) for i in range(ROWS)],
        [1e308 if i % 2 else -1e308 for i in range(ROWS)],
        [None] * ROWS,
        ["" if i % 2 else " " for i in range(ROWS)],
        [1j * i for i in range(ROWS)],
        [Decimal(i) for i in range(ROWS)],
        pd.period_range("2020", periods=ROWS, freq="D"),
        pd.timedelta_range("1D", periods=ROWS),
        pd.date_range("2020", periods=ROWS, tz="UTC"),
        pd.cut(np.arange(ROWS), 3),
    ],
)
def test_a_column_of_any_type_is_no_obstacle(column: Any) -> None:
    X = frame().assign(odd=column)

    assert is_sound(AutoMLClassifier().fit(X, CUT), X, ROWS)


@pytest.mark.parametrize("labels", [[0, 1, 1, 0], [0.5, 1.5, 2.25, 3.0]])
def test_fewer_rows_than_folds_will_do(labels: list[float]) -> None:
    assert is_sound(AutoML().fit(frame()[:4], labels), frame(), ROWS)


def test_a_category_that_only_predict_sees_is_no_obstacle() -> None:
    model = AutoMLClassifier().fit(frame().assign(c=np.where(CUT, "u", "v")), CUT)

    assert is_sound(model, frame().assign(c="new"), ROWS)


def test_identifiers_are_learnt_from_where_there_is_nothing_else() -> None:
    X = pd.DataFrame({"customer_id": range(ROWS)})

    assert is_sound(AutoMLClassifier().fit(X, CUT), X, ROWS)


def test_groups_that_each_hold_one_class_will_do() -> None:
    assert is_sound(AutoMLClassifier().fit(frame(), CUT, groups=np.where(CUT, np.nan, 1)), frame(), ROWS)


@pytest.mark.parametrize(
    ("rows", "columns", "classes"), [(3_000, 5, 2), (600, 3, 200), (100, 10_000, 2)], ids=["rows", "classes", "columns"]
)
def test_a_budget_of_a_second_suffices_or_is_said_not_to(rows: int, columns: int, classes: int) -> None:
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(rows, columns)), np.arange(rows) % classes

    model, refused = fitted(AutoMLClassifier(time_budget_seconds=1), X, y)

    if model is None:
        assert refused is not None
        assert "within 1 s" in refused.message
        assert refused.remedy
    else:
        assert is_sound(model, X, rows)


@pytest.mark.parametrize(
    ("kind", "X", "y", "told", "remedy"),
    [
        (AutoMLRegressor, frame(), np.where(CUT, np.inf, 1), "y contains infinity in 30 rows", "Remove those rows"),
        (AutoMLClassifier, frame(), np.ones(ROWS), "only one class is present", "two classes or more"),
        (AutoMLRegressor, frame(), np.ones(ROWS), "the same value in every row", "that varies"),
        (AutoMLClassifier, frame()[:3], [0, 1, 1], "fewer than two classes have two rows", "two rows or more"),
        (AutoMLClassifier, frame(), frame()["a"], "Unknown label type: continuous", "AutoMLRegressor"),
        (AutoMLClassifier, frame(), [1 if i else "x" for i in CUT], "y mixes int, str", "one type"),
        (AutoMLClassifier, frame(), [{i} for i in CUT], "y holds values of type set", "as text"),
        (AutoMLRegressor, frame(), np.where(CUT, "b", "a"), "y holds text, not numbers", "AutoMLClassifier"),
        (AutoMLClassifier, frame(), np.c_[CUT, CUT], r"y has shape \(60, 2\)", "one value a row"),
        (AutoMLClassifier, frame(), None, "the target y is None", "a label a row"),
        (
            AutoMLClassifier,
            frame().assign(a=1, b="x"),
            CUT,
            "each has the same value in every row",
            "columns that vary",
        ),
        (AutoMLClassifier, frame().set_axis(["a", "a"], axis=1), CUT, "Columns have one name: a", "its own name"),
        (AutoMLClassifier, frame().assign(__target__=1), CUT, "reserved name: __target__", "Rename"),
        (AutoMLClassifier, frame()[:0], [], "0 sample", "rows and columns"),
        (AutoMLClassifier, frame()[[]], CUT, "0 feature", "rows and columns"),
        (AutoMLClassifier, scipy.sparse.csr_matrix(frame()), CUT, "X is a sparse matrix", "toarray"),
        (AutoMLClassifier, {"a": [1.0] * ROWS, "b": [1]}, CUT, "'b' has 1 values and 'a' 60", "as many values"),
    ],
)
def test_what_can_not_work_is_told_in_a_sentence_with_its_remedy(
    kind: type[AutoML], X: Any, y: Any, told: str, remedy: str
) -> None:
    with pytest.raises(AutoMLError, match=told) as raised:
        kind().fit(X, y)

    assert isinstance(raised.value, ValueError)
    assert raised.value.remedy is not None
    assert remedy in raised.value.remedy
    assert "__target__" not in f"{raised.value.where}"


@pytest.mark.parametrize(
    ("given_too", "told"),
    [
        ({"sample_weight": np.where(CUT, -1, 1)}, "sample_weight holds missing, infinite or negative weights"),
        ({"sample_weight": ["heavy"] * ROWS}, "sample_weight holds what is no number"),
        ({"sample_weight": np.zeros(ROWS)}, "Every weight is zero"),
        ({"sample_weight": CUT}, "only one class is present"),
        ({"groups": ["all"] * ROWS}, "All training rows are of one group"),
    ],
)
def test_weights_and_groups_that_can_not_work_are_told(given_too: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        AutoMLClassifier().fit(frame(), CUT, **given_too)


def test_a_target_of_one_column_is_taken_with_scikit_learns_warning() -> None:
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        model = AutoMLClassifier().fit(frame(), CUT.reshape(-1, 1))

    assert is_sound(model, frame(), ROWS)


CELLS: list[Any] = [
    st.integers(-5, 5),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=True, allow_infinity=True),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.sampled_from(["red", "green", "blue", "", None]),
    st.datetimes(),
    st.none(),
    st.lists(st.integers(0, 3), max_size=2),
    st.dictionaries(st.sampled_from("kl"), st.integers(0, 3), max_size=2),
    st.binary(max_size=3),
]


@st.composite
def tables(draw: st.DrawFn) -> tuple[pd.DataFrame, list[Any]]:
    """A table of up to 4 columns of one type or several, and a target of any."""
    rows = draw(st.integers(1, 30))

    def column() -> list[Any]:
        kinds = draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=2))
        return draw(st.lists(st.one_of(kinds), min_size=rows, max_size=rows))

    columns = {f"c{i}": pd.Series(column(), dtype=object) for i in range(draw(st.integers(1, 4)))}
    target = draw(
        st.one_of(
            st.lists(st.sampled_from(["a", "b", "c"]), min_size=rows, max_size=rows),
            st.lists(st.integers(0, 3), min_size=rows, max_size=rows),
            st.lists(st.floats(), min_size=rows, max_size=rows),
            st.builds(column),
        )
    )
    return pd.DataFrame(columns), target


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables(), st.sampled_from([AutoML, AutoMLClassifier, AutoMLRegressor]))
def test_any_table_is_fitted_soundly_or_refused_with_a_remedy(
    table: tuple[pd.DataFrame, list[Any]], kind: type[AutoML]
) -> None:
    X, y = table
    model, refused = fitted(kind(families=["linear"]), X, y)

    if model is None:
        assert refused is not None
        assert refused.message
        assert refused.remedy
    else:
        assert is_sound(model, X, len(X))
