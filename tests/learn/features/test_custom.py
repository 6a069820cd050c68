"""A user's transformer: fitted, stored, trusted only where a recipe names it."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from automl_assets.core.errors import ConfigError, StorageError
from automl_assets.learn.features import Encoder, Recipe
from automl_assets.learn.features.columns.custom import code_digest

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


class Reexported(Unfinished):
    pass


Reexported.__module__ = "tests.learn.features.tables"


class Texts(Doubled):
    """Reads its columns by Arrow's functions, which want the types that they were written for."""

    def fit(self, table: pa.Table, y: Any) -> Self:
        return self

    def transform(self, table: pa.Table) -> pa.Table:
        length = pc.utf8_length(table.column("c"))
        return pa.table({"length": length, "of": pc.divide(table.column("a"), 2.0)})


class Failing(Doubled):
    def transform(self, table: pa.Table) -> Any:
        raise KeyError("a column")


class Forgetful(Doubled):
    def to_json(self) -> dict[str, Any]:
        return {"total": np.float32(1)}


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
        (f"{HERE}:Reexported", "stands in 'tests.learn.features.tables'. Write tests.learn.features.tables:Reexported"),
        (f"{HERE}:Failing", "transform of the transformer .*Failing' failed: KeyError: 'a column'"),
        (f"{HERE}:Forgetful", "to_json of the transformer .*Forgetful' failed: TypeError: .* not JSON serializable"),
    ],
)
def test_what_is_missing_is_named(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Encoder.fit(TABLE, ROLES, "codes", recipe=Recipe(custom=(name,)))


def test_other_columns_than_in_training_are_an_error() -> None:
    encoder = Encoder.fit(TABLE.slice(0, 2), ROLES, "codes", recipe=Recipe(custom=(f"{HERE}:Fickle",)))
    with pytest.raises(ConfigError, match="returned the columns of 3 after of 2"):
        encoder.transform(TABLE)


def test_it_is_given_the_types_of_its_training_whatever_a_later_table_has() -> None:
    recipe = Recipe(custom=(f"{HERE}:Texts",))
    training = TABLE.set_column(1, "c", TABLE.column("c").dictionary_encode())
    encoder = Encoder.fit(training, {"a": "numeric", "c": "categorical"}, "codes", recipe=recipe)
    np.testing.assert_allclose(encoder.transform(TABLE)[:2, 2:], [[1, 0.5], [2, 1]])
    np.testing.assert_allclose(encoder.transform_one({"a": 3, "c": "abc"})[0, 2:], [3, 1.5])
    assert np.isnan(encoder.transform_one({})[0, 2:]).all()


MODULE = """
class Mine:
    def fit(self, table, y):
        return self
    def transform(self, table):
        return [[{value}]] * table.num_rows, ["mine"]
    def to_json(self):
        return {{}}
    @classmethod
    def from_json(cls, document):
        return cls()
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of the user's, which can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "a_users_module.py"
    file.write_text(MODULE.format(value=1))
    return file


def test_code_that_changed_since_the_training_is_refused_with_a_sentence(module: Path) -> None:
    recipe = Recipe(custom=("a_users_module:Mine",))
    document = Encoder.fit(TABLE, ROLES, "codes", recipe=recipe).to_json()
    assert Encoder.from_json(document, trusted=recipe.custom).transform(TABLE)[:, 2].tolist() == [1, 1, 1]
    module.write_text(MODULE.format(value=2))
    with pytest.raises(ConfigError) as refused:
        Encoder.from_json(document, trusted=recipe.custom)
    assert str(refused.value) == (
        "features.custom: The code of the transformer 'a_users_module:Mine' has changed since the model was trained. "
        "Restore its module as it was, or train again."
    )
    module.write_text(MODULE.format(value=1))
    assert Encoder.from_json(document, trusted=recipe.custom).transform(TABLE)[:, 2].tolist() == [1, 1, 1]
    module.unlink()
    del sys.modules["a_users_module"]
    importlib.invalidate_caches()
    with pytest.raises(ConfigError, match="can't be imported: No module named 'a_users_module'"):
        Encoder.from_json(document, trusted=recipe.custom)


def test_code_is_known_by_its_file_and_not_imported_to_be_known(module: Path) -> None:
    known = code_digest("a_users_module:Mine")
    assert len(known) == 32
    assert "a_users_module" not in sys.modules
    module.write_text(MODULE.format(value=2))
    assert code_digest("a_users_module:Mine") not in ("", known)
    assert [code_digest(path) for path in ("no_such_module:X", "no_such.module:X", "sys:X")] == ["", "", ""]
