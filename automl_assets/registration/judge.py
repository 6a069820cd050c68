"""What a child process does for a comparison: predict raw rows with one version, in another version's class order."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_assets.core.errors import ConfigError
from automl_assets.core.memory import BatchSize
from automl_assets.core.tables import iterate, open_files, read_arrow
from automl_assets.learn.score import metric_named

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from automl_assets.training.model import Model

LEAST_PROBABILITY = 1e-6
TIMED_ROWS = 9
TIMING_SECONDS = 1.0


def predict_rows(
    model: str,
    digest: str | None,
    table: str,
    out: str,
    *,
    kind: str,
    classes: list[str],
    threads: int,
    metric: str | None = None,
) -> dict[str, Any]:
    """Predict an Arrow file of raw rows into `out` (npy), probabilities in the order of `classes`.

    Beside it, with the suffix ``.seen.npy``, lies what `metric` judges: the same, or the labels that the model's own
    decision makes of it as probabilities of 0 and 1; the same where no metric is named.

    Returns:
        ``{"fits": False, "why": …}`` where the model can't score such rows, else ``{"fits": True, "row_ms": …}``, the
        median milliseconds that one row takes.
    """
    import numpy as np

    from automl_assets.training.model import Model

    rows = read_arrow(Path(table))
    try:
        loaded = Model.load(Path(model), digest=digest)
    except ConfigError as error:  # code that it needs is gone, or has changed
        return {"fits": False, "why": error.message}
    why_not = _why_not(loaded, rows.column_names, kind)
    if why_not:
        return {"fits": False, "why": why_not}
    predicted = loaded.predict(rows, threads=threads)
    seen = predicted if metric is None else loaded.card.decision.seen_by(metric_named(metric), predicted)
    np.save(out, _aligned(predicted, loaded.card.classes, classes))
    np.save(Path(out).with_suffix(".seen.npy"), _aligned(seen, loaded.card.classes, classes))
    return {"fits": True, "row_ms": _row_ms(loaded, rows, threads)}


def predict_batch(
    model: str,
    digest: str | None,
    tables: list[str],
    out: str,
    *,
    kind: str,
    classes: list[str],
    threads: int,
    batch_rows: int,
    memory_mb: float,
) -> dict[str, Any]:
    """The same for Parquet files of any length, in pieces that fit in memory.

    Returns:
        ``{"fits": False, "why": …}`` or ``{"fits": True}``.
    """
    import numpy as np
    import pyarrow as pa

    from automl_assets.training.model import Model

    dataset = open_files(tables)
    try:
        loaded = Model.load(Path(model), digest=digest)
    except ConfigError as error:
        return {"fits": False, "why": error.message}
    why_not = _why_not(loaded, dataset.schema.names, kind)
    if why_not:
        return {"fits": False, "why": why_not}
    pieces = [
        _aligned(loaded.predict(pa.Table.from_batches([piece]), threads=threads), loaded.card.classes, classes)
        for piece in iterate(dataset, size=BatchSize(batch_rows, budget_mb=memory_mb))
    ]
    np.save(out, np.concatenate(pieces) if pieces else np.empty((0, len(classes)) if classes else 0))
    return {"fits": True}


def _why_not(model: "Model", names: list[str], kind: str) -> str | None:
    missing = model.check_columns(names).missing
    if missing:
        return f"it needs {', '.join(missing[:5])}"
    if (model.card.kind == "regression") != (kind == "regression"):
        return f"it solves a {model.card.kind} problem"
    return None


def _aligned(predicted: "np.ndarray", own: tuple[str, ...], classes: list[str]) -> "np.ndarray":
    """Probabilities in the order of `classes`; a class that the model does not know gets next to nothing."""
    import numpy as np

    if not classes:
        return predicted
    position = {label: i for i, label in enumerate(own)}
    aligned = np.full((len(predicted), len(classes)), LEAST_PROBABILITY)
    for i, label in enumerate(classes):
        if label in position:
            aligned[:, i] = predicted[:, position[label]]
    return aligned / aligned.sum(axis=1, keepdims=True)


def _row_ms(model: "Model", rows: "pa.Table", threads: int) -> float | None:
    """The median milliseconds of predicting a single row, after one to warm up; None without rows."""
    timed: list[float] = []
    for position in range(min(rows.num_rows, TIMED_ROWS)):
        begun = time.perf_counter()
        model.predict(rows.slice(position, 1), threads=threads)
        timed.append(time.perf_counter() - begun)
        if sum(timed) > TIMING_SECONDS:
            break
    warm = sorted(timed[1:] or timed)
    return 1000 * warm[len(warm) // 2] if warm else None
