import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from automl_assets.arrays import as_arrow
from automl_assets.core.errors import SchemaError


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"a": [1, 2], "b": ["x", None]}),
        {"a": [1, 2], "b": ["x", None]},
        pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=[7, 9]),
        pl.DataFrame({"a": [1, 2], "b": ["x", None]}),
    ],
    ids=["arrow", "dict", "pandas", "polars"],
)
def test_whatever_holds_a_table_becomes_the_same_arrow_table(table: object) -> None:
    found = as_arrow(table)

    assert found.to_pydict() == {"a": [1, 2], "b": ["x", None]}
    assert [str(field.type) for field in found.schema] == ["int64", "string"]


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (np.array([[1.0, 2.0], [3.0, 4.0]]), {"x0": [1.0, 3.0], "x1": [2.0, 4.0]}),
        ([[1, 2], [3, 4]], {"x0": [1, 3], "x1": [2, 4]}),
        (np.array([["a", 1], [None, 2]], dtype=object), {"x0": ["a", None], "x1": [1, 2]}),
    ],
)
def test_a_matrix_gets_names(matrix: object, expected: dict[str, list[object]]) -> None:
    assert as_arrow(matrix).to_pydict() == expected


def test_names_that_are_no_text_become_text() -> None:
    assert as_arrow(pd.DataFrame({0: [1.5], 1: [2.5]})).column_names == ["0", "1"]


def test_the_callers_frame_is_not_changed() -> None:
    frame = pd.DataFrame({0: [1.5], 1: ["a"]})
    before = frame.copy()

    as_arrow(frame)

    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (3, "A int is no table"),
        (None, "A NoneType is no table"),
        (pd.Series([1, 2]), "A Series is no table"),
        (np.zeros(3), "two dimensions; this has 1"),
        (np.zeros((2, 2, 2)), "two dimensions; this has 3"),
        ([[1], [1, 2]], "can't be read"),
        ({"a": [1, 2], "b": [1]}, "can't be read"),
        ({"a": [1, 2], "b": 7}, "Column 'b' can't be read"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "Columns have one name: a"),
        (pa.table([[1], [2]], names=["a", "a"]), "Columns have one name: a"),
    ],
)
def test_what_is_no_table_is_refused_with_a_reason(table: object, told: str) -> None:
    with pytest.raises(SchemaError, match=told):
        as_arrow(table)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([1, "x", None], ["1", "x", None]),
        ([1.0, "1", float("nan")], ["1", "1", None]),
        ([{"k": 1}, 2.5, pd.NA], ["{'k': 1}", "2.5", None]),
        ([{1}, {2}, None], ["[1]", "[2]", None]),
        ([10**30, 1, None], [str(10**30), "1", None]),
        ([[1], [2, 3], None], ["[1]", "[2, 3]", None]),
        ([1 + 2j, 3j, 0j], ["(1+2j)", "3j", "0j"]),
    ],
)
def test_a_column_of_mixed_or_nested_values_becomes_text(cells: list[object], expected: list[str | None]) -> None:
    matrix = np.empty((3, 1), dtype=object)
    matrix[:, 0] = cells

    assert as_arrow(pd.DataFrame({"a": pd.Series(cells, dtype=object)})).to_pydict() == {"a": expected}
    assert as_arrow({"a": cells}).to_pydict() == {"a": expected}
    assert as_arrow(matrix).to_pydict() == {"x0": expected}
