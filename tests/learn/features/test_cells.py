"""Few cells read as many do."""

from datetime import datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from automl_assets.learn.features.cells import FEW_ROWS, Cells

COLUMNS = {
    "numbers": pa.array([1.5, 2.0, None, float("inf"), float("nan"), -0.0, 1e300, 0.1]),
    "small floats": pa.array([0.1, 2.0, None], pa.float32()),
    "integers": pa.array([1, None, -(2**53) - 1, 2**62]),
    "booleans": pa.array([True, False, None]),
    "texts": pa.array(["a", "", None, "ç", "1"]),
    "dictionary": pa.array(["a", "b", None, "a"]).dictionary_encode(),
    "null": pa.nulls(3),
    "times": pa.array([datetime(2020, 1, 1, 5), None]),
    "decimals": pa.array([Decimal("1.50"), None]),
}


def many(column: pa.Array) -> tuple[Cells, int]:
    times = FEW_ROWS // len(column) + 1
    return Cells(pa.chunked_array([column] * times)), len(column)


@pytest.mark.parametrize("name", COLUMNS)
def test_few_labels_read_as_many_do(name: str) -> None:
    bulk, size = many(COLUMNS[name])
    few = Cells(pa.chunked_array([COLUMNS[name]]))
    assert few.labels == bulk.labels[:size]
    rank = {label: i for i, label in enumerate(dict.fromkeys(bulk.labels)) if label is not None and i % 2}
    np.testing.assert_array_equal(few.codes(rank), bulk.codes(rank)[:size])


@pytest.mark.parametrize("name", [n for n in COLUMNS if n not in ("texts", "dictionary")])
def test_few_numbers_read_as_many_do(name: str) -> None:
    bulk, size = many(COLUMNS[name])
    np.testing.assert_array_equal(Cells(pa.chunked_array([COLUMNS[name]])).numbers, bulk.numbers[:size])


def test_a_crossed_label_is_missing_where_either_is() -> None:
    first, second = Cells(None, ["a", None, "b"]), Cells(None, ["x", "y", "y"])
    assert Cells.crossed(first, second).labels == ["a\x1fx", None, "b\x1fy"]
