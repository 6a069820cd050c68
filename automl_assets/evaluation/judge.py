"""What child processes do for the evaluation: predict the holdout, fit the linear baseline, permute features."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_assets.core.tables import read_arrow
from automl_assets.learn.families import FitData, FitLimits, Shape
from automl_assets.learn.features import Encoder
from automl_assets.learn.score import metric_named
from automl_assets.tuning.fold_fit import LABELS_FILE, TABLE_FILE, smoothed

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

MOST_PERMUTED_ROWS = 1_000
LEAST_PERMUTED_ROWS = 100
STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
ROWS_A_CALL = 20_000
OVERRUN = 3.0
MOST_BASELINE_ROWS = 50_000
MOST_CHOOSING_ROWS = 10_000
CHOOSING_FOLDS = 3


def predict_holdout(model: str, table: str, labels: str, out: str, *, threads: int, seconds: float) -> dict[str, Any]:
    """Predict a clean table into `out` (npy), and permute its features until `seconds` are over.

    Args:
        table: an Arrow file of the clean holdout rows.
        labels: an npy file of their class indices or numbers.

    Returns:
        ``{"importances": {feature: by how much the metric worsens when the feature is shuffled}}``
    """
    import numpy as np

    from automl_assets.training.model import Model

    begun = time.monotonic()
    loaded = Model.load(Path(model))
    clean = read_arrow(Path(table))
    predicted = loaded.predict_clean(clean, threads=threads)
    np.save(out, predicted)
    y = np.load(labels, allow_pickle=False)
    left = seconds - (time.monotonic() - begun)
    return {"importances": _importances(loaded, clean, y, threads=threads, seconds=left)}


def _importances(model: Any, clean: "pa.Table", y: "np.ndarray", *, threads: int, seconds: float) -> dict[str, float]:
    """Permutation importance (Breiman 2001; Fisher, Rudin & Dominici 2019) on a sample that fits the time.

    Several shuffled copies of the sample are predicted in one call: a call of a large ensemble has a price of its own.
    """
    import numpy as np
    import pyarrow as pa

    generator = np.random.default_rng(0)
    names = list(model.feature_roles())
    rows = np.sort(generator.permutation(len(y))[:MOST_PERMUTED_ROWS])
    begun = time.monotonic()
    model.predict_clean(clean.take(pa.array(rows)), threads=threads)
    rate = len(rows) / max(time.monotonic() - begun, 1e-9)
    affordable = int(seconds * rate / (len(names) + 1))
    rows = rows[: max(min(LEAST_PERMUTED_ROWS, len(rows)), affordable)]
    sample, truth = clean.take(pa.array(rows)), y[rows]
    metric, decision = metric_named(model.card.metric), model.card.decision
    base = metric.loss(metric(truth, decision.seen_by(metric, model.predict_clean(sample, threads=threads))))
    importances: dict[str, float] = {}
    at_once = max(1, ROWS_A_CALL // len(rows))
    for start in range(0, len(names), at_once):
        if time.monotonic() - begun > OVERRUN * seconds:
            break
        some = names[start : start + at_once]
        shuffled = pa.concat_tables([_shuffled(sample, name, generator) for name in some])
        predicted = decision.seen_by(metric, model.predict_clean(shuffled, threads=threads))
        for position, name in enumerate(some):
            part = predicted[position * len(rows) : (position + 1) * len(rows)]
            loss = metric.loss(metric(truth, part))
            importances[name] = 0.0 if loss != loss or base != base else float(loss - base)
    return importances


def _shuffled(sample: "pa.Table", name: str, generator: "np.random.Generator") -> "pa.Table":
    """The rows with one column's values in another order."""
    import pyarrow as pa

    position = sample.column_names.index(name)
    column = sample.column(position).take(pa.array(generator.permutation(sample.num_rows)))
    return sample.set_column(position, sample.schema.field(position), column)


def fit_linear_baseline(
    study: str, table: str, out: str, *, roles: dict[str, str], classes: int, threads: int, seed: int
) -> dict[str, Any]:
    """Fit a scaled, one-hot linear model on the training rows, its penalty cross-validated; predict `table` into `out`.

    At most 50,000 training rows are used, 10,000 of them to choose among seven penalties.
    """
    import numpy as np
    import pyarrow as pa
    from threadpoolctl import threadpool_limits

    from automl_assets.learn.families.linear import Linear

    train = read_arrow(Path(study) / TABLE_FILE)
    with np.load(Path(study) / LABELS_FILE, allow_pickle=False) as file:
        y, weight = file["y"], file.get("weight")
    generator = np.random.default_rng(seed)
    rows = np.sort(generator.permutation(len(y))[:MOST_BASELINE_ROWS])
    train, y, weight = train.take(pa.array(rows)), y[rows], None if weight is None else weight[rows]
    encoder = Encoder.fit(train, roles, "dense")
    X = encoder.transform(train)
    limits = FitLimits(seed=seed, threads=threads, stop_at=float("inf"))
    with threadpool_limits(threads):
        strength = _choose_strength(X, y, weight, classes, limits, generator)
        model = _fit_linear(X, y, weight, classes, strength, limits)
        predicted = smoothed(model.predict(encoder.transform(read_arrow(Path(table)))), y, classes)
    np.save(out, predicted)
    assert isinstance(model, Linear)
    return {"strength": strength, "rows": len(y)}


def _choose_strength(
    X: "np.ndarray", y: "np.ndarray", weight: "np.ndarray | None", classes: int, limits: FitLimits, generator: Any
) -> float:
    import numpy as np

    metric = metric_named("log_loss" if classes else "rmse")
    rows = generator.permutation(len(y))[:MOST_CHOOSING_ROWS]
    folds = np.arange(len(rows)) % CHOOSING_FOLDS
    losses = dict.fromkeys(STRENGTHS, 0.0)
    for fold in range(CHOOSING_FOLDS):
        inside, outside = rows[folds != fold], rows[folds == fold]
        if classes and len(np.unique(y[inside])) < 2:
            continue
        for strength in STRENGTHS:
            w = None if weight is None else weight[inside]
            model = _fit_linear(X[inside], y[inside], w, classes, strength, limits)
            losses[strength] += metric(y[outside], smoothed(model.predict(X[outside]), y[inside], classes))
    return min(losses, key=lambda strength: losses[strength])


def _fit_linear(
    X: "np.ndarray", y: "np.ndarray", weight: "np.ndarray | None", classes: int, strength: float, limits: FitLimits
) -> Any:
    from automl_assets.learn.families.linear import Linear

    data = FitData(X, y, weight, X[:0], y[:0], None)
    return Linear.fit({"strength": strength}, data, Shape(len(X), X.shape[1], classes), limits)
