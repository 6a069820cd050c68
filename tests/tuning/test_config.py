import pytest
from pydantic import ValidationError

from automl_assets.core.errors import UnknownNameError
from automl_assets.learn.features import Recipe
from automl_assets.tuning.config import FeaturesConfig, TuningConfig


def test_the_defaults_are_the_documented_ones() -> None:
    assert TuningConfig().model_dump() == {
        "time_budget_seconds": 300,
        "max_trials": None,
        "families": "auto",
        "ensemble": "auto",
        "prefer": "balanced",
        "deterministic": False,
    }
    assert FeaturesConfig().model_dump() == {"pipeline": "auto"}
    assert FeaturesConfig().recipe() == Recipe()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"families": ["xgbost"]}, "Did you mean 'xgboost'?"),
        ({"families": []}, "families is empty"),
        ({"time_budget_seconds": 0}, "greater than 0"),
        ({"max_trials": 0}, "greater than or equal to 1"),
        ({"prefer": "speed"}, "balanced"),
        ({"ensemble": "vote"}, "'auto', 'greedy', 'voting' or 'best'"),
        ({"budget": 3}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_reason(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told.replace("?", r"\?")):
        TuningConfig.model_validate(given)


@pytest.mark.parametrize("ensemble", ["auto", "greedy", "voting", "best"])
def test_an_ensemble_is_chosen_by_name(ensemble: str) -> None:
    assert TuningConfig.model_validate({"ensemble": ensemble}).ensemble == ensemble


OWN = {"house": Recipe(scaler="robust", pairs=3, selection="mutual_information", selection_count=7)}


@pytest.mark.parametrize(
    ("stated", "recipe"),
    [
        ({"scaler": "robust"}, Recipe(scaler="robust")),
        ({"pipeline": "auto", "pairs": 5}, Recipe(pairs=5)),
        ({"pipeline": "interactions"}, Recipe(pairs=10, crosses=5)),
        ({"pipeline": "interactions", "pairs": 0, "encoder": "target"}, Recipe(crosses=5, encoder="target")),
        ({"pipeline": "house"}, OWN["house"]),
        ({"pipeline": "house", "scaler": "auto"}, OWN["house"].model_copy(update={"scaler": "auto"})),
        ({"pipeline": "house", "custom": ["a.b:C"]}, OWN["house"].model_copy(update={"custom": ("a.b:C",)})),
        (
            {"pipeline": "house", "selection_share": 0.2},
            OWN["house"].model_copy(update={"selection_share": 0.2, "selection_count": None}),
        ),
        (
            {"pipeline": "linear", "indicators": None},
            Recipe(scaler="quantile", encoder="one_hot", imputer="median", dates="cycles"),
        ),
    ],
)
def test_what_is_stated_beside_a_named_configuration_overrides_it(stated: dict, recipe: Recipe) -> None:
    features = FeaturesConfig.model_validate(stated)
    assert features.recipe(OWN) == recipe
    resolved = features.resolved(OWN)
    written = FeaturesConfig.model_validate_json(resolved.model_dump_json())
    assert written.recipe() == resolved.recipe() == recipe
    assert written.pipeline == stated.get("pipeline", "auto")


def test_only_what_is_stated_is_written() -> None:
    stated = {"pipeline": "trees", "scaler": "none", "indicators": None}
    assert FeaturesConfig.model_validate(stated).model_dump() == stated


def test_a_name_of_the_platform_takes_the_place_of_a_bundled_one() -> None:
    assert FeaturesConfig(pipeline="trees").recipe({"trees": Recipe(pairs=1)}) == Recipe(pairs=1)


def test_a_name_that_nothing_has_is_refused_with_those_that_there_are() -> None:
    told = "Unknown features configuration 'hause'. Did you mean 'house'? Known: auto, house, interactions, linear, "
    with pytest.raises(UnknownNameError, match=told.replace("?", r"\?")):
        FeaturesConfig(pipeline="hause").recipe(OWN)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {"pipeline": "auto", "scaler": "auto"}, True),
        ({"pipeline": "interactions"}, {"pairs": 10, "crosses": 5}, True),
        ({"pipeline": "interactions"}, {"pairs": 10}, False),
        ({"pipeline": "trees"}, {"pipeline": "linear"}, False),
    ],
)
def test_what_a_fingerprint_sees_is_the_recipe_and_not_its_name(one: dict, other: dict, same: bool) -> None:
    seen = [FeaturesConfig.model_validate(stated).identity() for stated in (one, other)]
    assert (seen[0] == seen[1]) is same
    assert FeaturesConfig().identity() == {"pipeline": "auto"}
