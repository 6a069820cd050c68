"""Metrics in natural value, weighted, and their paired bootstrap. numpy only, so that scoring imports nothing heavy.

Labels are class indices 0 … K-1 (regression: floats). Predictions are probabilities of shape (rows, K), or values of
shape (rows,). For binary problems class 1 is the positive one.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from automl_assets.core.errors import unknown_name
from automl_assets.core.values import Interval

if TYPE_CHECKING:
    import numpy as np

Needs = Literal["probability", "value"]
CLIP = 1e-15
RESAMPLES = 1_000
LEVEL = 0.95


@dataclass(frozen=True)
class Metric:
    """A metric: how to compute it, which way is better, and for which kinds of problem it makes sense.

    `rows` gives a loss a row when the metric is a function (`finish`) of their weighted mean: its bootstrap is then
    one matrix product. `of_labels`: it judges the most probable class alone, not the probabilities.
    """

    name: str
    higher_is_better: bool
    kinds: tuple[str, ...]
    value: "Callable[[np.ndarray, np.ndarray, np.ndarray], float]"
    rows: "Callable[[np.ndarray, np.ndarray], np.ndarray] | None" = None
    finish: "Callable[[np.ndarray], np.ndarray] | None" = None
    of_labels: bool = False

    def __call__(self, y: "np.ndarray", predicted: "np.ndarray", weight: "np.ndarray | None" = None) -> float:
        """The metric's natural value."""
        import numpy as np

        return float(self.value(y, predicted, np.ones(len(y)) if weight is None else weight))

    def loss(self, score: float) -> float:
        """The score turned so that less is better."""
        return -score if self.higher_is_better else score

    def better(self, score: float, than: float) -> bool:
        """Whether one natural value is strictly better than another."""
        return self.loss(score) < self.loss(than)


def _positive(predicted: "np.ndarray") -> "np.ndarray":
    return predicted[:, 1] if predicted.ndim == 2 else predicted


def _roc_auc(y: "np.ndarray", predicted: "np.ndarray", weight: "np.ndarray") -> float:
    """Area under the ROC curve; for several classes the mean over one class against the rest."""
    import numpy as np

    if predicted.ndim == 2 and predicted.shape[1] > 2:
        present = [k for k in range(predicted.shape[1]) if 0 < weight[y == k].sum() < weight.sum()]
        if not present:
            return float("nan")
        return float(np.mean([_binary_auc((y == k), predicted[:, k], weight) for k in present]))
    return _binary_auc(y == 1, _positive(predicted), weight)


def _binary_auc(positive: "np.ndarray", score: "np.ndarray", weight: "np.ndarray") -> float:
    order, starts = sorted_ties(score)
    return float(_auc_of_sorted(positive[order], weight[order], starts))


def sorted_ties(score: "np.ndarray") -> "tuple[np.ndarray, np.ndarray]":
    """The order that sorts the scores, and where each run of equal ones starts in it."""
    import numpy as np

    order = np.argsort(score, kind="stable")
    ranked = score[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    return order, starts


def _auc_of_sorted(positive: "np.ndarray", weight: "np.ndarray", starts: "np.ndarray") -> float:
    import numpy as np

    return auc_of_masses(np.where(positive, weight, 0.0), np.where(positive, 0.0, weight), starts)


def auc_of_masses(positive: "np.ndarray", negative: "np.ndarray", starts: "np.ndarray") -> float:
    """The area under the ROC curve where each row, sorted by its score, is positive and negative to an extent."""
    import numpy as np

    up, down = np.add.reduceat(positive, starts), np.add.reduceat(negative, starts)
    ups, downs = up.sum(), down.sum()
    if not ups or not downs:
        return float("nan")
    below = np.cumsum(down) - down
    return float((up * (below + down / 2)).sum() / (ups * downs))


def _average_precision(y: "np.ndarray", predicted: "np.ndarray", weight: "np.ndarray") -> float:
    import numpy as np

    order, starts = sorted_ties(-_positive(predicted))
    hit = np.add.reduceat(np.where(y[order] == 1, weight[order], 0.0), starts)
    seen = np.add.reduceat(weight[order], starts)
    if not hit.sum():
        return float("nan")
    precision = np.cumsum(hit) / np.maximum(np.cumsum(seen), CLIP)
    return float((precision * hit).sum() / hit.sum())


def _log_loss_rows(y: "np.ndarray", predicted: "np.ndarray") -> "np.ndarray":
    import numpy as np

    if predicted.ndim == 1:
        chosen = np.where(y == 1, predicted, 1 - predicted)
    else:
        chosen = predicted[np.arange(len(y)), y.astype(int)]
    return -np.log(np.clip(chosen, CLIP, 1.0))


def _brier_rows(y: "np.ndarray", predicted: "np.ndarray") -> "np.ndarray":
    import numpy as np

    if predicted.ndim == 1 or predicted.shape[1] == 2:
        return (_positive(predicted) - (y == 1)) ** 2
    truth = np.zeros_like(predicted)
    truth[np.arange(len(y)), y.astype(int)] = 1
    return ((predicted - truth) ** 2).sum(axis=1)


def labels_of(predicted: "np.ndarray") -> "np.ndarray":
    """The most probable class a row."""
    return predicted.argmax(axis=1) if predicted.ndim == 2 else (predicted >= 0.5).astype(int)


def _hit_rows(y: "np.ndarray", predicted: "np.ndarray") -> "np.ndarray":
    return (labels_of(predicted) == y).astype(float)


def _square_rows(y: "np.ndarray", predicted: "np.ndarray") -> "np.ndarray":
    return (y - predicted) ** 2


def _absolute_rows(y: "np.ndarray", predicted: "np.ndarray") -> "np.ndarray":
    return abs(y - predicted)


def _relative_rows(y: "np.ndarray", predicted: "np.ndarray") -> "np.ndarray":
    import numpy as np

    return abs(y - predicted) / np.maximum(abs(y), np.finfo(float).eps)


def _balanced_accuracy(y: "np.ndarray", predicted: "np.ndarray", weight: "np.ndarray") -> float:
    import numpy as np

    hit = labels_of(predicted) == y
    classes = [k for k in np.unique(y) if weight[y == k].sum()]
    return float(np.mean([weight[(y == k) & hit].sum() / weight[y == k].sum() for k in classes]))


def _f1(y: "np.ndarray", predicted: "np.ndarray", weight: "np.ndarray") -> float:
    """F1 of the positive class; for several classes the mean over classes."""
    import numpy as np

    labels = labels_of(predicted)
    several = predicted.ndim == 2 and predicted.shape[1] > 2
    scores = []
    for k in np.union1d(y, labels) if several else [1]:
        hit = weight[(y == k) & (labels == k)].sum()
        total = weight[y == k].sum() + weight[labels == k].sum()
        scores.append(2 * hit / total if total else 0.0)
    return float(np.mean(scores))


def _r2(y: "np.ndarray", predicted: "np.ndarray", weight: "np.ndarray") -> float:
    import numpy as np

    mean = np.average(y, weights=weight)
    spread = (weight * (y - mean) ** 2).sum()
    return float(1 - (weight * (y - predicted) ** 2).sum() / spread) if spread else float("nan")


def _of_rows(
    name: str,
    higher: bool,
    kinds: tuple[str, ...],
    rows: "Callable[[np.ndarray, np.ndarray], np.ndarray]",
    finish: "Callable[[np.ndarray], np.ndarray] | None" = None,
    of_labels: bool = False,
) -> Metric:
    def value(y: "np.ndarray", predicted: "np.ndarray", weight: "np.ndarray") -> float:
        import numpy as np

        mean = np.average(rows(y, predicted), weights=weight)
        return float(finish(mean) if finish else mean)

    return Metric(name, higher, kinds, value, rows, finish, of_labels)


CLASSES = ("binary", "multiclass")
METRICS = {
    metric.name: metric
    for metric in (
        Metric("roc_auc", True, CLASSES, _roc_auc),
        Metric("average_precision", True, ("binary",), _average_precision),
        _of_rows("log_loss", False, CLASSES, _log_loss_rows),
        _of_rows("brier", False, CLASSES, _brier_rows),
        _of_rows("accuracy", True, CLASSES, _hit_rows, of_labels=True),
        Metric("balanced_accuracy", True, CLASSES, _balanced_accuracy, of_labels=True),
        Metric("f1", True, CLASSES, _f1, of_labels=True),
        _of_rows("rmse", False, ("regression",), _square_rows, lambda mean: mean**0.5),
        _of_rows("mae", False, ("regression",), _absolute_rows),
        _of_rows("mape", False, ("regression",), _relative_rows),
        Metric("r2", True, ("regression",), _r2),
    )
}


OWN = "own:"
_lent: dict[str, Metric] = {}


def own_metric(name: str, value: "Callable[[np.ndarray, np.ndarray, np.ndarray], float]") -> Metric:
    """A metric of the user's own, of which more is better; `lent` makes it known by its name for a while."""
    from uuid import uuid4

    return Metric(f"{OWN}{name}:{uuid4().hex[:8]}", True, (*CLASSES, "regression"), value)


def is_own(name: str) -> bool:
    """Whether a metric's name is of one of the user's own: only the process that it was given to can compute it."""
    return name.startswith(OWN)


@contextmanager
def lent(metric: Metric | None) -> Iterator[None]:
    """Let `metric_named` find a metric of the user's own while the block runs."""
    if metric is None:
        yield
        return
    _lent[metric.name] = metric
    try:
        yield
    finally:
        del _lent[metric.name]


def _unknown_here(y: "np.ndarray", predicted: "np.ndarray", weight: "np.ndarray") -> float:
    return float("nan")


def metric_named(name: str, kind: str | None = None) -> Metric:
    """A metric by name, for a kind of problem if one is given.

    One of the user's own is undefined everywhere in a process that has not been lent it: a child leaves the score of a
    fold open, and the study's store fills it in (`tuning/trial_store.py`).

    Raises:
        UnknownNameError: there is none; those of the kind are listed.
    """
    if is_own(name):
        return _lent.get(name) or Metric(name, True, (*CLASSES, "regression"), _unknown_here)
    known = {n: m for n, m in METRICS.items() if kind is None or kind in m.kinds}
    if name not in known:
        raise unknown_name(f"metric for {kind} problems" if kind else "metric", name, known)
    return known[name]


def metrics_for(kind: str) -> list[Metric]:
    """Every metric that makes sense for a kind of problem."""
    return [metric for metric in METRICS.values() if kind in metric.kinds]


def bootstrap(
    metric: Metric,
    y: "np.ndarray",
    predictions: "Sequence[np.ndarray]",
    *,
    weight: "np.ndarray | None" = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> "np.ndarray":
    """The metric of each prediction on the same resampled rows: shape (resamples, predictions).

    Rows are drawn with replacement (Efron 1979), the same rows for every prediction, so differences are paired.
    """
    import numpy as np

    base = np.ones(len(y)) if weight is None else weight
    result = np.empty((resamples, len(predictions)))
    if metric.rows is not None:
        losses = np.column_stack([metric.rows(y, p) for p in predictions])
        for i, counts in enumerate(_resampled(len(y), resamples, seed)):
            w = counts * base
            result[i] = w @ losses / w.sum()
        return metric.finish(result) if metric.finish else result
    scorers = [_scorer(metric, y, p) for p in predictions]
    for i, counts in enumerate(_resampled(len(y), resamples, seed)):
        result[i] = [scorer(counts * base) for scorer in scorers]
    return result


def _resampled(rows: int, resamples: int, seed: int) -> "Iterator[np.ndarray]":
    """How often each row was drawn, resample by resample."""
    import numpy as np

    generator = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(generator.integers(0, rows, rows), minlength=rows).astype(float)


def _scorer(metric: Metric, y: "np.ndarray", predicted: "np.ndarray") -> "Callable[[np.ndarray], float]":
    """The metric as a function of the weights; for a binary ROC the sorting is done once."""
    if metric.name == "roc_auc" and (predicted.ndim == 1 or predicted.shape[1] == 2):
        order, starts = sorted_ties(_positive(predicted))
        positive = (y == 1)[order]
        return lambda weight: _auc_of_sorted(positive, weight[order], starts)
    return lambda weight: metric.value(y, predicted, weight)


def interval_of(values: "np.ndarray", point: float) -> Interval:
    """The central 95% of bootstrap values around a point estimate; undefined resamples are left out."""
    import numpy as np

    defined = values[~np.isnan(values)]
    if not len(defined):
        return Interval(value=point, low=point, high=point)
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value=float(point), low=float(low), high=float(high))
