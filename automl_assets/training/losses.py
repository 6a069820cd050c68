"""How wrong the model will be on a row: a small model of its out-of-fold losses, for estimation without labels.

Direct loss estimation (NannyML 2023), for numeric targets. It lies inside the model's folder:

    losses/losses.json    the metric whose loss a row it predicts, and how many rows it learnt from
    losses/encoder.json   the clean features; the prediction itself is one more
    losses/model/         LightGBM txt
"""

import json
import tempfile
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from automl_assets.cleaning.apply import apply_plan
from automl_assets.core.tables import iterate, open_files, read_arrow, write_arrow
from automl_assets.learn.expected import loss_metric
from automl_assets.learn.families import Family, FitData, FitLimits, Shape, registry
from automl_assets.learn.features import Encoder
from automl_assets.training.model import ModelCard, conform, verify
from automl_assets.tuning.fold_fit import SETTINGS_FILE, TABLE_FILE

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from automl_assets.learn.runner import Runner
    from automl_assets.tuning.trial_store import TrialStore

LOSSES_FOLDER = "losses"
FACTS_FILE = "losses.json"
ENCODER_FILE = "encoder.json"
MODEL_FOLDER = "model"
FAMILY = "lightgbm"
NO_LOSSES = "the model was registered without a loss model"
LEAST_ROWS = 100
MOST_ROWS = 50_000
VALID_SHARE = 0.2
CLIP_QUANTILE = 0.99
FIT_SECONDS = 1.5
DEADLINE_SECONDS = 6.0
PREDICT_SECONDS = 600.0
SETTINGS = {"learning_rate": 0.05, "num_leaves": 8, "min_data_in_leaf": 50, "feature_fraction": 1.0}


@dataclass(frozen=True)
class LossModel:
    """Predicts the loss of a prediction from the row's clean features and the prediction.

    It learnt losses without their largest hundredth, whose few squares would decide alone when to stop; `scale` makes
    up for what that took from their mean.
    """

    encoder: Encoder
    estimator: Family
    scale: float = 1.0

    @classmethod
    def load(cls, model: Path) -> Self | None:
        """The one inside a model's folder; None where the model was trained without."""
        folder = model / LOSSES_FOLDER
        if not (folder / FACTS_FILE).is_file():
            return None
        facts = json.loads((folder / FACTS_FILE).read_text())
        encoder = Encoder.from_json(json.loads((folder / ENCODER_FILE).read_text()))
        return cls(encoder, registry.get(facts["family"]).load(folder / MODEL_FOLDER), facts["scale"])

    def predict(self, clean: "pa.Table", predicted: "np.ndarray", *, threads: int = 1) -> "np.ndarray":
        """Each row's expected loss, never below 0."""
        import numpy as np

        found = self.estimator.predict(_matrix(self.encoder, clean, predicted), threads=threads)
        return self.scale * np.maximum(found, 0.0)


def train_losses(
    store: "TrialStore",
    metric: str,
    predicted: "np.ndarray",
    judged: "np.ndarray",
    runner: "Runner",
    *,
    memory_mb: float,
) -> dict[str, bytes]:
    """The loss model's files by their names; none where it could not be fitted.

    Args:
        predicted: out-of-fold, of the study's rows for which `judged` is true. Holdout rows are not among them.
    """
    import numpy as np

    y, _, weight = store.labels()
    arrays = {"y": y[judged], "predicted": predicted, "rows": np.flatnonzero(judged)}
    arrays |= {} if weight is None else {"weight": weight[judged]}
    with tempfile.TemporaryDirectory(prefix="automl-losses-") as scratch:
        file, out = Path(scratch) / "arrays.npz", Path(scratch) / LOSSES_FOLDER
        np.savez(file, **arrays)  # pyright: ignore[reportArgumentType] - its stub takes names for options
        arguments = {"study": str(store.folder), "arrays": str(file), "out": str(out), "metric": metric, "threads": 1}
        outcome = runner.run(
            "automl_assets.training.losses:fit_losses",
            arguments,
            deadline_seconds=DEADLINE_SECONDS,
            memory_mb=memory_mb,
        )
        if outcome.kind != "ok" or not outcome.value["fitted"]:
            return {}
        return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def fit_losses(study: str, arrays: str, out: str, *, metric: str, threads: int) -> dict[str, Any]:
    """What a child process does: learn the out-of-fold losses, and write the loss model into the new folder `out`.

    Args:
        study: the study's folder, with the clean training rows.
        arrays: an npz file: `y` and `predicted` of the rows that were predicted out of fold, `rows` their positions,
            and `weight` where rows have one.

    Returns:
        ``{"fitted": False, "why": …}`` where there are too few rows, else ``{"fitted": True}``.
    """
    import numpy as np
    import pyarrow as pa
    from threadpoolctl import threadpool_limits

    with np.load(arrays, allow_pickle=False) as file:
        y, predicted, positions, weight = file["y"], file["predicted"], file["rows"], file.get("weight")
    if len(y) < LEAST_ROWS:
        return {"fitted": False, "why": f"{len(y)} rows; {LEAST_ROWS} are needed"}
    metric_rows = loss_metric(metric).rows
    assert metric_rows is not None
    losses = metric_rows(y, predicted)
    clipped = np.minimum(losses, np.quantile(losses, CLIP_QUANTILE))
    order = np.random.default_rng(0).permutation(len(y))[:MOST_ROWS]
    valid, train = np.split(order, [int(VALID_SHARE * len(order))])
    roles = json.loads((Path(study) / SETTINGS_FILE).read_text())["roles"]
    table = read_arrow(Path(study) / TABLE_FILE)
    tables = [table.take(pa.array(positions[part])) for part in (train, valid)]
    encoder = Encoder.fit(tables[0], roles, "codes")
    X, X_valid = (_matrix(encoder, t, predicted[part]) for t, part in zip(tables, (train, valid), strict=True))
    weights = (None, None) if weight is None else (weight[train], weight[valid])
    data = FitData(X, clipped[train], weights[0], X_valid, clipped[valid], weights[1], encoder.categorical)
    shape = Shape(len(X), X.shape[1], 0)
    family = registry.get(FAMILY)
    for package in family.packages:  # the zygote has them already; elsewhere an import must not eat the fit's time
        import_module(package)
    with threadpool_limits(threads):
        limits = FitLimits(seed=0, threads=threads, stop_at=time.monotonic() + FIT_SECONDS)
        model = family.fit(family.defaults(shape) | SETTINGS, data, shape, limits)
    folder = Path(out)
    (folder / MODEL_FOLDER).mkdir(parents=True)
    model.save(folder / MODEL_FOLDER)
    (folder / ENCODER_FILE).write_text(json.dumps(encoder.to_json()))
    scale = float(losses.mean() / clipped.mean()) if clipped.any() else 1.0
    facts = {"family": FAMILY, "metric": loss_metric(metric).name, "rows": len(order), "scale": scale}
    (folder / FACTS_FILE).write_text(json.dumps(facts))
    return {"fitted": True}


def _matrix(encoder: Encoder, clean: "pa.Table", predicted: "np.ndarray") -> "np.ndarray":
    import numpy as np

    return np.column_stack([encoder.transform(clean), np.asarray(predicted, dtype=np.float32)])


@dataclass(frozen=True)
class ExpectedLosses:
    """Each row's expected loss, or why there are none (which classes need not say)."""

    values: "np.ndarray | None" = None
    why: str = ""


def expected_losses(
    model: Path, clean: "pa.Table", predicted: "np.ndarray", runner: "Runner", *, memory_mb: float
) -> "np.ndarray | None":
    """The expected losses of clean rows with their predictions, by a child process; None without a loss model.

    Raises:
        BudgetError: it took too long or too much memory.
        FitError: it failed.
    """
    import numpy as np

    if predicted.ndim == 2:
        return None
    with tempfile.TemporaryDirectory(prefix="automl-losses-") as scratch:
        folder = Path(scratch)
        write_arrow(folder / "clean.arrow", clean)
        np.save(folder / "predicted.npy", predicted)
        arguments = {"table": str(folder / "clean.arrow"), "predicted": str(folder / "predicted.npy")}
        return _from_child("predict_clean_losses", model, arguments, folder / "losses.npy", runner, memory_mb).values


def losses_of_raw(
    model: Path, digest: str | None, tables: list[str], predictions: str, runner: "Runner", *, memory_mb: float
) -> ExpectedLosses:
    """The expected losses of Parquet files of raw rows with the table of their predictions, from a child process.

    Raises:
        BudgetError: it took too long or too much memory.
        FitError: it failed, or the model's files are not the ones that were registered.
    """
    if ModelCard.read(model).classes:
        return ExpectedLosses()
    with tempfile.TemporaryDirectory(prefix="automl-losses-") as scratch:
        arguments = {"digest": digest, "tables": tables, "predictions": predictions}
        out = Path(scratch) / "losses.npy"
        return _from_child("predict_raw_losses", model, arguments, out, runner, memory_mb)


def _from_child(
    call: str, model: Path, arguments: dict[str, Any], out: Path, runner: "Runner", memory_mb: float
) -> ExpectedLosses:
    import numpy as np

    outcome = runner.run(
        f"automl_assets.training.losses:{call}",
        {**arguments, "model": str(model), "out": str(out), "threads": 1},
        deadline_seconds=PREDICT_SECONDS,
        memory_mb=memory_mb,
    )
    answer = outcome.value_or_raise("Estimating the losses")
    if not answer["estimated"]:
        return ExpectedLosses(None, answer["why"])
    return ExpectedLosses(np.load(out, allow_pickle=False))


def predict_clean_losses(model: str, table: str, predicted: str, out: str, *, threads: int) -> dict[str, Any]:
    """What a child process does: the expected losses of clean rows (an Arrow file) and their predictions, into `out`.

    Returns:
        ``{"estimated": False, "why": …}`` where the model has no loss model, else ``{"estimated": True}``.
    """
    import numpy as np

    losses = LossModel.load(Path(model))
    if losses is None:
        return {"estimated": False, "why": NO_LOSSES}
    found = losses.predict(read_arrow(Path(table)), np.load(predicted, allow_pickle=False), threads=threads)
    np.save(out, found)
    return {"estimated": True}


def predict_raw_losses(
    model: str, digest: str | None, tables: list[str], predictions: str, out: str, *, threads: int
) -> dict[str, Any]:
    """What a child process does: the same from Parquet files of raw rows and the table of their predictions.

    Raises:
        StorageError: the model's files are not the ones that were registered.
    """
    import numpy as np

    verify(Path(model), digest)
    losses = LossModel.load(Path(model))
    if losses is None:
        return {"estimated": False, "why": NO_LOSSES}
    card = ModelCard.read(Path(model))
    predicted = np.asarray(open_files([predictions]).to_table(columns=["prediction"]).column(0))
    found = [np.empty(0)]
    start = 0
    for piece in iterate(open_files(tables)):
        clean = apply_plan(card.plan, conform(_table(piece), card.columns))
        found.append(losses.predict(clean, predicted[start : start + piece.num_rows], threads=threads))
        start += piece.num_rows
    np.save(out, np.concatenate(found))
    return {"estimated": True}


def _table(piece: "pa.RecordBatch") -> "pa.Table":
    import pyarrow as pa

    return pa.Table.from_batches([piece])
