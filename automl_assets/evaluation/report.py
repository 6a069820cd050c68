"""The honest answer: how good is the model on rows that nothing was fitted on, and against what?"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl_assets.core.tables import write_arrow
from automl_assets.core.values import Evaluation, Interval, Money, Slice
from automl_assets.evaluation.money import money_of
from automl_assets.learn.runner import Runner
from automl_assets.learn.score import Metric, bootstrap, interval_of, metric_named, metrics_for
from automl_assets.learn.split import label_texts
from automl_assets.training.model import ModelCard
from automl_assets.training.threshold import Decision

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

BASELINE_SECONDS = 90.0
PREDICT_SECONDS = 120.0
IMPORTANCE_SECONDS = 10.0
ROC_POINTS = 50
RESIDUAL_QUANTILES = 21
LEAST_SLICE_ROWS = 10
JUDGE = "automl_assets.evaluation.judge"


@dataclass(frozen=True)
class HoldoutRows:
    """The holdout after the plan: its features, its labels (class indices or numbers) and its sensitive columns."""

    clean: "pa.Table"
    y: "np.ndarray"
    weight: "np.ndarray | None"
    sensitive: "Mapping[str, pa.ChunkedArray]"


@dataclass(frozen=True)
class Judged:
    """Predictions of the holdout by the model, by the linear baseline and by the dummy, and feature importances."""

    model: "np.ndarray"
    linear: "np.ndarray"
    dummy: "np.ndarray"
    importances: dict[str, float]


def evaluate(
    model: Path,
    study: Path,
    holdout: HoldoutRows,
    runner: Runner,
    *,
    kind: str,
    metric_name: str,
    roles: Mapping[str, str],
    classes: tuple[str, ...],
    seed: int,
    memory_mb: float,
) -> tuple[Evaluation, Judged]:
    """Judge a model folder on the holdout, the labels as the model's own decision makes them.

    Args:
        study: the study's folder, whose training rows the baselines learn from.
        roles: the clean features and their roles.

    Raises:
        BudgetError: predicting or the baseline took too long or too much memory.
        FitError: one of them failed.
    """
    judged = _judge(model, study, holdout, runner, roles=roles, classes=len(classes), seed=seed, memory_mb=memory_mb)
    metric = metric_named(metric_name)
    y, weight = holdout.y, holdout.weight
    card = ModelCard.read(model)
    seen = card.decision.seen_by(metric, judged.model)
    model_score, linear, dummy = (_defined(metric(y, p, weight), metric) for p in (seen, judged.linear, judged.dummy))
    resampled = bootstrap(metric, y, [seen, judged.linear], weight=weight, seed=seed)
    sign = 1.0 if metric.higher_is_better else -1.0
    evaluation = Evaluation(
        metric=metric.name,
        higher_is_better=metric.higher_is_better,
        rows=len(y),
        holdout=interval_of(resampled[:, 0], model_score),
        dummy=dummy,
        linear=linear,
        gain_over_linear=interval_of(sign * (resampled[:, 0] - resampled[:, 1]), sign * (model_score - linear)),
        metrics=_all_metrics(kind, y, judged.model, weight, card.decision),
        importances=dict(sorted(judged.importances.items(), key=lambda item: -item[1])),
        confusion=_confusion(y, card.decision.chosen(judged.model), len(classes)) if classes else (),
        roc=roc_points(y, judged.model) if len(classes) == 2 else (),
        residual_quantiles=() if classes else _residuals(y, judged.model),
        slices=tuple(_slices(metric, holdout, seen)),
        money=_money(card, y, judged.model, weight, seed) if classes else None,
    )
    return evaluation, judged


def _judge(
    model: Path,
    study: Path,
    holdout: HoldoutRows,
    runner: Runner,
    *,
    roles: Mapping[str, str],
    classes: int,
    seed: int,
    memory_mb: float,
) -> Judged:
    """Run both children side by side and read what they predicted."""
    import numpy as np

    with tempfile.TemporaryDirectory(prefix="automl-holdout-") as scratch:
        folder = Path(scratch)
        write_arrow(folder / "holdout.arrow", holdout.clean)
        np.save(folder / "labels.npy", holdout.y)
        predicting = runner.submit(
            f"{JUDGE}:predict_holdout",
            {
                "model": str(model),
                "table": str(folder / "holdout.arrow"),
                "labels": str(folder / "labels.npy"),
                "out": str(folder / "model.npy"),
                "threads": 1,
                "seconds": IMPORTANCE_SECONDS,
            },
            deadline_seconds=PREDICT_SECONDS,
            memory_mb=memory_mb / 2,
        )
        fitting = runner.submit(
            f"{JUDGE}:fit_linear_baseline",
            {
                "study": str(study),
                "table": str(folder / "holdout.arrow"),
                "out": str(folder / "linear.npy"),
                "roles": dict(roles),
                "classes": classes,
                "threads": 1,
                "seed": seed,
            },
            deadline_seconds=BASELINE_SECONDS,
            memory_mb=memory_mb / 2,
        )
        importances = predicting.outcome().value_or_raise("Predicting the holdout")["importances"]
        fitting.outcome().value_or_raise("The linear baseline")
        return Judged(
            model=np.load(folder / "model.npy", allow_pickle=False),
            linear=np.load(folder / "linear.npy", allow_pickle=False),
            dummy=_dummy(study, len(holdout.y), classes),
            importances=importances,
        )


def _dummy(study: Path, rows: int, classes: int) -> "np.ndarray":
    """What knows nothing but the training target: its class shares, or its mean."""
    import numpy as np

    from automl_assets.tuning.fold_fit import LABELS_FILE

    with np.load(study / LABELS_FILE, allow_pickle=False) as file:
        y = file["y"]
    if not classes:
        return np.full(rows, y.mean())
    return np.tile((np.bincount(y, minlength=classes) + 1) / (len(y) + classes), (rows, 1))


def _defined(score: float, metric: Metric) -> float:
    """The score, or what guessing gives where it is undefined (one class only in the holdout)."""
    return score if score == score else 0.5 if metric.name == "roc_auc" else 0.0


def _money(
    card: ModelCard, y: "np.ndarray", predicted: "np.ndarray", weight: "np.ndarray | None", seed: int
) -> Money | None:
    import numpy as np

    prior = np.asarray(card.prior or [1 / len(card.classes)] * len(card.classes))
    return money_of(card.decision, y, predicted, card.classes, prior, weight=weight, seed=seed)


def _all_metrics(
    kind: str, y: "np.ndarray", predicted: "np.ndarray", weight: "np.ndarray | None", decision: Decision
) -> dict[str, float]:
    values = {metric.name: metric(y, decision.seen_by(metric, predicted), weight) for metric in metrics_for(kind)}
    return {name: value for name, value in values.items() if value == value}


def _confusion(y: "np.ndarray", labels: "np.ndarray", classes: int) -> tuple[tuple[int, ...], ...]:
    """Rows: true classes; columns: predicted ones."""
    import numpy as np

    table = np.zeros((classes, classes), dtype=int)
    np.add.at(table, (y.astype(int), labels), 1)
    return tuple(tuple(int(n) for n in row) for row in table)


def roc_points(y: "np.ndarray", predicted: "np.ndarray") -> tuple[tuple[float, float], ...]:
    """False and true positive rates, at most 50 points evenly spread along the curve."""
    import numpy as np

    order = np.argsort(-predicted[:, 1], kind="stable")
    hits = (y == 1)[order]
    positives, negatives = hits.sum(), len(hits) - hits.sum()
    if not positives or not negatives:
        return ()
    last = np.r_[np.diff(predicted[order, 1]) != 0, True]
    true = np.r_[0, np.cumsum(hits)[last]] / positives
    false = np.r_[0, np.cumsum(~hits)[last]] / negatives
    chosen = np.unique(np.linspace(0, len(true) - 1, ROC_POINTS).round().astype(int))
    return tuple((round(float(false[i]), 4), round(float(true[i]), 4)) for i in chosen)


def _residuals(y: "np.ndarray", predicted: "np.ndarray") -> tuple[float, ...]:
    """Quantiles 0, 5%, … 100% of the residuals."""
    import numpy as np

    return tuple(float(q) for q in np.quantile(y - predicted, np.linspace(0, 1, RESIDUAL_QUANTILES)))


def _slices(metric: Metric, holdout: HoldoutRows, predicted: "np.ndarray") -> list[Slice]:
    """The metric for each group of each sensitive column."""
    import numpy as np

    found: list[Slice] = []
    for name, column in holdout.sensitive.items():
        labels = np.array(["(missing)" if label is None else label for label in label_texts(column)])
        for group in np.unique(labels):
            inside = labels == group
            if inside.sum() < LEAST_SLICE_ROWS:
                continue
            weight = None if holdout.weight is None else holdout.weight[inside]
            score = metric(holdout.y[inside], predicted[inside], weight)
            found.append(
                Slice(column=name, group=str(group), rows=int(inside.sum()), score=score if score == score else None)
            )
    return found


def paired_gain(
    metric: Metric, y: "np.ndarray", challenger: "np.ndarray", champion: "np.ndarray", *, seed: int = 0
) -> Interval:
    """How much better the challenger is than the champion on the same rows, positive is better, with its interval."""
    sign = 1.0 if metric.higher_is_better else -1.0
    resampled = bootstrap(metric, y, [challenger, champion], seed=seed)
    point = sign * (metric(y, challenger) - metric(y, champion))
    return interval_of(sign * (resampled[:, 0] - resampled[:, 1]), point)
