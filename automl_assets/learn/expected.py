"""What a metric should be on rows whose labels nobody knows yet, with its sampling band. numpy only.

Classes: confidence-based estimation (CBPE; NannyML 2022): where the predicted probabilities are calibrated, a row is
of class k with probability p_k, so each class takes that much of the row. Numbers: a loss model's expected loss a row.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl_assets.core.values import Interval
from automl_assets.learn.score import (
    CLIP,
    METRICS,
    RESAMPLES,
    Metric,
    auc_of_masses,
    interval_of,
    labels_of,
    sorted_ties,
)

if TYPE_CHECKING:
    import numpy as np

MOST_RESAMPLED_CELLS = 40_000
LEAST_RESAMPLED_ROWS = 2_000
ERROR_DRAWS = 200

Scorer = Callable[["np.ndarray"], float]


@dataclass(frozen=True)
class Estimate:
    """A metric that was estimated without labels.

    band: the value, and where the measured one of such rows would lie in 95% of cases: other rows of the same kind
    and, for classes, labels drawn from the probabilities. standard_error: the estimate's own, from the rows alone.
    """

    band: Interval
    standard_error: float
    rows: int


def estimate_metric(
    metric: Metric,
    predicted: "np.ndarray",
    *,
    seen: "np.ndarray | None" = None,
    losses: "np.ndarray | None" = None,
    weight: "np.ndarray | None" = None,
    seed: int = 0,
    band: bool = True,
    error_draws: int = ERROR_DRAWS,
) -> Estimate | None:
    """The metric's expected value on rows without labels, or None where it is undefined.

    Args:
        predicted: calibrated probabilities of shape (rows, classes), or values of shape (rows,).
        seen: what the metric judges, where that is not the probabilities: the chosen class's 1 beside the others' 0.
        losses: for values: each row's expected loss, of the kind that `loss_metric` names.
        weight: how much each row counts.
        band: False leaves the band at the value, which is quicker.
        error_draws: resamples of the rows for the standard error, which is 0 without any.
    """
    import numpy as np

    weight = np.ones(len(predicted)) if weight is None else weight
    seen = predicted if seen is None else seen
    score, mass = _of_classes(metric, predicted, seen) if predicted.ndim == 2 else _of_values(metric, predicted, losses)
    value = score(mass * weight[:, None])
    if not np.isfinite(value):
        return None
    chosen, shrink = resampled_rows(predicted, seed)
    kept, weight = predicted[chosen], weight[chosen]
    score, mass = (
        _of_classes(metric, kept, seen[chosen]) if kept.ndim == 2 else _of_values(metric, kept, _at(losses, chosen))
    )
    centre = score(mass * weight[:, None])
    of_rows = np.array([score(draw * weight[:, None]) for draw in _row_draws(mass, seed + 1, error_draws)])
    around = np.array([])
    if band:
        draws = _labelled_draws(mass, seed) if kept.ndim == 2 else _row_draws(mass, seed, RESAMPLES)
        around = np.array([score(draw * weight[:, None]) for draw in draws])
    interval = interval_of(value + shrink * (around - centre), value)
    return Estimate(interval, float(shrink * np.nanstd(of_rows)) if error_draws else 0.0, len(predicted))


def loss_metric(name: str) -> Metric:
    """The metric whose loss a row a loss model learns for the regression metric `name`; r2 needs the squared one."""
    return METRICS["rmse" if name == "r2" else name]


def expected_value(metric: Metric, predicted: "np.ndarray", mass: "np.ndarray") -> float:
    """A classification metric where row i is of class k to the extent of ``mass[i, k]``.

    With the weighted one-hot labels for `mass` it is the metric itself.
    """
    return class_scorer(metric, predicted)(mass)


def resampled_rows(predicted: "np.ndarray", seed: int) -> "tuple[np.ndarray | slice, float]":
    """Which rows to resample (20,000 at most, fewer for many classes), and by how much their deviations shrink on all.

    The m-out-of-n bootstrap (Bickel, Götze & van Zwet 1997) of a statistic whose error falls with the root of rows.
    """
    import numpy as np

    rows = len(predicted)
    classes = max(2, predicted.shape[1] if predicted.ndim == 2 else 1)
    most = max(LEAST_RESAMPLED_ROWS, MOST_RESAMPLED_CELLS // classes)
    if rows <= most:
        return slice(None), 1.0
    chosen = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    return chosen, (most / rows) ** 0.5


def _of_classes(metric: Metric, predicted: "np.ndarray", seen: "np.ndarray") -> "tuple[Scorer, np.ndarray]":
    return class_scorer(metric, seen), predicted / predicted.sum(axis=1, keepdims=True)


def _of_values(metric: Metric, predicted: "np.ndarray", losses: "np.ndarray | None") -> "tuple[Scorer, np.ndarray]":
    """The metric as a function of the rows' masses, of shape (rows, 1).

    r2: a calibrated prediction leaves the variance of the target as its own variance plus the mean squared error.
    """
    import numpy as np

    if losses is None:
        raise ValueError(f"{metric.name} is estimated from each row's expected loss, and there is none")

    def score(mass: "np.ndarray") -> float:
        row = mass[:, 0]
        mean = row @ losses / row.sum()
        if metric.name != "r2":
            return float(metric.finish(mean) if metric.finish else mean)
        centred = predicted - row @ predicted / row.sum()
        spread = row @ centred**2 / row.sum() + mean
        return float(1 - mean / spread) if spread > 0 else float("nan")

    return score, np.ones((len(predicted), 1))


def _at(values: "np.ndarray | None", chosen: "np.ndarray | slice") -> "np.ndarray | None":
    return None if values is None else values[chosen]


def _labelled_draws(mass: "np.ndarray", seed: int) -> "Iterator[np.ndarray]":
    """Rows drawn with replacement, each with a label drawn from its probabilities: how often row i was class k."""
    import numpy as np

    rows, classes = mass.shape
    generator = np.random.default_rng(seed)
    steps = np.cumsum(mass[:, :-1], axis=1).astype(np.float32)
    for _ in range(RESAMPLES):
        drawn = generator.integers(0, rows, rows, dtype=np.int32)
        thrown = generator.random(rows, dtype=np.float32)
        label = (thrown[:, None] >= steps[drawn]).sum(axis=1) if classes > 2 else thrown >= steps[drawn, 0]
        yield np.bincount(drawn * classes + label, minlength=rows * classes).reshape(rows, classes).astype(float)


def _row_draws(mass: "np.ndarray", seed: int, resamples: int) -> "Iterator[np.ndarray]":
    import numpy as np

    rows = len(mass)
    generator = np.random.default_rng(seed)
    for _ in range(resamples):
        counts = np.bincount(generator.integers(0, rows, rows, dtype=np.int32), minlength=rows)
        yield mass * counts[:, None]


def class_scorer(metric: Metric, predicted: "np.ndarray") -> Scorer:
    """A classification metric as a function of the masses, of shape (rows, classes); what can be is computed once."""
    if metric.rows is not None:
        return _additive(metric, predicted)
    of_name = {
        "roc_auc": _roc_auc,
        "average_precision": _average_precision,
        "balanced_accuracy": _balanced_accuracy,
        "f1": _f1,
    }
    return of_name[metric.name](predicted)


def _additive(metric: Metric, predicted: "np.ndarray") -> Scorer:
    """A mean of losses: the loss of each row for each class that it may be of."""
    import numpy as np

    rows, finish = metric.rows, metric.finish
    assert rows is not None
    losses = np.column_stack([rows(np.full(len(predicted), k), predicted) for k in range(predicted.shape[1])])

    def score(mass: "np.ndarray") -> float:
        mean = np.vdot(mass, losses) / mass.sum()
        return float(finish(mean) if finish else mean)

    return score


def _roc_auc(predicted: "np.ndarray") -> Scorer:
    import numpy as np

    several = predicted.shape[1] > 2
    sorted_by = {k: sorted_ties(predicted[:, k]) for k in (range(predicted.shape[1]) if several else (1,))}

    def one(mass: "np.ndarray", k: int) -> float:
        order, starts = sorted_by[k]
        up = mass[:, k]
        down = mass.sum(axis=1) - up if several else mass[:, 0]
        return auc_of_masses(up[order], down[order], starts)

    def score(mass: "np.ndarray") -> float:
        if not several:
            return one(mass, 1)
        of_class, total = mass.sum(axis=0), mass.sum()
        present = [k for k in sorted_by if 0 < of_class[k] < total]
        return float(np.mean([one(mass, k) for k in present])) if present else float("nan")

    return score


def _average_precision(predicted: "np.ndarray") -> Scorer:
    import numpy as np

    order, starts = sorted_ties(-predicted[:, 1])

    def score(mass: "np.ndarray") -> float:
        hit = np.add.reduceat(mass[order, 1], starts)
        if not hit.sum():
            return float("nan")
        seen = np.cumsum(np.add.reduceat(mass.sum(axis=1)[order], starts))
        return float((np.cumsum(hit) / np.maximum(seen, CLIP) * hit).sum() / hit.sum())

    return score


def _balanced_accuracy(predicted: "np.ndarray") -> Scorer:
    import numpy as np

    chosen = np.eye(predicted.shape[1])[labels_of(predicted)]

    def score(mass: "np.ndarray") -> float:
        of_class = mass.sum(axis=0)
        there = of_class > 0
        return float(((mass * chosen).sum(axis=0)[there] / of_class[there]).mean())

    return score


def _f1(predicted: "np.ndarray") -> Scorer:
    import numpy as np

    chosen = np.eye(predicted.shape[1])[labels_of(predicted)]

    def score(mass: "np.ndarray") -> float:
        hit = (mass * chosen).sum(axis=0)
        total = mass.sum(axis=0) + mass.sum(axis=1) @ chosen
        each = np.divide(2 * hit, total, out=np.zeros_like(hit), where=total > 0)
        return float(each[total > 0].mean() if len(each) > 2 else each[1])

    return score
