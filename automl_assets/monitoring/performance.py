"""How good the champion is on a batch: measured where there are labels, estimated where there are none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from automl_assets.core.evidence import ConceptAlarm, FeatureDrift, PerformanceReport
from automl_assets.core.tables import read
from automl_assets.core.values import Interval, Slice
from automl_assets.evaluation.expectations import Expectations, bounded_errors
from automl_assets.evaluation.variation import resampled
from automl_assets.ingestion.labels import MatchedLabels
from automl_assets.learn.score import Metric, interval_of, metric_named
from automl_assets.learn.split import label_texts, numbers_of
from automl_assets.monitoring.concept import detect_concept_drift
from automl_assets.monitoring.estimate import drop_from, estimate_performance
from automl_assets.monitoring.labels import JudgedRows, judged_rows
from automl_assets.monitoring.shift import prediction_shift, target_shift
from automl_assets.training.model import ModelCard

if TYPE_CHECKING:
    import numpy as np
    import pyarrow.dataset as ds

LEAST_ROWS = 20
LEAST_GROUP_ROWS = 30
MOST_GROUPS = 20
GROUP_RESAMPLES = 400


@dataclass(frozen=True)
class WatchedBatch:
    """A scored batch and what is known of it.

    digest: the raw table's. labels: those that came later, None where the batch brings its own target; until
    `matures_on` they are counted and not used. losses: for numbers, each row's expected loss, and `no_losses` why there
    are none. weight: the column that says how much each row counts.
    """

    raw: "ds.Dataset"
    digest: str
    predictions: "ds.Dataset"
    card: ModelCard
    expectations: Expectations | None = None
    labels: MatchedLabels | None = None
    matures_on: datetime | None = None
    losses: "np.ndarray | None" = None
    no_losses: str = ""
    weight: str | None = None


def judge_performance(
    batch: WatchedBatch, *, tolerance: float, slices: Sequence[str] = (), seed: int = 0
) -> PerformanceReport:
    """The champion's metric on rows that it was not trained on: estimated on all, measured on the labelled ones.

    Args:
        tolerance: what a drop may be, as ThresholdsConfig.performance_tolerance says.
        slices: columns by whose groups the metric is measured too; never private ones, whose values would be told.
    """
    known = judged_rows(batch.raw, batch.digest, batch.card, batch.labels, matures_on=batch.matures_on)
    predicted = predictions_of(batch.predictions, batch.card)
    weight = None
    if batch.weight is not None and batch.weight in batch.raw.schema.names:
        weight = numbers_of(read(batch.raw, [batch.weight]).column(0))
    estimated = estimate_performance(
        batch.card.metric,
        predicted[known.unseen],
        batch.expectations,
        tolerance=tolerance,
        decision=batch.card.decision,
        losses=None if batch.losses is None else batch.losses[known.unseen],
        no_losses=batch.no_losses,
        weight=None if weight is None else weight[known.unseen],
        seed=seed,
    )
    expectations = batch.expectations
    return PerformanceReport(
        metric=batch.card.metric,
        reference=expectations.realised.value if expectations and expectations.realised else None,
        estimated=estimated.value,
        estimated_drop=estimated.drop,
        estimate_reason=estimated.reason,
        predictions=prediction_shift(expectations, predicted[known.unseen]) if expectations else None,
        labels=batch.labels.match if batch.labels else None,
        **_measured(batch, known, predicted, weight, tolerance=tolerance, slices=slices, seed=seed),
    )


def _measured(
    batch: WatchedBatch,
    known: JudgedRows,
    predicted: "np.ndarray",
    weight: "np.ndarray | None",
    *,
    tolerance: float,
    slices: Sequence[str],
    seed: int,
) -> dict[str, Any]:
    """The fields of the report that need labels."""
    import numpy as np

    judged = known.usable & known.unseen
    rows = int(judged.sum())
    why_not = known.waits or _too_few(batch, rows)
    if why_not:
        return {"rows": rows, "value": None, "reason": why_not}
    metric = metric_named(batch.card.metric)
    y, mine = known.y[judged], predicted[judged]
    some = None if weight is None else weight[judged]
    seen = batch.card.decision.seen_by(metric, mine)
    value = metric(y, seen, some)
    if not np.isfinite(value):
        return {"rows": rows, "value": None, "reason": f"{metric.name} is undefined on these rows"}
    around = resampled(metric, y, seen, weight=some, seed=seed)
    expectations = batch.expectations
    reference = expectations.realised if expectations else None
    error = float(np.nanstd(around))
    drop = drop_from(metric, reference, value, error, rows=len(predicted), tolerance=tolerance) if reference else None
    return {
        "rows": rows,
        "value": interval_of(around, value),
        "reason": known.reason,
        "drop": drop,
        "target": _target_shift(expectations, y),
        "slices": slice_scores(metric, batch.raw, judged, y, seen, weight=some, columns=slices, seed=seed),
        "concept": _concept(expectations, y, mine, np.flatnonzero(judged)),
    }


def _too_few(batch: WatchedBatch, rows: int) -> str:
    """Why nothing is measured, or nothing."""
    if rows >= LEAST_ROWS:
        return ""
    if batch.labels is None and batch.card.target not in batch.raw.schema.names:
        return "the batch has no target column"
    return f"{rows} labelled rows that the champion was not trained on; {LEAST_ROWS} are needed"


def predictions_of(predictions: "ds.Dataset", card: ModelCard) -> "np.ndarray":
    """Stored predictions as a model gives them: probabilities (rows, classes), or values (rows,)."""
    import numpy as np

    if not card.classes:
        return np.asarray(read(predictions, ["prediction"]).column(0))
    table = read(predictions, [f"probability_{label}" for label in card.classes])
    return np.column_stack([np.asarray(column) for column in table.columns])


def _target_shift(expectations: Expectations | None, y: "np.ndarray") -> FeatureDrift | None:
    return target_shift(expectations, y) if expectations else None


def _concept(
    expectations: Expectations | None, y: "np.ndarray", predicted: "np.ndarray", positions: "np.ndarray"
) -> tuple[ConceptAlarm, ...]:
    """The detectors' answers; a row is told by its position in the batch."""
    if expectations is None:
        return ()
    found = detect_concept_drift(bounded_errors(y, predicted, expectations.error_scale), expectations)
    return tuple(
        alarm if alarm.at_row is None else alarm.model_copy(update={"at_row": int(positions[alarm.at_row])})
        for alarm in found
    )


def slice_scores(
    metric: Metric,
    raw: "ds.Dataset",
    judged: "np.ndarray",
    y: "np.ndarray",
    predicted: "np.ndarray",
    *,
    weight: "np.ndarray | None" = None,
    columns: Sequence[str],
    seed: int = 0,
) -> tuple[Slice, ...]:
    """The metric with its interval for each group of 30 rows or more, the 20 largest of each column.

    Args:
        judged: the rows of `raw` that y and predicted are of.
    """
    import numpy as np

    found: list[Slice] = []
    for name in (column for column in columns if column in raw.schema.names):
        labels = label_texts(read(raw, [name], judged).column(0))
        texts = np.array(["(missing)" if label is None else label for label in labels])
        groups, sizes = np.unique(texts, return_counts=True)
        for group in groups[np.argsort(-sizes, kind="stable")[:MOST_GROUPS]]:
            inside = texts == group
            if inside.sum() < LEAST_GROUP_ROWS:
                continue
            some = None if weight is None else weight[inside]
            score = _interval(metric, y[inside], predicted[inside], some, seed)
            low, high = (score.low, score.high) if score else (None, None)
            rows, value = int(inside.sum()), score.value if score else None
            found.append(Slice(column=name, group=str(group), rows=rows, score=value, low=low, high=high))
    return tuple(found)


def _interval(
    metric: Metric, y: "np.ndarray", predicted: "np.ndarray", weight: "np.ndarray | None", seed: int
) -> Interval | None:
    import numpy as np

    value = metric(y, predicted, weight)
    if not np.isfinite(value):
        return None
    return interval_of(resampled(metric, y, predicted, weight=weight, resamples=GROUP_RESAMPLES, seed=seed), value)
