"""Encoders of version 0.1, as their files are, and arrays as JSON."""

import json

import numpy as np
import pyarrow as pa
import pytest

from automl_assets.core.errors import StorageError
from automl_assets.learn.features import Encoder
from automl_assets.learn.features._stored import Packed

NAN = float("nan")


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "u2", "i4"])
def test_an_array_is_the_same_after_json(dtype: str) -> None:
    packed = Packed.of([[1, 2, 3], [4, 5, 6]], dtype)
    again = Packed.from_json(json.loads(json.dumps(packed.to_json())))
    assert again == packed
    assert again.array.dtype == np.dtype(dtype)
    assert packed != Packed.of([[1, 2, 3], [4, 5, 7]], dtype)


OLD_DENSE = {
    "view": "dense",
    "columns": [
        {"kind": "numeric", "name": "n", "view": "dense", "median": 3.0, "indicates": True,
         "scale": {"centre": 3.75, "spread": 2.0}},
        {"kind": "categorical", "name": "c", "view": "dense", "categories": ["b", "a"]},
        {"kind": "text", "name": "t", "view": "dense", "words": ["dog"], "idf": [1.0],
         "length": {"centre": 1.0, "spread": 0.5}},
    ],
}  # fmt: skip
OLD_CODES = {
    "view": "codes",
    "columns": [
        {"kind": "numeric", "name": "n", "view": "codes", "median": 3.0, "indicates": True,
         "scale": {"centre": 3.75, "spread": 2.0}},
        {"kind": "categorical", "name": "c", "view": "codes", "categories": ["b", "a"]},
        {"kind": "datetime", "name": "d", "view": "codes", "parts": ["month", "epoch_days"], "encoders": [{}, {}]},
    ],
}  # fmt: skip


def test_a_dense_encoder_of_version_0_1_gives_what_it_gave() -> None:
    encoder = Encoder.from_json(OLD_DENSE)
    table = pa.table({"n": [None, 7.75], "c": ["a", "z"], "t": ["dog", None]})
    expected = [
        [-0.375, 1, 0, 1, 0, 0, 1, (np.log1p(3) - 1) / 0.5],
        [2, 0, 0, 0, 1, 0, 0, -2],
    ]
    np.testing.assert_allclose(encoder.transform(table), expected, rtol=1e-6)
    assert encoder.feature_names[:3] == ["n", "n is missing", "c = b"]
    assert Encoder.from_json(encoder.to_json()) == encoder


def test_a_codes_encoder_of_version_0_1_gives_what_it_gave() -> None:
    encoder = Encoder.from_json(OLD_CODES)
    day = pa.array([86_400_000_000 * 40, None], pa.timestamp("us"))
    found = encoder.transform(pa.table({"n": [1.0, None], "c": ["a", None], "d": day}))
    np.testing.assert_array_equal(found, [[1, 1, 2, 40], [NAN] * 4])
    assert encoder.categorical == [1]


def test_a_dense_date_of_version_0_1_is_refused() -> None:
    column = {**OLD_CODES["columns"][2], "view": "dense"}
    with pytest.raises(StorageError, match=r"date 'd' is of an older format\. Train again"):
        Encoder.from_json({"view": "dense", "columns": [column]})
