import pytest

from automl_assets.core.values import Interval
from automl_assets.registration.config import RegistrationConfig
from automl_assets.registration.gate import (
    CalibrationLoss,
    Comparison,
    Policy,
    Sides,
    SliceGain,
    decide_promotion,
)

BETTER = Interval(value=0.01, low=-0.02, high=0.04)
TIE = Interval(value=0.0, low=-0.01, high=0.01)
WORSE = Interval(value=-0.01, low=-0.03, high=0.01)
UNDEFINED = Interval(value=float("nan"), low=float("nan"), high=float("nan"))

AGAINST_BETTER = Comparison("3", 100, BETTER)
AGAINST_TIE = Comparison("3", 100, TIE)
AGAINST_WORSE = Comparison("3", 100, WORSE)
NO_ROWS = Comparison("3", 0, None)
NO_SCORE = Comparison("3", 100, UNDEFINED)
NO_SCHEMA = Comparison("3", 100, None, champion_fits_schema=False)
NOT_ITSELF = Comparison("3", 100, None, challenger_fits_schema=False)

# policy, comparison -> promoted, review requested, what the reason says
TABLE = [
    ("if_better", None, True, False, "no champion yet"),
    ("if_better", AGAINST_BETTER, True, False, "better than version 3: roc_auc +0.01 [-0.02, +0.04] on 100 rows"),
    ("if_better", AGAINST_TIE, False, False, "not better than version 3: roc_auc +0 ["),
    ("if_better", AGAINST_WORSE, False, False, "not better than version 3: roc_auc -0.01 ["),
    ("if_better", NO_ROWS, False, True, "not comparable with version 3: no rows"),
    ("if_better", NO_SCORE, False, True, "not comparable with version 3: roc_auc is undefined"),
    ("if_better", NO_SCHEMA, True, False, "version 3 can't score the current columns"),
    ("if_better", NOT_ITSELF, False, True, "not comparable with version 3: it can't score the shared rows itself"),
    ("always", None, True, False, "no champion yet"),
    ("always", AGAINST_WORSE, True, False, "always; it replaces version 3"),
    ("always", NO_ROWS, True, False, "always; it replaces version 3"),
    ("never", None, False, False, "never"),
    ("never", AGAINST_BETTER, False, False, "never"),
    ("never", NO_SCHEMA, False, False, "never"),
    ("ask", None, False, True, "a person decides"),
    ("ask", AGAINST_BETTER, False, True, "a person decides"),
]


@pytest.mark.parametrize(("policy", "comparison", "promote", "review", "told"), TABLE)
def test_the_gate(policy: Policy, comparison: Comparison | None, promote: bool, review: bool, told: str) -> None:
    decision = decide_promotion(policy, comparison, "roc_auc")

    assert (decision.promote, decision.review) == (promote, review)
    assert told in decision.reason


def test_the_smallest_gain_is_a_gain() -> None:
    tiny = Comparison("1", 5, Interval(value=5e-324, low=-1.0, high=1.0))

    assert decide_promotion("if_better", tiny, "rmse").promote


WORSE_FOR_SURE = Interval(value=-0.05, low=-0.08, high=-0.01)


def a_slice(rows: int, gain: Interval) -> SliceGain:
    return SliceGain("sex", "F", rows, gain)


def a_loss(value: float, low: float) -> CalibrationLoss:
    return CalibrationLoss(Sides(0.02 + value, 0.02), Interval(value=value, low=low, high=value + 0.01))


# what else was measured of a challenger that is better on the whole -> what speaks against it
HARMS = [
    ({}, None),
    ({"slices": (a_slice(100, WORSE_FOR_SURE),)}, "worse where sex is F: roc_auc -0.05 [-0.08, -0.01] on 100 rows"),
    ({"slices": (a_slice(99, WORSE_FOR_SURE),)}, None),
    ({"slices": (a_slice(5000, WORSE),)}, None),
    ({"slices": (a_slice(500, BETTER), a_slice(500, WORSE_FOR_SURE))}, "on 500 rows"),
    ({"calibration": a_loss(0.03, 0.01)}, "its calibration error is 0.050 instead of 0.020"),
    ({"calibration": a_loss(0.03, -0.01)}, None),
    ({"calibration": a_loss(0.02, 0.01)}, None),
    ({"calibration": a_loss(-0.03, -0.04)}, None),
    ({"row_ms": Sides(61.0, 20.0)}, "a row takes 61 ms instead of 20"),
    ({"row_ms": Sides(60.0, 20.0)}, None),
    ({"row_ms": Sides(49.0, 1.0)}, None),
]


@pytest.mark.parametrize(("measured", "harm"), HARMS)
def test_a_better_challenger_that_harms_waits_for_a_person(measured: dict, harm: str | None) -> None:
    found = Comparison("3", 1000, BETTER, **measured)

    decision = decide_promotion("if_better", found, "roc_auc")

    assert (decision.promote, decision.review) == (harm is None, harm is not None)
    assert decision.reason.startswith("better than version 3")
    assert (harm or "") in decision.reason
    assert decide_promotion("always", found, "roc_auc").promote


def test_harm_does_not_matter_in_a_challenger_that_is_no_better() -> None:
    found = Comparison("3", 1000, WORSE, slices=(a_slice(100, WORSE_FOR_SURE),))

    assert decide_promotion("if_better", found, "rmse") == decide_promotion(
        "if_better", Comparison("3", 1000, WORSE), "rmse"
    )


@pytest.mark.parametrize(
    ("policy", "comparison", "promote", "shadow"),
    [
        ("if_better", AGAINST_BETTER, False, True),
        ("always", AGAINST_WORSE, False, True),
        ("if_better", None, True, False),
        ("if_better", NO_SCHEMA, True, False),
        ("if_better", AGAINST_TIE, False, False),
        ("if_better", NO_ROWS, False, False),
        ("never", AGAINST_BETTER, False, False),
        ("ask", AGAINST_BETTER, False, False),
    ],
)
def test_a_shadow_stands_between_a_promotion_and_a_champion_that_can_score(
    policy: Policy, comparison: Comparison | None, promote: bool, shadow: bool
) -> None:
    decision = decide_promotion(policy, comparison, "roc_auc", shadow_batches=2)

    assert (decision.promote, decision.shadow) == (promote, shadow)
    assert ("first it scores the next 2 batches beside the champion" in decision.reason) is shadow
    if not shadow:
        assert decision == decide_promotion(policy, comparison, "roc_auc")


def test_by_default_only_better_models_are_promoted() -> None:
    assert RegistrationConfig() == RegistrationConfig(promote="if_better", shadow_batches=0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"promote": "sometimes"}, "'if_better', 'always', 'never' or 'ask'"),
        ({"shadow_batches": -1}, "greater than or equal to 0"),
    ],
)
def test_a_wrong_setting_is_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        RegistrationConfig.model_validate(given)
