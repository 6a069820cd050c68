"""What every bundled configuration keeps, also those not yet written."""

import json
import re

import numpy as np
import pyarrow as pa
import pytest

from automl_assets.learn.features import Encoder, Recipe
from automl_assets.learn.features.columns import View
from automl_assets.learn.features.configurations import registry
from automl_assets.pipeline import NAME_PATTERN
from tests.learn.features.tables import ROLES, a_table, a_target

NAMES = registry.names()


def test_there_are_some_and_each_says_another_thing() -> None:
    assert NAMES == ("interactions", "linear", "robust", "selected", "target_means", "trees")
    recipes = [registry.get(name).recipe for name in NAMES]
    assert all(recipe != Recipe() for recipe in recipes)
    assert len({recipe.model_dump_json() for recipe in recipes}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_says_when_to_choose_it(name: str) -> None:
    told = registry.get(name).told()
    assert re.match(NAME_PATTERN, name)
    assert 40 < len(told) < 120
    assert told.endswith((".", ":"))


@pytest.mark.parametrize("view", ["codes", "dense"])
@pytest.mark.parametrize("name", NAMES)
def test_it_encodes_any_table_in_both_views_and_names_no_code(name: str, view: View) -> None:
    recipe, table, y = registry.get(name).recipe, a_table(), a_target(classes=2)
    encoder, trained = Encoder.fit_transform(table, ROLES, view, y=y, classes=2, recipe=recipe)
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert recipe.custom == ()
    assert trained.shape == (table.num_rows, len(encoder.feature_names))
    np.testing.assert_array_equal(again.transform(table), encoder.transform(table))
    assert again.transform(pa.table({"nothing": [1]})).shape == (1, trained.shape[1])
    assert view == "codes" or np.isfinite(trained).all()
