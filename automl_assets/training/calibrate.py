"""Which calibration, if any: judged out of fold, each row by one that was fitted on the other folds.

From the most rigid to the most flexible, each must beat the one before by more than a standard error of the rows'
paired differences in log-loss:

    binary         none, sigmoid (from 200 rows), isotonic (from 3,000 rows: with fewer it fits the noise)
    several        none, temperature (from 200 rows), vector (from 500 rows: it has a parameter a class)

No ranking is lost for a calibration: those of two classes rise strictly, and those of several are refused where the
study's own metric gets worse.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl_assets.learn.score import METRICS, Metric
from automl_assets.training.calibration import UNCALIBRATED, Calibration
from automl_assets.training.calibration_fits import fit_isotonic, fit_sigmoid, fit_temperature, fit_vector

if TYPE_CHECKING:
    import numpy as np

LEAST_ROWS, LEAST_ROWS_ISOTONIC, LEAST_ROWS_VECTOR = 200, 3_000, 500
LEAST_GAIN = 1e-4
MOST_LOSS_OF_METRIC = 1e-4
BINS = 15

Fit = Callable[["np.ndarray", "np.ndarray", "np.ndarray"], Calibration]
BINARY: tuple[tuple[int, Fit], ...] = ((LEAST_ROWS, fit_sigmoid), (LEAST_ROWS_ISOTONIC, fit_isotonic))
SEVERAL: tuple[tuple[int, Fit], ...] = ((LEAST_ROWS, fit_temperature), (LEAST_ROWS_VECTOR, fit_vector))


@dataclass(frozen=True)
class Calibrated:
    """The calibration of all rows, and what it does to rows that it has not seen.

    crossed: each row by a calibration that was fitted on the other folds, shape (rows, classes). error_before and
    error_after: the expected calibration error of the stated and of the crossed probabilities, between 0 and 1.
    """

    calibration: Calibration
    crossed: "np.ndarray"
    error_before: float
    error_after: float


def calibrate(
    y: "np.ndarray",
    probabilities: "np.ndarray",
    folds: "np.ndarray",
    weight: "np.ndarray | None" = None,
    metric: Metric | None = None,
) -> Calibrated:
    """The calibration that lowers the out-of-fold log-loss beyond noise, or none.

    Args:
        probabilities: out-of-fold, shape (rows, classes).
        folds: each row's fold; a single one is split in two.
        metric: the study's, which no calibration may worsen.
    """
    import numpy as np

    weight = np.ones(len(y)) if weight is None else weight
    if len(np.unique(folds)) < 2:
        folds = np.arange(len(y)) % 2
    before = calibration_error(y, probabilities, weight)
    chosen, crossed = None, probabilities
    for least, fit in BINARY if probabilities.shape[1] == 2 else SEVERAL:
        if len(y) < least:
            continue
        tried = _crossed(fit, y, probabilities, folds, weight)
        if _is_better(y, tried, crossed, weight) and not _costs(metric, y, tried, probabilities, weight):
            chosen, crossed = fit, tried
    if chosen is None:
        return Calibrated(UNCALIBRATED, probabilities, before, before)
    return Calibrated(chosen(y, probabilities, weight), crossed, before, calibration_error(y, crossed, weight))


def _crossed(
    fit: Fit, y: "np.ndarray", probabilities: "np.ndarray", folds: "np.ndarray", weight: "np.ndarray"
) -> "np.ndarray":
    import numpy as np

    crossed = np.empty_like(probabilities, dtype=float)
    for name in np.unique(folds):
        inside = folds == name
        crossed[inside] = fit(y[~inside], probabilities[~inside], weight[~inside]).apply(probabilities[inside])
    return crossed


def _is_better(y: "np.ndarray", new: "np.ndarray", old: "np.ndarray", weight: "np.ndarray") -> bool:
    """Whether the log-loss falls by more than a standard error of the paired differences."""
    rows = METRICS["log_loss"].rows
    assert rows is not None
    gains = rows(y, old) - rows(y, new)
    mean = (weight @ gains) / weight.sum()
    error = ((weight**2) @ (gains - mean) ** 2) ** 0.5 / weight.sum()
    return bool(mean > max(LEAST_GAIN, error))


def _costs(metric: Metric | None, y: "np.ndarray", new: "np.ndarray", old: "np.ndarray", weight: "np.ndarray") -> bool:
    """Whether the study's metric pays for it. Ranks of two classes stay, and their labels follow from a threshold."""
    if metric is None or (new.shape[1] == 2 and (metric.rows is None or metric.of_labels)):
        return False
    return metric.loss(metric(y, new, weight)) > metric.loss(metric(y, old, weight)) + MOST_LOSS_OF_METRIC


def calibration_error(y: "np.ndarray", probabilities: "np.ndarray", weight: "np.ndarray | None" = None) -> float:
    """The expected calibration error, between 0 and 1: stated against found, in 15 bins of equally many rows.

    Of the positive class of two, of the predicted one of several (Naeini, Cooper & Hauskrecht 2015; bins of equal
    size after Nguyen & O'Connor 2015).
    """
    import numpy as np

    weight = np.ones(len(y)) if weight is None else weight
    binary = probabilities.shape[1] == 2
    stated = probabilities[:, 1] if binary else probabilities.max(axis=1)
    found = y == 1 if binary else probabilities.argmax(axis=1) == y
    gaps = (weight * (stated - found))[np.argsort(stated, kind="stable")]
    starts = np.unique(np.linspace(0, len(y), min(BINS, len(y)), endpoint=False).astype(int))
    return float(abs(np.add.reduceat(gaps, starts)).sum() / weight.sum())
