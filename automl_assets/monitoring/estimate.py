"""The champion's metric on a batch without labels, and by how much it worsened: numbers in, values out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl_assets.core.evidence import Drop
from automl_assets.core.values import Interval
from automl_assets.evaluation.expectations import Expectations, Measured
from automl_assets.learn.expected import estimate_metric
from automl_assets.learn.score import Metric, metric_named
from automl_assets.training.threshold import ARGMAX, Decision

if TYPE_CHECKING:
    import numpy as np

LEAST_ROWS = 50
WITHIN_ONE = ("roc_auc", "average_precision", "accuracy", "balanced_accuracy", "f1", "brier", "r2")
NEVER_NEGATIVE = ("log_loss", "rmse", "mae", "mape")


@dataclass(frozen=True)
class Estimated:
    """An estimate with its bias subtracted and its band, the drop that it means, and why one of them is missing."""

    value: Interval | None
    drop: Drop | None
    reason: str


def estimate_performance(
    metric_name: str,
    predicted: "np.ndarray",
    expectations: Expectations | None,
    *,
    tolerance: float,
    decision: Decision = ARGMAX,
    losses: "np.ndarray | None" = None,
    no_losses: str = "",
    weight: "np.ndarray | None" = None,
    seed: int = 0,
) -> Estimated:
    """The metric as the model's own probabilities, or its loss model, let expect it.

    The estimate's bias, as far as the holdout makes it certain, is subtracted; the drop compares estimate and estimate,
    so that it never was in it. Where the relation of target and features changes, no estimate without labels sees it.

    Args:
        predicted: probabilities of shape (rows, classes), or values of shape (rows,).
        expectations: None where the version has none: there is then no bias to subtract, and no drop.
        tolerance: what a drop may be, as ThresholdsConfig.performance_tolerance says.
        decision: how the version's labels follow from its probabilities.
        losses: for values, each row's expected loss; `no_losses` says why there are none.
    """
    metric = metric_named(metric_name)
    if len(predicted) < LEAST_ROWS:
        return Estimated(None, None, f"not estimated: {len(predicted)} rows; {LEAST_ROWS} are needed")
    if predicted.ndim == 1 and losses is None:
        return Estimated(None, None, f"not estimated: {no_losses or 'there are no expected losses'}")
    seen = decision.seen_by(metric, predicted)
    found = estimate_metric(metric, predicted, seen=seen, losses=losses, weight=weight, seed=seed)
    if found is None:
        return Estimated(None, None, f"not estimated: {metric.name} is undefined on these rows")
    method = "confidence-based" if predicted.ndim == 2 else "from the loss model"
    if expectations is None or expectations.estimated is None or expectations.realised is None:
        why = f"{method}; the version has no expectations to compare it with"
        return Estimated(found.band, None, why)
    bias = _certain_part(expectations.estimated.value - expectations.realised.value, expectations.realised)
    drop = drop_from(
        metric, expectations.estimated, found.band.value, found.standard_error, rows=len(predicted), tolerance=tolerance
    )
    return Estimated(_shifted(metric, found.band, -bias), drop, f"{method}, less a bias of {bias:+.3g} on the holdout")


def _certain_part(bias: float, realised: Measured) -> float:
    """The bias, shrunk by what the holdout's sampling adds to its square (positive-part James & Stein 1961)."""
    return bias * max(0.0, 1.0 - realised.standard_error**2 / bias**2) if bias else 0.0


def drop_from(
    metric: Metric, reference: Measured, now: float, standard_error: float, *, rows: int, tolerance: float
) -> Drop:
    """By how much the metric is worse than is usual for so many rows, by the reference.

    Args:
        standard_error: of `now`; the reference's own and its natural variation are added.
        rows: of the batch, all of them: what is natural depends on how long a time it spans.
        tolerance: in the metric's units for those between 0 and 1, else a share of the reference.
    """
    natural = reference.natural_at(rows)
    variance = standard_error**2 + reference.standard_error**2 + natural.deviation**2
    allowed = tolerance if metric.name in WITHIN_ONE else tolerance * abs(reference.value)
    return Drop(
        value=metric.loss(now) - metric.loss(natural.level),
        standard_error=variance**0.5,
        tolerance=allowed,
        sampling=standard_error,
        natural=natural.deviation,
    )


def _shifted(metric: Metric, band: Interval, by: float) -> Interval:
    """The band moved, but not to where the metric can't be."""
    most = 1.0 if metric.name in WITHIN_ONE else float("inf")
    least = 0.0 if metric.name in (*WITHIN_ONE, *NEVER_NEGATIVE) and metric.name != "r2" else float("-inf")
    value, low, high = (min(max(bound + by, least), most) for bound in (band.value, band.low, band.high))
    return Interval(value=value, low=low, high=high)
