import pytest

from automl_assets.core.values import Interval
from automl_assets.registration.config import RegistrationConfig
from automl_assets.registration.gate import Comparison, Policy, decide_promotion

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

# policy, comparison -> promoted, review requested, what the reason says
TABLE = [
    ("if_better", None, True, False, "no champion yet"),
    ("if_better", AGAINST_BETTER, True, False, "better than version 3: roc_auc +0.01 [-0.02, +0.04] on 100 rows"),
    ("if_better", AGAINST_TIE, False, False, "not better than version 3: roc_auc +0 ["),
    ("if_better", AGAINST_WORSE, False, False, "not better than version 3: roc_auc -0.01 ["),
    ("if_better", NO_ROWS, False, True, "not comparable with version 3: no rows"),
    ("if_better", NO_SCORE, False, True, "not comparable with version 3: roc_auc is undefined"),
    ("if_better", NO_SCHEMA, True, False, "version 3 can't score the current columns"),
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


def test_by_default_only_better_models_are_promoted() -> None:
    assert RegistrationConfig() == RegistrationConfig(promote="if_better", shadow_batches=0)


@pytest.mark.parametrize(
    ("given", "told"),
    [({"promote": "sometimes"}, "'if_better', 'always', 'never' or 'ask'"), ({"shadow_batches": 2}, "not supported")],
)
def test_a_wrong_setting_is_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        RegistrationConfig.model_validate(given)
