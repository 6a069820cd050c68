"""What a child process does: fit one configuration on some folds and leave each as files, whole or not at all."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from automl_assets.core.files import atomic_folder, folder_size
from automl_assets.core.tables import read_arrow
from automl_assets.learn.families import FitData, FitLimits, Shape, registry
from automl_assets.learn.features import Encoder, View
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
    begun, rows, done = time.monotonic(), StudyRows.read(Path(study)), []
    for position, fold in enumerate(folds):
        left = begun + seconds - time.monotonic()
        share = max(0.0, left) / (len(folds) - position)
        limits = FitLimits(
            seed=seed + fold, threads=threads, stop_at=time.monotonic() + share, device=device, trees=trees
        )
        done.append(_fit_fold(rows, Path(out) / f"fold_{fold}", family, params, fold, limits))
    return done


@dataclass(frozen=True)
class StudyRows:
    """What all folds of a study have in common: its settings, and each row's label, fold and weight."""

    folder: Path
    settings: dict[str, Any]
    y: "np.ndarray"
    folds: "np.ndarray"
    weight: "np.ndarray | None"

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `TrialStore.prepare` wrote."""
        import numpy as np

        with np.load(folder / LABELS_FILE, allow_pickle=False) as file:
            arrays = file["y"], file["folds"], file.get("weight")
        return cls(folder, json.loads((folder / SETTINGS_FILE).read_text()), *arrays)

    @property
    def classes(self) -> int:
        """How many classes there are; 0 for regression."""
        return len(self.settings["classes"])

    def weights_of(self, chosen: "np.ndarray") -> "np.ndarray | None":
        """The weights of some rows, None where rows have none."""
        return None if self.weight is None else self.weight[chosen]


def _fit_fold(
    rows: StudyRows, out: Path, family: str, params: dict[str, Any], fold: int, limits: FitLimits
) -> dict[str, Any]:
    import numpy as np
    from threadpoolctl import threadpool_limits

    begun = time.monotonic()
    kind = registry.get(family)
    data, encoder = _fold_data(rows, fold, kind.view)
    shape = Shape(len(data.X), data.X.shape[1], rows.classes)
    with threadpool_limits(limits.threads):
        model, device = _fit_with_fallback(kind, params, data, shape, limits)
        predicted = smoothed(model.predict(data.X_valid, threads=limits.threads), data.y, rows.classes)
    score = metric_named(rows.settings["metric"])(data.y_valid, predicted, data.weight_valid)
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


def _fold_data(rows: StudyRows, fold: int, view: View) -> "tuple[FitData, Encoder]":
    """The encoded training and validation rows of one fold."""
    import numpy as np

    train, valid = np.flatnonzero(rows.folds != fold), np.flatnonzero(rows.folds == fold)
    matrix, encoder = _encoded(rows, fold, view, train)
    data = FitData(
        X=matrix[train],
        y=rows.y[train],
        weight=rows.weights_of(train),
        X_valid=matrix[valid],
        y_valid=rows.y[valid],
        weight_valid=rows.weights_of(valid),
        categorical=encoder.categorical,
        nominal=encoder.nominal,
    )
    return data, encoder


def _encoded(rows: StudyRows, fold: int, view: View, train: "np.ndarray") -> "tuple[np.ndarray, Encoder]":
    """All rows as one matrix by an encoder that learnt from the training rows alone; kept for the next family."""
    import numpy as np
    import pyarrow as pa

    folder = rows.folder / ENCODED_FOLDER / f"{view}_{fold}"
    if (folder / ENCODER_FILE).exists():
        return np.load(folder / MATRIX_FILE), Encoder.from_json(json.loads((folder / ENCODER_FILE).read_text()))
    table = read_arrow(rows.folder / TABLE_FILE)
    encoder, of_train = Encoder.fit_transform(
        table.take(pa.array(train)),
        rows.settings["roles"],
        view,
        y=rows.y[train],
        classes=rows.classes,
        weight=rows.weights_of(train),
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
