"""Recipes: what they take, and what they say of what they don't."""

import pytest
from pydantic import ValidationError

from automl_assets.learn.features import Recipe
from automl_assets.learn.features.recipe import choices


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("scaler", ["auto", "none", "quantile", "robust", "robust_smooth", "standard"]),
        ("encoder", ["auto", "count", "one_hot", "ordinal", "target"]),
        ("imputer", ["auto", "iterative", "knn", "mean", "median", "none"]),
        ("selection", ["mutual_information", "none"]),
        ("dates", ["auto", "cycles", "parts"]),
        ("text", ["auto", "tfidf_svd", "words"]),
    ],
)
def test_a_field_takes_the_files_of_its_folder(field: str, names: list[str]) -> None:
    assert choices(field) == names
    for name in names:
        assert Recipe.model_validate_json(Recipe(**{field: name}).model_dump_json()) == Recipe(**{field: name})


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"scaler": "standart"}, "Did you mean 'standard'"),
        ({"encoder": "hashing"}, "Unknown encoder 'hashing'"),
        ({"pairs": -1}, "greater than or equal to 0"),
        ({"selection_share": 0}, "greater than 0"),
        ({"custom": ["os.system"]}, "package.module:ClassName"),
        ({"custom": ["a:b", "a:b"]}, "twice"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_what_a_recipe_does_not_take_is_told(document: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Recipe.model_validate(document)
