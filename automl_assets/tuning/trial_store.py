"""A study on disk: its data, what was tried, and each trial's finished folds. A kill at any moment loses no fold.

studies/<key>/settings.json  table.arrow  labels.npz  clock.json  proposals.jsonl  fits.jsonl
studies/<key>/trials/<family>-<number>/fold_<k>/{fold.json, predicted.npy, encoder.json, model/}
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_assets.core.files import atomic_file, remove_partials, write_text
from automl_assets.core.tables import write_arrow
from automl_assets.learn.score import is_own, metric_named
from automl_assets.tuning.fold_fit import (
    LABELS_FILE,
    META_FILE,
    MODEL_FOLDER,
    PREDICTED_FILE,
    SETTINGS_FILE,
    TABLE_FILE,
    TRIALS_FOLDER,
    out_of_fold,
)

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

PROPOSALS_FILE = "proposals.jsonl"
CLOCK_FILE = "clock.json"
FITS_FILE = "fits.jsonl"
GUARD_FILE = "guard.npz"


@dataclass(frozen=True)
class FoldResult:
    """One finished fit: its natural score (None where undefined) and what it cost."""

    fold: int
    score: float | None
    rows: int
    fit_seconds: float
    size_mb: float
    device: str
    trees: int | None = None
    starved: bool = False


class TrialStore:
    """The files of one study. One process writes at a time: the pipeline's lock sees to it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.trials_folder = folder / TRIALS_FOLDER

    @property
    def clock_file(self) -> Path:
        """Where the seconds spent are noted."""
        return self.folder / CLOCK_FILE

    def prepare(
        self,
        table: "pa.Table",
        *,
        y: "np.ndarray",
        folds: "np.ndarray",
        weight: "np.ndarray | None",
        settings: dict[str, Any],
    ) -> None:
        """Write the data that every fit reads, unless an earlier attempt did; clear what a kill left behind."""
        import numpy as np

        self.trials_folder.mkdir(parents=True, exist_ok=True)
        remove_partials(self.folder)
        for name in (FITS_FILE, PROPOSALS_FILE):
            _drop_torn_line(self.folder / name)
        if (self.folder / SETTINGS_FILE).exists():
            return
        with atomic_file(self.folder / TABLE_FILE) as partial:
            write_arrow(partial, table)
        arrays = {"y": y, "folds": folds} | ({} if weight is None else {"weight": weight})
        with atomic_file(self.folder / LABELS_FILE) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)  # pyright: ignore[reportArgumentType] - its stub takes names for options
        write_text(self.folder / SETTINGS_FILE, json.dumps(settings))

    def settings(self) -> dict[str, Any]:
        """What `prepare` was given."""
        return json.loads((self.folder / SETTINGS_FILE).read_text())

    def labels(self) -> "tuple[np.ndarray, np.ndarray, np.ndarray | None]":
        """The labels, the folds and the weights (or None) of the training rows."""
        import numpy as np

        with np.load(self.folder / LABELS_FILE, allow_pickle=False) as file:
            return file["y"], file["folds"], file.get("weight")

    def fold_folder(self, trial: str, fold: int) -> Path:
        """Where a fold's result lies, or will."""
        return self.trials_folder / trial / f"fold_{fold}"

    def result(self, trial: str, fold: int) -> FoldResult | None:
        """A finished fold, or None."""
        file = self.fold_folder(trial, fold) / META_FILE
        if not file.exists():
            return None
        meta = json.loads(file.read_text())
        if meta["score"] is None:
            meta["score"] = self._own_score(trial, fold, meta)
        return FoldResult(fold=fold, **meta)

    def _own_score(self, trial: str, fold: int, meta: dict[str, Any]) -> float | None:
        """A fold's score by a metric that only this process can compute, noted in its file; else None."""
        import numpy as np

        settings = self.settings() if (self.folder / SETTINGS_FILE).exists() else {"metric": ""}
        if not is_own(settings["metric"]):
            return None
        y, folds, weight = self.labels()
        judged, folder = folds == fold, self.fold_folder(trial, fold)
        predicted = np.load(folder / PREDICTED_FILE, allow_pickle=False).astype(float)
        score = metric_named(settings["metric"])(y[judged], predicted, None if weight is None else weight[judged])
        if score != score:
            return None
        write_text(folder / META_FILE, json.dumps({**meta, "score": score}))
        return score

    def results(self, trial: str, folds: int) -> list[FoldResult]:
        """A trial's finished folds."""
        found = (self.result(trial, fold) for fold in range(folds))
        return [result for result in found if result is not None]

    def predicted(self, trial: str, folds: int) -> "np.ndarray":
        """Out-of-fold predictions for every row of the first `folds` folds, in row order."""
        _, of_row, _ = self.labels()
        return out_of_fold(self.trials_folder / trial, of_row, folds)[(of_row >= 0) & (of_row < folds)]

    def drop_models(self, trial: str) -> None:
        """Delete a trial's models, which no ensemble will want; its predictions and scores stay."""
        for folder in self._fold_folders(trial):
            shutil.rmtree(folder / MODEL_FOLDER, ignore_errors=True)

    def has_models(self, trial: str, folds: int) -> bool:
        """Whether a trial's models are still there."""
        return all((self.fold_folder(trial, fold) / MODEL_FOLDER).is_dir() for fold in range(folds))

    def models(self, trial: str, folds: int) -> list[int]:
        """The folds whose models are there."""
        return [fold for fold in range(folds) if (self.fold_folder(trial, fold) / MODEL_FOLDER).is_dir()]

    def _fold_folders(self, trial: str) -> Iterator[Path]:
        folder = self.trials_folder / trial
        yield from folder.glob("fold_*") if folder.is_dir() else ()

    def is_guarded(self, trial: str) -> bool:
        """Whether the guard of a stack layer has ended."""
        return (self.trials_folder / trial / GUARD_FILE).exists()

    def log_fit(self, trial: str, fold: int, kind: str, message: str, seconds: float, peak_mb: float) -> None:
        """Record how a fit ended: what failed is not tried again after a restart."""
        entry = {"trial": trial, "fold": fold, "kind": kind, "message": message, "seconds": seconds, "peak_mb": peak_mb}
        _append(self.folder / FITS_FILE, entry)

    def fits(self) -> list[dict[str, Any]]:
        """Every fit that ended, well or not, in that order."""
        return _lines(self.folder / FITS_FILE)

    def log_proposal(self, entry: dict[str, Any]) -> None:
        """Record a configuration that is about to be tried, or what came of one."""
        _append(self.folder / PROPOSALS_FILE, entry)

    def forget_proposals(self) -> None:
        """Start the record of what was tried anew; finished folds stay."""
        (self.folder / PROPOSALS_FILE).unlink(missing_ok=True)

    def proposals(self) -> list[dict[str, Any]]:
        """What `log_proposal` was given, in that order."""
        return _lines(self.folder / PROPOSALS_FILE)


def _append(path: Path, entry: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(entry) + "\n")


def _lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines; a line that a kill left unfinished is passed over."""
    found: list[dict[str, Any]] = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _drop_torn_line(path: Path) -> None:
    """Cut a last line that a kill left unfinished: the next line would join it."""
    if not path.exists():
        return
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end != len(data):
        with path.open("r+b") as file:
            file.truncate(end)
