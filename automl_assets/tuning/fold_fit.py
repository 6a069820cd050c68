"""What a child process does: fit one configuration on one fold and leave the result as files, whole or not at all."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_assets.core.files import atomic_folder, folder_size
from automl_assets.core.tables import read_arrow
from automl_assets.learn.families import FitData, FitLimits, Shape, registry
from automl_assets.learn.features import Encoder
from automl_assets.learn.score import metric_named

if TYPE_CHECKING:
    import numpy as np

TABLE_FILE = "table.arrow"
LABELS_FILE = "labels.npz"
SETTINGS_FILE = "settings.json"
META_FILE = "fold.json"
PREDICTED_FILE = "predicted.npy"
ENCODER_FILE = "encoder.json"
MODEL_FOLDER = "model"
OUT_OF_MEMORY = ("out of memory", "bad_alloc", "cudaerrormemoryallocation")


def fit_fold(
    study: str,
    out: str,
    *,
    family: str,
    params: dict[str, Any],
    fold: int,
    seed: int,
    threads: int,
    seconds: float,
    device: str,
) -> dict[str, Any]:
    """Fit `family` on all folds but one, predict that one, and write both into the folder `out`.

    Args:
        study: the study's folder, with the table, the labels and the settings.
        seconds: after which an iterative family stops with what it has.

    Returns:
        What the fold's `fold.json` holds: score, seconds, sizes, and the device that was used.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    begun = time.monotonic()
    settings = json.loads((Path(study) / SETTINGS_FILE).read_text())
    kind = registry.get(family)
    data, encoder, valid_rows = _fold_data(Path(study), settings, fold, kind.view)
    shape = Shape(len(data.X), data.X.shape[1], len(settings["classes"]))
    with threadpool_limits(threads):
        limits = FitLimits(seed=seed, threads=threads, stop_at=begun + seconds, device=device)
        model, device = _fit_with_fallback(kind, params, data, shape, limits)
        predicted = smoothed(model.predict(data.X_valid, threads=threads), data.y, len(settings["classes"]))
    score = metric_named(settings["metric"])(data.y_valid, predicted, data.weight_valid)
    with atomic_folder(Path(out)) as partial:
        (partial / MODEL_FOLDER).mkdir()
        model.save(partial / MODEL_FOLDER)
        np.save(partial / PREDICTED_FILE, predicted.astype(np.float32))
        (partial / ENCODER_FILE).write_text(json.dumps(encoder.to_json()))
        meta = {
            "score": score if np.isfinite(score) else None,
            "rows": len(valid_rows),
            "fit_seconds": time.monotonic() - begun,
            "size_mb": folder_size(partial / MODEL_FOLDER) / 2**20,
            "device": device,
        }
        (partial / META_FILE).write_text(json.dumps(meta))
    return meta


def _fold_data(study: Path, settings: dict[str, Any], fold: int, view: Any) -> "tuple[FitData, Encoder, np.ndarray]":
    """The encoded training and validation rows of one fold, and which rows are validated."""
    import numpy as np
    import pyarrow as pa

    with np.load(study / LABELS_FILE, allow_pickle=False) as file:
        y, folds = file["y"], file["folds"]
        weight = file.get("weight")
    table = read_arrow(study / TABLE_FILE)
    train, valid = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
    train_table = table.take(pa.array(train))
    encoder = Encoder.fit(train_table, settings["roles"], view)
    data = FitData(
        X=encoder.transform(train_table),
        y=y[train],
        weight=None if weight is None else weight[train],
        X_valid=encoder.transform(table.take(pa.array(valid))),
        y_valid=y[valid],
        weight_valid=None if weight is None else weight[valid],
        categorical=encoder.categorical,
    )
    return data, encoder, valid


def _fit_with_fallback(kind: Any, params: dict[str, Any], data: FitData, shape: Shape, limits: FitLimits) -> Any:
    """The fitted model and the device used: the CPU when the GPU's memory does not suffice."""
    try:
        return kind.fit(params, data, shape, limits), limits.device
    except Exception as error:
        told = str(error).lower()
        if limits.device == "cpu" or not any(sign in told for sign in OUT_OF_MEMORY):
            raise
    cpu = FitLimits(seed=limits.seed, threads=limits.threads, stop_at=limits.stop_at, device="cpu")
    return kind.fit(params, data, shape, cpu), "cpu"


def smoothed(predicted: "np.ndarray", y_train: "np.ndarray", classes: int) -> "np.ndarray":
    """Probabilities mixed with one row's worth of the training prior, so that none is 0; values unchanged."""
    if not classes:
        return predicted
    prior, share = class_prior(y_train, classes)
    return (1 - share) * predicted + share * prior


def class_prior(y: "np.ndarray", classes: int) -> "tuple[np.ndarray, float]":
    """The classes' shares, none of them 0, and the share of one row; no shares for regression."""
    import numpy as np

    if not classes:
        return np.empty(0), 0.0
    return (np.bincount(y, minlength=classes) + 1) / (len(y) + classes), 1 / (len(y) + 1)
