"""What a child process does: fit one configuration on some folds and leave each as files, whole or not at all."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from automl_assets.core.errors import ConfigError
from automl_assets.core.files import atomic_folder, folder_size
from automl_assets.core.fingerprint import digest_of
from automl_assets.core.tables import read_arrow
from automl_assets.learn.families import FitData, FitLimits, Shape, registry
from automl_assets.learn.families.stack import INPUTS, with_predictions
from automl_assets.learn.features import Encoder, Recipe, View
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
TRIALS_FOLDER = "trials"
ENCODED_FOLDER, MATRIX_FILE = "encoded", "matrix.npy"
MOST_ENCODED_CELLS = 20_000_000
TRIED_ROWS = 500
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
    seconds: float | None,
    device: str,
    trees: int | None = None,
    recipe: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Fit `family` on all folds but one, for each of `folds`, predict that one, and write both into ``out/fold_<k>``.

    Args:
        study: the study's folder, with the table, the labels and the settings.
        seconds: for all folds together; an iterative family stops with what it has when its share is over. None where
            work is counted instead: it grows just as many trees as `trees` says.
        trees: about how many trees a fold has time for; None where that is not known.
        recipe: fields of the recipe that take the place of the study's, such as ``{"pairs": 5, "crosses": 5}``; all
            but `custom`, which a model trusts its study alone about.

    Returns:
        What each fold's `fold.json` holds: score, seconds, sizes, the device that was used, trees, and whether the
        model was starved.
    """
    begun, rows, done = time.monotonic(), StudyRows.read(Path(study), recipe), []
    for position, fold in enumerate(folds):
        left = math.inf if seconds is None else begun + seconds - time.monotonic()
        share = max(0.0, left) / (len(folds) - position)
        limits = FitLimits(
            seed=seed + fold, threads=threads, stop_at=time.monotonic() + share, device=device, trees=trees
        )
        done.append(_fit_fold(rows, Path(out) / f"fold_{fold}", family, params, fold, limits))
    return done


@dataclass(frozen=True)
class StudyRows:
    """What all folds of a study have in common: its settings, each row's label, fold and weight, and the recipe."""

    folder: Path
    settings: dict[str, Any]
    recipe: Recipe
    y: "np.ndarray"
    folds: "np.ndarray"
    weight: "np.ndarray | None"

    @classmethod
    def read(cls, folder: Path, recipe: "dict[str, Any] | None" = None) -> Self:
        """Read what `TrialStore.prepare` wrote; `recipe` takes the place of some of the study's fields."""
        import numpy as np

        settings = json.loads((folder / SETTINGS_FILE).read_text())
        with np.load(folder / LABELS_FILE, allow_pickle=False) as file:
            arrays = file["y"], file["folds"], file.get("weight")
        return cls(folder, settings, Recipe(**{**settings.get("recipe", {}), **(recipe or {})}), *arrays)

    @property
    def classes(self) -> int:
        """How many classes there are; 0 for regression."""
        return len(self.settings["classes"])

    @property
    def class_weights(self) -> tuple[float, ...]:
        """How many times a row of each class counts in a fit; none where once."""
        return tuple(self.settings.get("class_weights", ()))

    def weights_of(self, chosen: "np.ndarray") -> "np.ndarray | None":
        """The weights of some rows, None where rows have none."""
        return None if self.weight is None else self.weight[chosen]

    def fit_weights_of(self, chosen: "np.ndarray") -> "np.ndarray | None":
        """The same times the weights of their classes: what a fit counts, and a score does not."""
        import numpy as np

        if not self.class_weights:
            return self.weights_of(chosen)
        of_class = np.asarray(self.class_weights)[self.y[chosen].astype(int)]
        return of_class if self.weight is None else of_class * self.weight[chosen]

    def encoded(self, view: View, train: "np.ndarray", *, seed: int) -> "tuple[np.ndarray, Encoder]":
        """All rows as one matrix, by an encoder that learns from the training rows alone."""
        import pyarrow as pa

        table = read_arrow(self.folder / TABLE_FILE)
        encoder, of_train = Encoder.fit_transform(
            table.take(pa.array(train)),
            self.settings["roles"],
            view,
            y=self.y[train],
            classes=self.classes,
            weight=self.weights_of(train),
            seed=seed,
            recipe=self.recipe,
        )
        matrix = encoder.transform(table)
        matrix[train] = of_train
        return matrix, encoder

    def predicted(self, trial: str) -> "np.ndarray":
        """What a trial predicts out of fold for every row; each must be in a fold that it has finished."""
        return out_of_fold(self.folder / TRIALS_FOLDER / trial, self.folds, int(self.folds.max()) + 1)

    def fit_data(self, matrix: "np.ndarray", encoder: Encoder, train: "np.ndarray", valid: "np.ndarray") -> FitData:
        """What a family is fitted on: the training rows, and those by which it stops."""
        return FitData(
            X=matrix[train],
            y=self.y[train],
            weight=self.fit_weights_of(train),
            X_valid=matrix[valid],
            y_valid=self.y[valid],
            weight_valid=self.fit_weights_of(valid),
            categorical=encoder.categorical,
            nominal=encoder.nominal,
        )


def out_of_fold(trial: Path, of_row: "np.ndarray", folds: int) -> "np.ndarray":
    """What a trial's first folds predict, at the rows that they judge; the other rows hold nothing that counts.

    Args:
        trial: the trial's folder.
        of_row: each row's fold.
    """
    import numpy as np

    parts = [np.load(trial / f"fold_{fold}" / PREDICTED_FILE, allow_pickle=False) for fold in range(folds)]
    found = np.empty((len(of_row), *parts[0].shape[1:]), dtype=np.float32)
    for fold, part in enumerate(parts):
        found[of_row == fold] = part
    return found


def _fit_fold(
    rows: StudyRows, out: Path, family: str, params: dict[str, Any], fold: int, limits: FitLimits
) -> dict[str, Any]:
    import numpy as np
    from threadpoolctl import threadpool_limits

    begun = time.monotonic()
    kind = registry.get(family)
    data, encoder = _fold_data(rows, fold, kind.view, params.get(INPUTS, ()))
    shape = Shape(len(data.X), data.X.shape[1], rows.classes)
    with threadpool_limits(limits.threads):
        model, device = _fit_with_fallback(kind, params, data, shape, limits)
        found = unweighted(model.predict(data.X_valid, threads=limits.threads), rows.class_weights)
        predicted = smoothed(found, data.y, rows.classes)
    valid_weight = rows.weights_of(np.flatnonzero(rows.folds == fold))
    score = metric_named(rows.settings["metric"])(data.y_valid, predicted, valid_weight)
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


def _fold_data(rows: StudyRows, fold: int, view: View, inputs: Sequence[str]) -> "tuple[FitData, Encoder]":
    """The encoded training and validation rows of one fold, with what `inputs` predict for them out of fold."""
    import numpy as np

    train, valid = np.flatnonzero(rows.folds != fold), np.flatnonzero(rows.folds == fold)
    matrix, encoder = _encoded(rows, fold, view, train)
    if inputs:
        matrix = with_predictions(matrix, [rows.predicted(trial) for trial in inputs])
    return rows.fit_data(matrix, encoder, train, valid), encoder


def _encoded(rows: StudyRows, fold: int, view: View, train: "np.ndarray") -> "tuple[np.ndarray, Encoder]":
    """All rows as one matrix by an encoder that learnt from the training rows alone; kept for the next family."""
    import numpy as np

    folder = rows.folder / ENCODED_FOLDER / f"{view}_{fold}_{digest_of(rows.recipe.model_dump(mode='json'))}"
    if (folder / ENCODER_FILE).exists():
        stored = json.loads((folder / ENCODER_FILE).read_text())
        return np.load(folder / MATRIX_FILE), Encoder.from_json(stored, trusted=rows.recipe.custom)
    matrix, encoder = rows.encoded(view, train, seed=fold)
    if matrix.size <= MOST_ENCODED_CELLS and not folder.exists():
        with atomic_folder(folder) as partial:
            np.save(partial / MATRIX_FILE, matrix)
            (partial / ENCODER_FILE).write_text(json.dumps(encoder.to_json()))
    return matrix, encoder


def trusted_of(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The import paths that the recipe of a study's settings, or of a model's card, lets be imported."""
    return tuple(document.get("recipe", {}).get("custom", ()))


def try_recipe(study: str) -> dict[str, Any]:
    """What a child process does first where a recipe has transformers of the user's own: encode some rows with them.

    Returns:
        ``{"error": None}``, or the error as JSON.
    """
    import numpy as np
    import pyarrow as pa

    rows = StudyRows.read(Path(study))
    some = np.unique(np.linspace(0, len(rows.y) - 1, TRIED_ROWS).astype(int))
    table = read_arrow(rows.folder / TABLE_FILE).take(pa.array(some))
    try:
        recipe = Recipe(custom=rows.recipe.custom)
        Encoder.fit(table, rows.settings["roles"], "codes", y=rows.y[some], classes=rows.classes, recipe=recipe)
    except ConfigError as error:
        return {"error": error.as_json()}
    return {"error": None}


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


def unweighted(predicted: "np.ndarray", class_weights: tuple[float, ...]) -> "np.ndarray":
    """Probabilities as the rows' own class shares imply them, of a model whose fit counted classes several times.

    Each is divided by its class's weight, and they are scaled to sum to one (Elkan 2001, theorem 2). Without class
    weights they are returned as they are.
    """
    import numpy as np

    if not class_weights:
        return predicted
    found = predicted / np.asarray(class_weights)
    return found / found.sum(axis=1, keepdims=True)


def class_prior(y: "np.ndarray", classes: int) -> "tuple[np.ndarray, float]":
    """The classes' shares, none of them 0, and the share of one row; no shares for regression."""
    import numpy as np

    if not classes:
        return np.empty(0), 0.0
    return (np.bincount(y, minlength=classes) + 1) / (len(y) + classes), 1 / (len(y) + 1)
