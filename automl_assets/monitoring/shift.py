"""Whether the champion's predictions, or the target, are distributed as they were: against stored expectations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from automl_assets.core.evidence import Aspect, FeatureDrift
from automl_assets.evaluation.expectations import Expectations, Sketch, shares_of, summary_of
from automl_assets.monitoring.judge import ALLOWANCE_FACTOR

if TYPE_CHECKING:
    import numpy as np

LEAST_ROWS = 50
LEAST_EFFECT: "dict[Aspect, float]" = {"predictions": 0.05, "target": 0.1}  # a model tells classes apart in part only
MOST_P = 0.001
SERIES = 100


def prediction_shift(expectations: Expectations, predicted: "np.ndarray") -> FeatureDrift:
    """The predictions against those of the holdout and those out of fold: news is what differs from both.

    Equal rows are held out together, so that a few large groups of them may decide what a holdout looks like; out of
    fold each row is predicted by a part of the model alone.

    KS of the positive probability or of the value; for several classes that of the top probability or TVD of the
    predicted classes' shares, whichever differs more, its p-value doubled for the choice.
    """
    summary = summary_of(predicted)
    known = [sketch for sketch in (expectations.predictions, expectations.out_of_fold) if sketch is not None]
    numeric = min(
        (numeric_shift("prediction", "predictions", sketch, summary) for sketch in known),
        key=lambda shift: 0.0 if shift.effect is None else shift.effect,
    )
    numeric = beyond_nature(numeric, expectations.predictions_natural, len(summary))
    if predicted.ndim == 1 or predicted.shape[1] == 2 or numeric.effect is None:
        return numeric
    shares = category_shift(
        "prediction",
        "predictions",
        expectations.predicted_shares,
        expectations.rows,
        predicted.argmax(axis=1),
    )
    assert shares.effect is not None
    larger, other = (shares, numeric) if shares.effect > numeric.effect else (numeric, shares)
    p_value = min(1.0, 2 * (larger.p_value or 0.0))
    told = _judged("prediction", "predictions", larger.test, larger.effect or 0.0, p_value)
    told = beyond_nature(told, expectations.predictions_natural, len(summary))
    return told.model_copy(update={"statistics": {other.test: other.effect}})


def target_shift(expectations: Expectations, y: "np.ndarray") -> FeatureDrift | None:
    """The labels against the training target: TVD of class shares, or KS of numbers; None where none was stored."""
    if expectations.target_shares:
        found = category_shift("target", "target", expectations.target_shares, expectations.target_rows, y)
    elif expectations.target is not None:
        found = numeric_shift("target", "target", expectations.target, y)
    else:
        return None
    return beyond_nature(found, expectations.target_natural, len(y))


def numeric_shift(name: str, aspect: Aspect, reference: Sketch, values: "np.ndarray") -> FeatureDrift:
    """The two-sample Kolmogorov–Smirnov distance to a sketch, which is 1/1024 off at most, and its p-value."""
    import numpy as np

    if min(reference.rows, len(values)) < LEAST_ROWS:
        return _too_few(name, aspect, "ks", min(reference.rows, len(values)))
    points, ordered = np.array(reference.points), np.sort(values)
    at = np.concatenate([points, ordered])
    before = np.searchsorted(points, at, side="right") / len(points)
    now = np.searchsorted(ordered, at, side="right") / len(ordered)
    effect = float(abs(before - now).max())
    return _judged(name, aspect, "ks", effect, ks_p_value(effect, reference.rows, len(values)))


def category_shift(
    name: str, aspect: Aspect, shares: tuple[float, ...], rows: int, labels: "np.ndarray"
) -> FeatureDrift:
    """The total variation distance of class shares, and the p-value of Pearson's chi-squared test of homogeneity."""
    import numpy as np
    from scipy.special import chdtrc

    if min(rows, len(labels)) < LEAST_ROWS:
        return _too_few(name, aspect, "tvd", min(rows, len(labels)))
    before, now = np.array(shares), np.array(shares_of(labels, len(shares)))
    effect = float(abs(before - now).sum() / 2)
    pooled = (rows * before + len(labels) * now) / (rows + len(labels))
    there = pooled > 0
    each = (before - now)[there] ** 2 / pooled[there]
    chi_squared = float(each.sum() * rows * len(labels) / (rows + len(labels)))
    p_value = float(chdtrc(max(1, int(there.sum()) - 1), chi_squared))
    return _judged(name, aspect, "tvd", effect, p_value)


def ks_p_value(distance: float, rows: int, others: int) -> float:
    """The asymptotic p-value of a two-sample KS distance (Kolmogorov 1933; Stephens' correction for small samples)."""
    import numpy as np

    root = (rows * others / (rows + others)) ** 0.5
    scaled = (root + 0.12 + 0.11 / root) * distance
    if scaled < 0.2:
        return 1.0
    k = np.arange(1, SERIES + 1)
    return float(np.clip(2 * ((-1.0) ** (k - 1) * np.exp(-2 * k**2 * scaled**2)).sum(), 0.0, 1.0))


def beyond_nature(shift: FeatureDrift, natural: Sequence[tuple[int, float]], rows: int) -> FeatureDrift:
    """The shift, not drifted where windows of the training rows of about its length differ nearly as much."""
    fitting = [distance for length, distance in natural if length <= rows] or [d for _, d in natural[:1]]
    allowance = fitting[-1] if fitting else 0.0
    if shift.effect is None or not shift.drifted or shift.effect >= ALLOWANCE_FACTOR * allowance:
        return shift.model_copy(update={"allowance": allowance})
    reason = f"natural: parts of the training rows differ by {allowance:.3f} ({shift.test} {shift.effect:.3f})"
    return shift.model_copy(update={"allowance": allowance, "drifted": False, "reason": reason})


def _judged(name: str, aspect: Aspect, test: str, effect: float, p_value: float) -> FeatureDrift:
    matters, significant = effect >= LEAST_EFFECT[aspect], p_value <= MOST_P
    measured = f"{test} {effect:.3f}, p {p_value:.2g}"
    if matters and significant:
        reason = f"drifted ({measured})"
    else:
        reason = f"{'too small to matter' if significant else 'no significant difference'} ({measured})"
    return FeatureDrift(
        name=name,
        test=test,
        aspect=aspect,
        effect=effect,
        p_value=p_value,
        q_value=None,
        drifted=matters and significant,
        reason=reason,
    )


def _too_few(name: str, aspect: Aspect, test: str, rows: int) -> FeatureDrift:
    return FeatureDrift(
        name=name,
        test=test,
        aspect=aspect,
        effect=None,
        p_value=None,
        q_value=None,
        drifted=False,
        reason=f"insufficient data: {rows} rows on one side",
    )
