"""What a child process does: fit one configuration on some folds and leave each as files, whole or not at all."""

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
ENCODED_FOLDER, MATRIX_FILE = "encoded", "matrix.npy"
MOST_ENCODED_CELLS = 20_000_000
OUT_OF_MEMORY = ("out of memory", "bad_alloc", "cudaerrormemoryallocation")


def fit_folds(
    study: str,
    out: str,
    *,
    family: str,
    params: dict[str, Any],
    folds: list[int],
    seed: int,
    threads: int,
    seconds: float,
    device: str,
    trees: int | None = None,
) -> list[dict[str, Any]]:
    """Fit `family` on all folds but one, for each of `folds`, predict that one, and write both into ``out/fold_<k>``.

    Args:
        study: the study's folder, with the table, the labels and the settings.
        seconds: for all folds together; an iterative family stops with what it has when its share is over.
        trees: about how many trees a fold has time for; None where that is not known.

    Returns:
        What each fold's `fold.json` holds: score, seconds, sizes, the device that was used, trees, and whether the
        model was starved.
    """
    begun, done = time.monotonic(), []
    for position, fold in enumerate(folds):
        left = begun + seconds - time.monotonic()
        share = max(0.0, left) / (len(folds) - position)
        limits = FitLimits(
            seed=seed + fold, threads=threads, stop_at=time.monotonic() + share, device=device, trees=trees
        )
        done.append(_fit_fold(Path(study), Path(out) / f"fold_{fold}", family, params, fold, limits))
    return done


def _fit_fold(
    study: Path, out: Path, family: str, params: dict[str, Any], fold: int, limits: FitLimits
) -> dict[str, Any]:
    import numpy as np
    from threadpoolctl import threadpool_limits

    begun = time.monotonic()
    settings = json.loads((study / SETTINGS_FILE).read_text())
    kind, classes = registry.get(family), len(settings["classes"])
    data, encoder = _fold_data(study, settings, fold, kind.view)
    shape = Shape(len(data.X), data.X.shape[1], classes)
    with threadpool_limits(limits.threads):
        model, device = _fit_with_fallback(kind, params, data, shape, limits)
        predicted = smoothed(model.predict(data.X_valid, threads=limits.threads), data.y, classes)
    score = metric_named(settings["metric"])(data.y_valid, predicted, data.weight_valid)
    with atomic_folder(out) as partial:
        (partial / MODEL_FOLDER).mkdir()
        model.save(partial / MODEL_FOLDER)
        np.save(partial / PREDICTED_FILE, predicted.astype(np.float32))
        (partial / ENCODER_FILE).write_text(json.dumps(encoder.to_json()))
        meta = {
            "score": score if np.isfinite(score) else None,
            "rows": len(data.y_valid),
            "fit_seconds": time.monotonic() - begun,
            "size_mb": folder_size(partial / MODEL_FOLDER) / 2**20,
            "device": device,
            "trees": model.trees,
            "starved": model.starved,
        }
        (partial / META_FILE).write_text(json.dumps(meta))
    return meta


def _fold_data(study: Path, settings: dict[str, Any], fold: int, view: Any) -> "tuple[FitData, Encoder]":
    """The encoded training and validation rows of one fold."""
    import numpy as np

    with np.load(study / LABELS_FILE, allow_pickle=False) as file:
        y, folds = file["y"], file["folds"]
        weight = file.get("weight")
    train, valid = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
    matrix, encoder = _encoded(study, settings, fold, view, train, y, weight)
    data = FitData(
        X=matrix[train],
        y=y[train],
        weight=None if weight is None else weight[train],
        X_valid=matrix[valid],
        y_valid=y[valid],
        weight_valid=None if weight is None else weight[valid],
        categorical=encoder.categorical,
        nominal=encoder.nominal,
    )
    return data, encoder


def _encoded(
    study: Path,
    settings: dict[str, Any],
    fold: int,
    view: Any,
    train: "np.ndarray",
    y: "np.ndarray",
    weight: "np.ndarray | None",
) -> "tuple[np.ndarray, Encoder]":
    """All rows as one matrix by an encoder that learnt from the training rows alone; kept for the next family."""
    import numpy as np
    import pyarrow as pa

    folder = study / ENCODED_FOLDER / f"{view}_{fold}"
    if (folder / ENCODER_FILE).exists():
        return np.load(folder / MATRIX_FILE), Encoder.from_json(json.loads((folder / ENCODER_FILE).read_text()))
    table = read_arrow(study / TABLE_FILE)
    encoder, of_train = Encoder.fit_transform(
        table.take(pa.array(train)),
        settings["roles"],
        view,
        y=y[train],
        classes=len(settings["classes"]),
        weight=None if weight is None else weight[train],
        seed=fold,
    )
    matrix = encoder.transform(table)
    matrix[train] = of_train
    if matrix.size <= MOST_ENCODED_CELLS and not folder.exists():
        with atomic_folder(folder) as partial:
            np.save(partial / MATRIX_FILE, matrix)
            (partial / ENCODER_FILE).write_text(json.dumps(encoder.to_json()))
    return matrix, encoder


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
