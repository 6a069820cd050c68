"""From evidence to an answer, and from an answer to an action: pure functions of values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from automl_assets.core.values import DriftReport, FeatureDrift
from automl_assets.monitoring.config import ThresholdsConfig
from automl_assets.monitoring.drift import registry

FALSE_DISCOVERY_RATE = 0.05
LEAST_PSI = 0.1


@dataclass(frozen=True)
class Verdict:
    """What a drift report asks for: nothing, an alert, or a retrain; `share` is the drifted share of importance."""

    action: Literal["none", "alert", "retrain"]
    share: float
    reasons: tuple[str, ...]


def judge_drift(
    evidence: Mapping[str, Any], *, missing: Sequence[str] = (), html_path: str | None = None
) -> DriftReport:
    """Which features drifted: an effect that matters, and significance corrected for all features together.

    Args:
        evidence: what `compare_tables` found.
        missing: features that the current table lacks.
    """
    rows = list(evidence["features"])
    q_values = benjamini_hochberg([row["p_value"] for row in rows])
    features = tuple(_judge(row, q) for row, q in zip(rows, q_values, strict=True))
    tested = [feature for feature in features if feature.q_value is not None]
    drifted = [feature for feature in tested if feature.drifted]
    share = len(drifted) / len(tested) if tested else 0.0
    reasons = [f"{feature.name}: {feature.reason}" for feature in drifted]
    if missing:
        status, reasons = "schema_changed", [f"{name}: the column is missing" for name in missing] + reasons
    elif not tested:
        status, reasons = "insufficient_data", ["no feature has enough values on both sides"]
    else:
        status = "drift" if drifted else "none"
    return DriftReport(
        status=status,
        reasons=tuple(reasons),
        share_drifted=round(share, 4),
        features=features,
        reference_rows=evidence["reference_rows"],
        current_rows=evidence["current_rows"],
        html_path=html_path,
    )


def _judge(row: Mapping[str, Any], q_value: float | None) -> FeatureDrift:
    effect, psi = row["effect"], row["psi"]
    base = {"name": row["name"], "test": row["test"], "effect": effect, "p_value": row["p_value"], "q_value": q_value}
    if effect is None or q_value is None:
        return FeatureDrift(
            **base, psi=psi, drifted=False, reason=f"insufficient data: {row['rows']} values on one side"
        )
    least = registry.get(row["test"]).least_effect
    matters = effect >= least or (psi is not None and psi >= LEAST_PSI)
    significant = q_value <= FALSE_DISCOVERY_RATE
    measured = f"{row['test']} {effect:.3f}" + (f", PSI {psi:.3f}" if psi is not None else "") + f", q {q_value:.2g}"
    if matters and significant:
        return FeatureDrift(**base, psi=psi, drifted=True, reason=f"drifted ({measured})")
    why = "too small to matter" if significant else "not significant" if matters else "no difference"
    return FeatureDrift(**base, psi=psi, drifted=False, reason=f"{why} ({measured})")


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """The q-value of each p-value (Benjamini & Hochberg 1995); None stays None and counts for nothing."""
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    q_values: list[float | None] = [None] * len(p_values)
    least = 1.0
    for rank in range(len(known), 0, -1):
        p, position = known[rank - 1]
        least = min(least, p * len(known) / rank)
        q_values[position] = least
    return q_values


def decide(report: DriftReport, importances: Mapping[str, float], thresholds: ThresholdsConfig) -> Verdict:
    """A retrain when the drifted features carry enough of the model's importance, an alert for less.

    Without importances every feature counts the same. A schema change never asks for a retrain: a person must look.
    """
    drifted = [feature.name for feature in report.features if feature.drifted]
    if report.status == "schema_changed":
        return Verdict("alert", 0.0, report.reasons)
    if not drifted:
        return Verdict("none", 0.0, report.reasons)
    weights = {feature.name: max(0.0, importances.get(feature.name, 0.0)) for feature in report.features}
    if not sum(weights.values()):
        weights = dict.fromkeys(weights, 1.0)
    share = sum(weights[name] for name in drifted) / sum(weights.values())
    told = f"drifted features carry {share:.0%} of the model's importance"
    action = "retrain" if share >= thresholds.importance_share else "alert"
    return Verdict(action, round(share, 4), (told, *report.reasons))
