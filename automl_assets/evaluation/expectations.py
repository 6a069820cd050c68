"""What is normal for a version, from its holdout: its metric, its estimate, its predictions, its errors, its target.

Stored with the version, so that a later batch is compared with what the champion itself was like, not with a number
that somebody remembers.
"""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from automl_assets.core.errors import StorageError
from automl_assets.core.files import write_text
from automl_assets.core.values import Value, value_from_document
from automl_assets.evaluation.variation import (
    Natural,
    measured_on,
    natural_by_length,
    natural_distances,
    natural_variation,
)
from automl_assets.learn.expected import ERROR_DRAWS, estimate_metric
from automl_assets.learn.score import RESAMPLES, Metric, metric_named
from automl_assets.training.threshold import ARGMAX, Decision

if TYPE_CHECKING:
    import numpy as np

FILE = "expectations.json"
SKETCH_POINTS = 512
BLOCK_RESAMPLES = 100
ERROR_QUANTILE = 0.99


class Sketch(Value):
    """Numbers in small: at most 512 of their quantiles, each of which stands for as many of the `rows`."""

    rows: int
    points: tuple[float, ...]


class Measured(Value):
    """A metric on the holdout: its value, its standard error, and what is usual for batches, the shortest first."""

    value: float
    standard_error: float
    natural: tuple[Natural, ...] = ()

    def natural_at(self, rows: int) -> Natural:
        """What is usual for a batch of so many rows: for the longest length which is not longer."""
        fitting = [natural for natural in self.natural if natural.rows <= rows] or self.natural[:1]
        return fitting[-1] if fitting else Natural(rows=rows, level=self.value, deviation=0.0)


class Expectations(Value):
    """What a version does on its holdout, and what it learnt from.

    realised and estimated: the metric measured, and estimated as if the labels were unknown: the difference is the
    estimate's bias. predictions: positive or top-class probabilities, or values. predicted_shares: of the classes
    predicted. errors: of the rows, as `bounded_errors` gives them, with their own variation over time. target and
    target_shares: of the training target. out_of_fold: the predictions of the training rows, each by a part of the
    model that has not seen it. predictions_natural and target_natural: how far windows of so many consecutive training
    rows lie from all of them.
    """

    metric: str
    rows: int
    realised: Measured | None
    estimated: Measured | None
    predictions: Sketch
    errors: Sketch
    error_scale: float
    error_natural: float
    predicted_shares: tuple[float, ...] = ()
    target: Sketch | None = None
    target_shares: tuple[float, ...] = ()
    target_rows: int = 0
    out_of_fold: Sketch | None = None
    predictions_natural: tuple[tuple[int, float], ...] = ()
    target_natural: tuple[tuple[int, float], ...] = ()


def build_expectations(
    metric_name: str,
    y: "np.ndarray",
    predicted: "np.ndarray",
    *,
    target: "np.ndarray",
    losses: "np.ndarray | None" = None,
    weight: "np.ndarray | None" = None,
    out_of_fold: "np.ndarray | None" = None,
    decision: Decision = ARGMAX,
    seed: int = 0,
) -> Expectations:
    """The expectations of a model whose predictions of the holdout, in row order, are known.

    Args:
        y: class indices or numbers.
        predicted: probabilities of shape (rows, classes), or values of shape (rows,).
        target: the training rows' labels, coded as `y` is.
        losses: for values: each row's expected loss by the model's loss model, None where it has none.
        weight: how much each row counts.
        out_of_fold: the ensemble's predictions of the training rows.
        decision: how the model's labels follow from its probabilities, for metrics that judge labels.
    """
    import numpy as np

    metric = metric_named(metric_name)
    classes = predicted.shape[1] if predicted.ndim == 2 else 0
    share = len(y) / max(1, len(y) + len(target))
    scale = error_scale(y, predicted)
    errors = bounded_errors(y, predicted, scale)
    seen = decision.seen_by(metric, predicted)
    return Expectations(
        metric=metric.name,
        rows=len(y),
        realised=_realised(metric, y, seen, weight, share, seed),
        estimated=_estimated(metric, predicted, seen, losses, weight, share, seed)
        if classes or losses is not None
        else None,
        predictions=sketch_of(summary_of(predicted)),
        predicted_shares=shares_of(predicted.argmax(axis=1), classes) if classes else (),
        errors=sketch_of(errors),
        error_scale=scale,
        error_natural=natural_variation(len(y), lambda rows: _mean_and_error(errors[rows])),
        target=None if classes else sketch_of(target[np.isfinite(target)]),
        target_shares=shares_of(target, classes) if classes else (),
        target_rows=len(target),
        out_of_fold=None if out_of_fold is None else sketch_of(summary_of(out_of_fold)),
        predictions_natural=natural_distances(summary_of(predicted), share=share)
        if out_of_fold is None
        else natural_distances(summary_of(out_of_fold), share=1 - share),
        target_natural=natural_distances(target, classes, share=1 - share),
    )


def _realised(
    metric: Metric, y: "np.ndarray", predicted: "np.ndarray", weight: "np.ndarray | None", share: float, seed: int
) -> Measured | None:
    def measure(rows: "slice | np.ndarray", resamples: int) -> tuple[float, float] | None:
        some = None if weight is None else weight[rows]
        return measured_on(metric, y[rows], predicted[rows], weight=some, resamples=resamples, seed=seed)

    whole = measure(slice(None), RESAMPLES)
    if whole is None:
        return None
    natural = natural_by_length(
        len(y), share, whole[0], partial(measure, resamples=BLOCK_RESAMPLES), partial(measure, resamples=0), seed
    )
    return Measured(value=whole[0], standard_error=whole[1], natural=natural)


def _estimated(
    metric: Metric,
    predicted: "np.ndarray",
    seen: "np.ndarray",
    losses: "np.ndarray | None",
    weight: "np.ndarray | None",
    share: float,
    seed: int,
) -> Measured | None:
    def estimate(rows: "slice | np.ndarray", draws: int = ERROR_DRAWS) -> tuple[float, float] | None:
        some, of_rows = (None if values is None else values[rows] for values in (weight, losses))
        found = estimate_metric(
            metric, predicted[rows], seen=seen[rows], losses=of_rows, weight=some, seed=seed, band=False,
            error_draws=draws,
        )  # fmt: skip
        return None if found is None else (found.band.value, found.standard_error)

    whole = estimate(slice(None))
    if whole is None:
        return None
    natural = natural_by_length(
        len(predicted), share, whole[0], partial(estimate, draws=BLOCK_RESAMPLES), partial(estimate, draws=0), seed
    )
    return Measured(value=whole[0], standard_error=whole[1], natural=natural)


def _mean_and_error(values: "np.ndarray") -> tuple[float, float]:
    return float(values.mean()), float(values.std() / len(values) ** 0.5)


def summary_of(predicted: "np.ndarray") -> "np.ndarray":
    """One number a row: the positive class's probability, the top class's of several, or the value."""
    if predicted.ndim == 1:
        return predicted
    return predicted[:, 1] if predicted.shape[1] == 2 else predicted.max(axis=1)


def sketch_of(values: "np.ndarray") -> Sketch:
    """The values in small."""
    import numpy as np

    ordered = np.sort(np.asarray(values, dtype=float))
    if len(ordered) > SKETCH_POINTS:
        middle = (np.arange(SKETCH_POINTS) + 0.5) / SKETCH_POINTS
        ordered = ordered[(middle * len(ordered)).astype(int)]
    return Sketch(rows=len(values), points=tuple(float(v) for v in ordered))


def shares_of(labels: "np.ndarray", classes: int) -> tuple[float, ...]:
    """The share of each class."""
    import numpy as np

    counts = np.bincount(np.asarray(labels, dtype=np.int64), minlength=classes)
    return tuple(float(share) for share in counts / max(1, counts.sum()))


def error_scale(y: "np.ndarray", predicted: "np.ndarray") -> float:
    """What an error is divided by: 1 for classes, the 99% quantile of the absolute errors for numbers."""
    import numpy as np

    if predicted.ndim == 2 or not len(y):
        return 1.0
    return float(np.quantile(abs(y - predicted), ERROR_QUANTILE)) or 1.0


def bounded_errors(y: "np.ndarray", predicted: "np.ndarray", scale: float) -> "np.ndarray":
    """Each row's error between 0 and 1: what the true class's probability lacks, or the absolute error over `scale`."""
    import numpy as np

    if predicted.ndim == 2:
        return 1.0 - predicted[np.arange(len(y)), y.astype(int)]
    return np.minimum(abs(y - predicted) / scale, 1.0)


def save_expectations(found: Expectations, path: Path) -> None:
    """Write them as one JSON file."""
    write_text(path, json.dumps(found.to_document()))


def load_expectations(path: Path) -> Expectations | None:
    """What `save_expectations` wrote; None where there is no such file: the version is older than they are.

    Raises:
        StorageError: the file holds something else.
    """
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_text())
        found = value_from_document(document if isinstance(document, dict) else {}, where=str(path))
    except ValueError as error:
        raise StorageError(
            "The expectations can't be read.", where=str(path), remedy="Train again, or restore the file."
        ) from error
    if not isinstance(found, Expectations):
        raise StorageError(
            f"The file holds a {type(found).__name__}, not expectations.", where=str(path), remedy="Restore the file."
        )
    return found
