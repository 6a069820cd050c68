from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from automl_assets.core.values import DriftReport
from automl_assets.monitoring.config import MonitoringConfig, ThresholdsConfig
from automl_assets.monitoring.decide import Verdict, benjamini_hochberg, decide, judge_drift


def row(
    name: str = "x", effect: float | None = 0.0, p: float | None = 1.0, psi: float | None = 0.0, test: str = "ks"
) -> dict[str, Any]:
    return {"name": name, "test": test, "effect": effect, "p_value": p, "psi": psi, "rows": 1000}


def judged(*rows: dict[str, Any], missing: tuple[str, ...] = ()) -> DriftReport:
    return judge_drift({"features": list(rows), "reference_rows": 2000, "current_rows": 1000}, missing=missing)


@pytest.mark.parametrize(
    ("p_values", "q_values"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([None, 0.03], [None, 0.03]),
        ([0.01, 0.02, 0.03], [0.03, 0.03, 0.03]),
        ([0.01, 0.04, 0.03, 0.005], [0.02, 0.04, 0.04, 0.02]),
        ([0.001, 0.5, None, 1.0], [0.003, 0.75, None, 1.0]),
        ([0.9, 0.9], [0.9, 0.9]),
        # Benjamini & Hochberg (1995), table of 15: four are rejected at 0.05
        (
            [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
             0.7590, 1.0],
            [0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.063857, 0.063857, 0.0645, 0.0765, 0.486, 0.581182, 0.714875,
             0.753231, 0.813214, 1.0],
        ),
    ],
)  # fmt: skip
def test_benjamini_hochberg_by_hand(p_values: list[float | None], q_values: list[float | None]) -> None:
    found = benjamini_hochberg(p_values)

    assert [q is None for q in found] == [q is None for q in q_values]
    assert [q for q in found if q is not None] == pytest.approx([q for q in q_values if q is not None], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=25))
def test_benjamini_hochberg_is_scipys(p_values: list[float]) -> None:
    assert benjamini_hochberg(p_values) == pytest.approx(stats.false_discovery_control(p_values))


@pytest.mark.parametrize(
    ("effect", "psi", "p", "drifted", "why"),
    [
        (0.30, 0.50, 1e-9, True, "drifted"),
        (0.10, 0.00, 1e-9, True, "drifted"),  # the effect alone suffices, the bound included
        (0.02, 0.10, 1e-9, True, "drifted"),  # so does the PSI
        (0.099, 0.099, 1e-9, False, "too small to matter"),
        (0.30, 0.50, 0.051, False, "not significant"),
        (0.30, 0.50, 0.050, True, "drifted"),
        (0.01, 0.01, 0.9, False, "no difference"),
        (0.30, None, 1e-9, True, "drifted"),
    ],
)
def test_a_feature_drifts_when_the_effect_matters_and_is_significant(
    effect: float, psi: float | None, p: float, drifted: bool, why: str
) -> None:
    report = judged(row(effect=effect, psi=psi, p=p))

    (feature,) = report.features
    assert feature.drifted is drifted
    assert feature.reason.startswith(why)
    assert report.status == ("drift" if drifted else "none")


def test_significance_is_corrected_for_all_features_together() -> None:
    lonely = judged(row("a", effect=0.3, p=0.04))
    among_many = judged(row("a", effect=0.3, p=0.04), *(row(f"b{i}", p=0.9) for i in range(9)))

    assert lonely.status == "drift"
    assert among_many.status == "none"
    assert among_many.features[0].q_value == pytest.approx(0.4)


def test_a_report_tells_the_share_and_the_reasons() -> None:
    report = judged(row("a", effect=0.5, p=1e-6, psi=1.25), row("b"), row("c"), row("d", effect=None, p=None, psi=None))

    assert (report.status, report.share_drifted) == ("drift", 0.3333)
    assert report.reasons == ("a: drifted (ks 0.500, PSI 1.250, q 3e-06)",)
    assert report.features[3].reason == "insufficient data: 1000 values on one side"
    assert (report.reference_rows, report.current_rows) == (2000, 1000)


@pytest.mark.parametrize("rows", [[], [row(effect=None, p=None, psi=None)]])
def test_too_few_values_everywhere_are_insufficient_data(rows: list[dict[str, Any]]) -> None:
    report = judged(*rows)

    assert report.status == "insufficient_data"
    assert report.share_drifted == 0.0
    assert report.reasons == ("no feature has enough values on both sides",)


def test_a_missing_feature_changes_the_schema_whatever_else_drifted() -> None:
    report = judged(row("a", effect=0.5, p=1e-6), missing=("b",))

    assert report.status == "schema_changed"
    assert report.reasons[0] == "b: the column is missing"
    assert report.reasons[1].startswith("a: drifted")
    assert decide(report, {"a": 1.0}, ThresholdsConfig()) == Verdict("alert", 0.0, report.reasons)


@pytest.mark.parametrize(
    ("importances", "threshold", "action", "share"),
    [
        ({"a": 0.3, "b": 0.7}, 0.3, "retrain", 0.3),
        ({"a": 0.29, "b": 0.71}, 0.3, "alert", 0.29),
        ({"a": 0.9, "b": 0.1}, 1.0, "alert", 0.9),
        ({"a": -0.5, "b": 1.0}, 0.3, "alert", 0.0),
        ({}, 0.3, "retrain", 0.5),
        ({"a": 0.0, "b": 0.0}, 0.6, "alert", 0.5),
        ({"a": -1.0, "b": -1.0}, 0.5, "retrain", 0.5),
        ({"b": 0.0, "a": 1e-12}, 0.9, "retrain", 1.0),
    ],
)
def test_a_retrain_needs_enough_of_the_importance(
    importances: dict[str, float], threshold: float, action: str, share: float
) -> None:
    report = judged(row("a", effect=0.5, p=1e-6), row("b"))

    verdict = decide(report, importances, ThresholdsConfig(importance_share=threshold))

    assert (verdict.action, verdict.share) == (action, share)
    assert verdict.reasons[0] == f"drifted features carry {share:.0%} of the model's importance"


@pytest.mark.parametrize("rows", [[row("a")], [row("a", effect=None, p=None)]])
def test_nothing_drifted_means_nothing_to_do(rows: list[dict[str, Any]]) -> None:
    report = judged(*rows)

    assert decide(report, {"a": 1.0}, ThresholdsConfig()) == Verdict("none", 0.0, report.reasons)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"alerts": [{"type": "slack"}]}, "An alert of type 'slack' is not supported"),
        ({"thresholds": {"importance_share": 1.5}}, "less than or equal to 1"),
        ({"max_retrains_per_day": -1}, "greater than or equal to 0"),
        ({"engine": "guesswork"}, "evidently"),
        ({"thresholds": {"psi": 0.2}}, "Extra inputs"),
    ],
)
def test_a_wrong_setting_is_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        MonitoringConfig.model_validate(given)
