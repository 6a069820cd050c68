"""From evidence to a drift report: which features differ in a way that matters, how much they weigh, and the causes."""

from collections.abc import Mapping, Sequence
from typing import Any

from automl_assets.core.evidence import Cause, DomainDrift, DriftReport, FeatureDrift
from automl_assets.monitoring.drift import registry

FALSE_DISCOVERY_RATE = 0.02  # of 30 unchanged columns in batches of 500 rows, 0.05 let 3 to 6% of the batches alarm
ALLOWANCE_FACTOR = 1.5  # seasonal streams go up to 1.4 times beyond the largest of the 16 windows seen
MISSING_JUMP = 0.1
STAYS_ON = 0.8  # hysteresis: a second window need reach only this share of a threshold
MOST_CAUSES = 10
MOST_REASONS = 20


def judge_drift(
    evidence: Mapping[str, Any],
    *,
    missing: Sequence[str] = (),
    schema_breaks: Sequence[str] = (),
    importances: Mapping[str, float] | None = None,
    html_path: str | None = None,
    html_url: str | None = None,
    figure_path: str | None = None,
) -> DriftReport:
    """Which features drifted: an effect that matters and is not natural, and significance corrected for all together.

    A feature's distribution stands in the report always, its other aspects where they drifted.

    Args:
        evidence: what `compare_with_reference` or `compare_tables` found.
        missing: features that the current table lacks, beside those that the evidence names.
        schema_breaks: other reasons why the table is not the reference's, as a person reads them.
        importances: the model's, by feature; the evidence's by default. Without any, all features weigh the same.
    """
    rows = list(evidence["features"])
    shares = weights({row["name"]: 0.0 for row in rows}, importances or evidence.get("importances") or {})
    q_values = benjamini_hochberg([row["p_value"] for row in rows])
    judged = [_judge(row, q, shares[row["name"]]) for row, q in zip(rows, q_values, strict=True)]
    tested = {feature.name for feature in judged if feature.q_value is not None}
    alarms = [feature for feature in judged if feature.drifted]
    drifted = {feature.name for feature in alarms}
    causes = _causes(alarms)
    lacking = dict.fromkeys((*missing, *evidence.get("missing", ())))
    breaks = (
        *(f"{name}: the column is missing" for name in lacking),
        *dict.fromkeys((*schema_breaks, *evidence.get("schema_breaks", ()))),
    )
    reasons = [*breaks, *(f"{cause.feature}: {cause.reason}" for cause in causes)]
    if breaks:
        status = "schema_changed"
    elif not tested:
        status, reasons = "insufficient_data", ["no feature has enough values on both sides"]
    else:
        status = "drift" if drifted else "none"
    domain, reconstruction = evidence.get("domain"), evidence.get("reconstruction")
    return DriftReport(
        status=status,
        reasons=_bounded(reasons),
        share_drifted=round(len(drifted) / len(tested), 4) if tested else 0.0,
        features=tuple(feature for feature in judged if feature.drifted or feature.aspect == "distribution"),
        reference_rows=evidence["reference_rows"],
        current_rows=evidence["current_rows"],
        engine=evidence.get("engine", "own"),
        importance_drifted=round(sum(shares[name] for name in drifted), 4),
        schema_breaks=breaks,
        missing_jumps=tuple(_jump(feature) for feature in alarms if _rise(feature) >= MISSING_JUMP),
        domain=DomainDrift(**domain) if domain else None,
        reconstruction=FeatureDrift(**reconstruction) if reconstruction else None,
        causes=causes,
        html_path=html_path,
        html_url=html_url,
        figure_path=figure_path,
    )


def _bounded(reasons: Sequence[str]) -> tuple[str, ...]:
    more = len(reasons) - MOST_REASONS
    return (*reasons[:MOST_REASONS], f"and {more} more") if more > 0 else tuple(reasons)


def weights(features: Mapping[str, float], importances: Mapping[str, float]) -> dict[str, float]:
    """Each feature's share of the model's importance, from 0 to 1; the same for all where there is none.

    A negative importance (shuffling the column helped) counts as 0.
    """
    found = {name: max(0.0, importances.get(name, 0.0)) for name in features}
    total = sum(found.values())
    return {name: value / total if total else 1 / len(found) for name, value in found.items()}


def _judge(row: Mapping[str, Any], q_value: float | None, importance: float) -> FeatureDrift:
    effect, psi, test = row["effect"], row.get("psi"), registry.get(row["test"])
    allowance = row.get("allowance", 0.0)
    base: dict[str, Any] = {
        "name": row["name"],
        "test": row["test"],
        "aspect": row.get("aspect", test.aspect),
        "effect": effect,
        "p_value": row["p_value"],
        "q_value": q_value,
        "psi": psi,
        "allowance": allowance,
        "importance": importance,
        "statistics": row.get("statistics", {}),
    }
    if effect is None or q_value is None:
        return FeatureDrift(**{**base, "effect": None}, drifted=False, reason=row.get("reason") or "not measured")
    measured = f"{row['test']} {effect:.3f}" + (f", PSI {psi:.3f}" if psi is not None else "") + f", q {q_value:.2g}"
    significant = q_value <= FALSE_DISCOVERY_RATE
    if effect < test.least_effect:
        why = "too small to matter" if significant else "no difference"
    elif effect < ALLOWANCE_FACTOR * allowance:
        why = f"natural: parts of the reference differ by {allowance:.3f}"
    else:
        why = "drifted" if significant else "not significant"
    return FeatureDrift(**base, drifted=why == "drifted", reason=f"{why} ({measured})")


def _rise(feature: FeatureDrift) -> float:
    """By how much the share of missing values rose."""
    if feature.aspect != "missing":
        return 0.0
    return feature.statistics.get("now", 0.0) - feature.statistics.get("before", 0.0)


def _jump(feature: FeatureDrift) -> str:
    before, now = feature.statistics.get("before", 0.0), feature.statistics.get("now", 0.0)
    return f"{feature.name}: missing in {now:.0%} of the rows, {before:.0%} before"


def _causes(alarms: Sequence[FeatureDrift]) -> tuple[Cause, ...]:
    """The features that drifted by importance × effect, each with its strongest aspect; weights add up to 1.

    Where no drifted feature has any importance, the effects alone rank them.
    """
    weighted = any(alarm.importance > 0 for alarm in alarms)
    strength: dict[str, tuple[float, FeatureDrift]] = {}
    for alarm in alarms:
        value = min(1.0, alarm.effect or 0.0) * (alarm.importance if weighted else 1.0)
        if alarm.name not in strength or value > strength[alarm.name][0]:
            strength[alarm.name] = value, alarm
    total = sum(value for value, _ in strength.values()) or 1.0
    ranked = sorted(strength.values(), key=lambda pair: (-pair[0], -(pair[1].effect or 0.0), pair[1].name))
    return tuple(
        Cause(feature=a.name, aspect=a.aspect, weight=round(value / total, 4), reason=a.reason)
        for value, a in ranked[:MOST_CAUSES]
    )


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
