from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from automl_assets.core.evidence import DriftReport
from automl_assets.monitoring.judge import ALLOWANCE_FACTOR, MOST_REASONS, benjamini_hochberg, judge_drift, weights


def row(
    name: str = "x", effect: float | None = 0.0, p: float | None = 1.0, test: str = "ks", **more: object
) -> dict[str, Any]:
    return {"name": name, "test": test, "effect": effect, "p_value": p, "psi": 0.0, "rows": 1000, **more}


def missing_rate(before: float, now: float, name: str = "x", p: float = 1e-9) -> dict[str, Any]:
    return row(name, abs(now - before), p, "missing_rate", statistics={"before": before, "now": now})


def judged(*rows: dict[str, Any], importances: dict[str, float] | None = None, **more: Any) -> DriftReport:
    evidence = {"features": list(rows), "reference_rows": 2000, "current_rows": 1000, "importances": importances or {}}
    return judge_drift(evidence, **more)


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
    ("effect", "allowance", "p", "drifted", "why"),
    [
        (0.30, 0.00, 1e-9, True, "drifted"),
        (0.08, 0.00, 1e-9, True, "drifted"),  # the bound included
        (0.079, 0.00, 1e-9, False, "too small to matter"),
        (0.30, 0.00, 0.021, False, "not significant"),
        (0.30, 0.00, 0.020, True, "drifted"),
        (0.01, 0.00, 0.9, False, "no difference"),
        (0.30, 0.30, 1e-9, False, "natural: parts of the reference differ by 0.300"),
        (0.30, 0.30 / ALLOWANCE_FACTOR, 1e-9, True, "drifted"),
        (0.05, 0.30, 1e-9, False, "too small to matter"),
    ],
)
def test_a_feature_drifts_when_the_effect_matters_is_not_natural_and_is_significant(
    effect: float, allowance: float, p: float, drifted: bool, why: str
) -> None:
    report = judged(row(effect=effect, allowance=allowance, p=p))

    (feature,) = report.features
    assert feature.drifted is drifted
    assert feature.reason.startswith(why)
    assert report.status == ("drift" if drifted else "none")


def test_significance_is_corrected_for_all_features_together() -> None:
    lonely = judged(row("a", effect=0.3, p=0.01))
    among_many = judged(row("a", effect=0.3, p=0.01), *(row(f"b{i}", p=0.9) for i in range(9)))

    assert lonely.status == "drift"
    assert among_many.status == "none"
    assert among_many.features[0].q_value == pytest.approx(0.1)


def test_a_report_tells_the_share_and_the_reasons() -> None:
    few = row("d", effect=None, p=None, reason="insufficient data: 9 values on one side")

    report = judged(row("a", effect=0.5, p=1e-6, psi=1.25), row("b"), row("c"), few)

    assert (report.status, report.share_drifted) == ("drift", 0.3333)
    assert report.reasons == ("a: drifted (ks 0.500, PSI 1.250, q 3e-06)",)
    assert report.features[3].reason == "insufficient data: 9 values on one side"
    assert (report.reference_rows, report.current_rows) == (2000, 1000)


def test_other_aspects_stand_in_the_report_where_they_drifted() -> None:
    report = judged(row("a"), missing_rate(0.1, 0.1, "a", p=1.0), missing_rate(0.1, 0.4, "b"), row("b"))

    assert [(feature.name, feature.aspect) for feature in report.features] == [
        ("a", "distribution"), ("b", "missing"), ("b", "distribution"),
    ]  # fmt: skip
    assert report.share_drifted == 0.5


@pytest.mark.parametrize(
    ("before", "now", "jumps"),
    [(0.0, 0.2, True), (0.1, 0.2, True), (0.1, 0.19, False), (0.3, 0.1, False), (0.3, 0.3, False)],
)
def test_a_rise_of_missing_values_by_ten_points_is_a_jump(before: float, now: float, jumps: bool) -> None:
    report = judged(missing_rate(before, now))

    assert report.missing_jumps == ((f"x: missing in {now:.0%} of the rows, {before:.0%} before",) if jumps else ())


@pytest.mark.parametrize("rows", [[], [row(effect=None, p=None)]])
def test_too_few_values_everywhere_are_insufficient_data(rows: list[dict[str, Any]]) -> None:
    report = judged(*rows)

    assert report.status == "insufficient_data"
    assert report.share_drifted == 0.0
    assert report.reasons == ("no feature has enough values on both sides",)


def test_a_missing_or_changed_column_changes_the_schema_whatever_else_drifted() -> None:
    report = judged(row("a", effect=0.5, p=1e-6), missing=("b",), schema_breaks=("c: text where numbers were",))

    assert report.status == "schema_changed"
    assert report.schema_breaks == ("b: the column is missing", "c: text where numbers were")
    assert report.reasons[:2] == report.schema_breaks
    assert report.reasons[2].startswith("a: drifted")


def test_what_the_evidence_misses_is_told_once() -> None:
    evidence = {"features": [], "reference_rows": 1, "current_rows": 1, "missing": ["b"], "schema_breaks": ["c: text"]}

    report = judge_drift(evidence, missing=["b"], schema_breaks=["c: text"])

    assert report.schema_breaks == ("b: the column is missing", "c: text")


@pytest.mark.parametrize(
    ("importances", "share"),
    [
        ({"a": 0.3, "b": 0.7}, 0.3),
        ({"a": -0.5, "b": 1.0}, 0.0),
        ({}, 0.5),
        ({"a": 0.0, "b": 0.0}, 0.5),
        ({"a": -1.0, "b": -1.0}, 0.5),
        ({"a": 1.0, "c": 99.0}, 1.0),  # only what was compared counts
    ],
)
def test_the_drifted_share_of_importance(importances: dict[str, float], share: float) -> None:
    report = judged(row("a", effect=0.5, p=1e-6), row("b"), importances=importances)

    assert report.importance_drifted == pytest.approx(share)
    assert weights({}, importances) == {}


def test_causes_are_ranked_by_importance_times_effect_each_with_its_strongest_aspect() -> None:
    report = judged(
        row("a", effect=0.2, p=1e-9), row("b", effect=0.9, p=1e-9), row("c", effect=0.9, p=1e-9),
        row("a", effect=0.5, p=1e-9, test="range"), row("d"), importances={"a": 0.6, "b": 0.1, "d": 0.3},
    )  # fmt: skip

    assert [(cause.feature, cause.aspect) for cause in report.causes] == [
        ("a", "range"), ("b", "distribution"), ("c", "distribution"),
    ]  # fmt: skip
    assert [cause.weight for cause in report.causes] == pytest.approx([0.3 / 0.39, 0.09 / 0.39, 0.0], abs=1e-4)
    assert report.reasons[0].startswith("a: drifted (range 0.500")


def test_without_importance_the_effects_rank_the_causes() -> None:
    report = judged(row("a", effect=0.2, p=1e-9), row("b", effect=0.6, p=1e-9), row("c"), importances={"c": 1.0})

    assert [(cause.feature, cause.weight) for cause in report.causes] == [("b", 0.75), ("a", 0.25)]
    assert report.importance_drifted == 0.0


def test_reasons_are_bounded() -> None:
    report = judged(missing=[f"column {i}" for i in range(100)])

    assert len(report.reasons) == MOST_REASONS + 1
    assert report.reasons[-1] == "and 80 more"


def test_the_multivariate_evidence_passes_through() -> None:
    evidence = {
        "features": [row()], "reference_rows": 1, "current_rows": 1, "engine": "evidently",
        "domain": {"auc": 0.6, "low": 0.57, "p_value": 0.001, "rows": 900},
        "reconstruction": {"name": "all features", "test": "ks", "effect": 0.2, "p_value": 0.01, "q_value": 0.01,
                           "drifted": True, "reason": "rows lie elsewhere"},
    }  # fmt: skip

    report = judge_drift(evidence, html_path="page.html", figure_path="causes.png")

    assert report.domain is not None
    assert report.domain.low == 0.57
    assert report.reconstruction is not None
    assert report.reconstruction.drifted
    assert (report.engine, report.html_path, report.figure_path) == ("evidently", "page.html", "causes.png")
