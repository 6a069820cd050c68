"""A user's transformer: fitted, stored, trusted only where a recipe names it."""

import json
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pytest

from automl_assets.core.errors import ConfigError, StorageError
from automl_assets.learn.features import Encoder, Recipe

HERE = "tests.learn.features.test_custom"
TABLE = pa.table({"a": [1.0, 2.0, 4.0], "c": ["x", "yy", None]})
ROLES = {"a": "numeric", "c": "categorical"}


class Doubled:
    """Twice `a` over its training sum, and the length of `c`."""

    def __init__(self, total: float = 0.0):
        self.total = total

    def fit(self, table: pa.Table, y: Any) -> Self:
        self.total = sum(table.column("a").to_pylist())
        return self

    def transform(self, table: pa.Table) -> pa.Table:
        doubled = [None if v is None else 2 * v / self.total for v in table.column("a").to_pylist()]
        return pa.table({"doubled": doubled, "length": [len(v or "") for v in table.column("c").to_pylist()]})

    def to_json(self) -> dict[str, Any]:
        return {"total": self.total}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(document["total"])


class Shapeless(Doubled):
    def transform(self, table: pa.Table) -> Any:
        return np.zeros(3)


class Fickle(Doubled):
    def transform(self, table: pa.Table) -> Any:
        return np.zeros((table.num_rows, 1)), [f"of {table.num_rows}"]


class Unfinished:
    def fit(self, table: pa.Table, y: Any) -> Self:
        return self


def test_its_columns_stand_after_the_others_and_are_stored() -> None:
    recipe = Recipe(custom=(f"{HERE}:Doubled",))
    encoder = Encoder.fit(TABLE, ROLES, "codes", recipe=recipe)
    assert encoder.feature_names == ["a", "c", "doubled", "length"]
    assert encoder.sources[2:] == [f"{HERE}:Doubled"] * 2
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json())), trusted=recipe.custom)
    assert again == encoder
    later = pa.table({"a": [7.0], "c": ["abc"]})
    np.testing.assert_allclose(again.transform(later)[0, 2:], [2, 3])
    np.testing.assert_allclose(again.transform_one({"a": 7.0, "c": "abc"})[0, 2:], [2, 3])


def test_its_numbers_are_imputed_and_scaled_in_the_dense_view() -> None:
    encoder = Encoder.fit(
        TABLE, {"a": "numeric", "c": "categorical"}, "dense", recipe=Recipe(custom=(f"{HERE}:Doubled",))
    )
    assert np.isfinite(encoder.transform(pa.table({"c": ["x"]}))).all()
    assert encoder.transform(TABLE)[:, -1].mean() == pytest.approx(0, abs=1e-6)


def test_a_file_that_names_code_is_not_believed() -> None:
    document = Encoder.fit(TABLE, ROLES, "codes", recipe=Recipe(custom=(f"{HERE}:Doubled",))).to_json()
    with pytest.raises(StorageError, match=f"{HERE}:Doubled.*no trusted recipe names"):
        Encoder.from_json(document)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module_here:X", "'no_such_module_here:X' can't be imported"),
        (f"{HERE}:Absent", "has no class 'Absent'"),
        (f"{HERE}:Unfinished", "has no method transform, to_json, from_json"),
        (f"{HERE}:Shapeless", "Shapeless' returned ndarray"),
    ],
)
def test_what_is_missing_is_named(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Encoder.fit(TABLE, ROLES, "codes", recipe=Recipe(custom=(name,)))


def test_other_columns_than_in_training_are_an_error() -> None:
    encoder = Encoder.fit(TABLE.slice(0, 2), ROLES, "codes", recipe=Recipe(custom=(f"{HERE}:Fickle",)))
    with pytest.raises(ConfigError, match="returned the columns of 3 after of 2"):
        encoder.transform(TABLE)
