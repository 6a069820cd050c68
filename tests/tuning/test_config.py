import pytest
from pydantic import ValidationError

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
    assert FeaturesConfig().pipeline == "auto"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"families": ["xgbost"]}, "Did you mean 'xgboost'?"),
        ({"families": []}, "families is empty"),
        ({"time_budget_seconds": 0}, "greater than 0"),
        ({"max_trials": 0}, "greater than or equal to 1"),
        ({"deterministic": True}, "tuning.deterministic is not supported by this version"),
        ({"prefer": "speed"}, "balanced"),
        ({"budget": 3}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_reason(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told.replace("?", r"\?")):
        TuningConfig.model_validate(given)
