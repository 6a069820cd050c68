"""Two versions on the rows that neither was trained on: gain, groups, calibration and latency."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl_assets.core.tables import write_arrow
from automl_assets.evaluation.report import paired_gain
from automl_assets.learn.runner import Runner
from automl_assets.learn.score import Metric, interval_of, labels_of, metric_named
from automl_assets.registration.gate import LEAST_SLICE_ROWS, CalibrationLoss, Comparison, Sides, SliceGain
from automl_assets.training.model import ModelCard

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

PREDICT_SECONDS = 120.0
MOST_GROUPS = 20
BINS = 10
CALIBRATION_RESAMPLES = 200


@dataclass(frozen=True)
class Contender:
    """A version's files, and the digest that the registry recorded of them."""

    version: str
    folder: Path
    digest: str | None


@dataclass(frozen=True)
class Answer:
    """A version's predictions of some rows, what the metric judges of them, and its median milliseconds for one."""

    predicted: "np.ndarray"
    row_ms: float | None = None
    seen: "np.ndarray | None" = None

    def judged(self) -> "np.ndarray":
        """The labels that its own decision makes where the metric judges labels, else the predictions."""
        return self.predicted if self.seen is None else self.seen


def why_not_comparable(new: ModelCard, old: ModelCard) -> str | None:
    """Why two versions solve different problems, or None."""
    if new.target != old.target:
        return f"one predicts {new.target!r}, the other {old.target!r}"
    if (new.kind == "regression") != (old.kind == "regression"):
        return f"one solves a {new.kind} problem, the other a {old.kind} one"
    return None


def contest(
    challenger: Contender,
    champion: Contender,
    rows: "pa.Table",
    y: "np.ndarray",
    card: ModelCard,
    runner: Runner,
    *,
    groups: "Mapping[str, np.ndarray]",
    memory_mb: float,
    seed: int = 0,
) -> Comparison:
    """Let both versions predict the rows in child processes, and compare.

    Args:
        card: the challenger's: its kind, classes and metric judge.

    Raises:
        BudgetError: predicting took too long or too much memory.
        FitError: it failed, or a version's files are not the registered ones.
    """
    sides = {"challenger": challenger, "champion": champion}
    with tempfile.TemporaryDirectory(prefix="automl-gate-") as scratch:
        table = Path(scratch) / "rows.arrow"
        write_arrow(table, rows)

        def predict(who: str) -> Answer | None:
            return _ask(sides[who], table, card, runner, memory_mb, who)

        return compare_models(
            predict, y, champion_version=champion.version, metric=card.metric, groups=groups, seed=seed
        )


def _ask(
    contender: Contender, table: Path, card: ModelCard, runner: Runner, memory_mb: float, who: str
) -> Answer | None:
    import numpy as np

    out = table.with_name(f"{who}.npy")
    outcome = runner.run(
        "automl_assets.registration.judge:predict_rows",
        {
            "model": str(contender.folder),
            "digest": contender.digest,
            "table": str(table),
            "out": str(out),
            "kind": card.kind,
            "classes": list(card.classes),
            "threads": 1,
            "metric": card.metric,
        },
        deadline_seconds=PREDICT_SECONDS,
        memory_mb=memory_mb,
    )
    answer = outcome.value_or_raise(f"Scoring the shared rows with version {contender.version}")
    if not answer["fits"]:
        return None
    seen = np.load(out.with_suffix(".seen.npy"), allow_pickle=False)
    return Answer(np.load(out, allow_pickle=False), answer["row_ms"], seen)


def compare_models(
    predict: Callable[[str], Answer | None],
    y: "np.ndarray",
    *,
    champion_version: str,
    metric: str,
    groups: "Mapping[str, np.ndarray] | None" = None,
    seed: int = 0,
) -> Comparison:
    """The paired gain of the new model over the champion, on all rows and by group, and what else tells them apart.

    Args:
        predict: the same rows by "challenger" or "champion"; None where it can't score them.
        y: the rows' labels; empty where there are no rows that neither model was trained on.
        groups: a label a row for each sensitive column.
    """
    if not len(y):
        return Comparison(champion_version, 0, None)
    champion = predict("champion")
    if champion is None:
        return Comparison(champion_version, len(y), None, champion_fits_schema=False)
    challenger = predict("challenger")
    if challenger is None:
        return Comparison(champion_version, len(y), None, challenger_fits_schema=False)
    measure, new, old = metric_named(metric), challenger.judged(), champion.judged()
    timed = challenger.row_ms is not None and champion.row_ms is not None
    return Comparison(
        champion_version,
        len(y),
        paired_gain(measure, y, new, old, seed=seed),
        scores=Sides(measure(y, new), measure(y, old)),
        slices=slice_gains(measure, y, new, old, groups or {}, seed=seed),
        calibration=calibration_loss(y, challenger.predicted, champion.predicted, seed=seed) if new.ndim == 2 else None,
        row_ms=Sides(challenger.row_ms or 0.0, champion.row_ms or 0.0) if timed else None,
    )


def slice_gains(
    metric: Metric,
    y: "np.ndarray",
    challenger: "np.ndarray",
    champion: "np.ndarray",
    groups: "Mapping[str, np.ndarray]",
    *,
    seed: int = 0,
) -> tuple[SliceGain, ...]:
    """The paired gain on each group of at least 100 rows, the largest 20 of a column, where the metric is defined."""
    import numpy as np

    found: list[SliceGain] = []
    for column, labels in groups.items():
        names, counts = np.unique(labels, return_counts=True)
        for at in np.argsort(-counts, kind="stable")[:MOST_GROUPS]:
            if counts[at] < LEAST_SLICE_ROWS:
                break
            inside = labels == names[at]
            gain = paired_gain(metric, y[inside], challenger[inside], champion[inside], seed=seed)
            if gain.value == gain.value:
                found.append(SliceGain(column, str(names[at]), int(counts[at]), gain))
    return tuple(found)


def calibration_loss(
    y: "np.ndarray", challenger: "np.ndarray", champion: "np.ndarray", *, seed: int = 0
) -> CalibrationLoss:
    """Both expected calibration errors, and the difference with its paired bootstrap interval.

    The most probable class's confidence against how often it is right, in bins of equal size (Naeini, Cooper &
    Hauskrecht 2015; equal sizes after Nguyen & O'Connor 2015).
    """
    import numpy as np

    sides = [_confidence_gaps(y, predicted) for predicted in (challenger, champion)]

    def errors(weight: "np.ndarray") -> list[float]:
        return [float(abs(np.bincount(bins, weight * gap)).sum() / weight.sum()) for bins, gap in sides]

    new, old = errors(np.ones(len(y)))
    generator = np.random.default_rng(seed)
    resampled = np.empty(CALIBRATION_RESAMPLES)
    for i in range(CALIBRATION_RESAMPLES):
        a, b = errors(np.bincount(generator.integers(0, len(y), len(y)), minlength=len(y)).astype(float))
        resampled[i] = a - b
    return CalibrationLoss(Sides(new, old), interval_of(resampled, new - old))


def _confidence_gaps(y: "np.ndarray", predicted: "np.ndarray") -> "tuple[np.ndarray, np.ndarray]":
    """Each row's bin, by its confidence, and its confidence less whether it is right."""
    import numpy as np

    confidence = predicted.max(axis=1)
    edges = np.quantile(confidence, np.linspace(0, 1, BINS + 1)[1:-1])
    return np.searchsorted(edges, confidence, side="right"), confidence - (labels_of(predicted) == y)
