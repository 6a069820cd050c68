"""What a child process does: how long candidates take for one row, and how many rows a second in bulk."""

import json
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from automl_assets.core.tables import read_arrow
from automl_assets.tuning.fold_fit import SETTINGS_FILE, TABLE_FILE, trusted_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from automl_assets.learn.families import Family
    from automl_assets.training.model import FoldModel

SINGLE_ROWS, WARM_ROWS = 5, 2
BULK_ROWS = 1_000


def measure_latency(
    study: str, folders: list[str], families: list[str], seconds: float
) -> list[tuple[float, float, float]]:
    """Each fold model's median milliseconds to encode one row and to predict it, and rows a second over a thousand.

    Fewer than there are folders when the time ends.
    """
    from automl_assets.training.model import FoldModel

    begun = time.monotonic()
    table = read_arrow(Path(study) / TABLE_FILE)
    trusted = trusted_of(json.loads((Path(study) / SETTINGS_FILE).read_text()))
    bulk = table.slice(0, BULK_ROWS)
    measured: list[tuple[float, float, float]] = []
    for folder, family in zip(folders, families, strict=True):
        if time.monotonic() - begun > seconds:
            break
        model = FoldModel.load(Path(folder), family, trusted=trusted)
        singles = [_timed(model, table.slice(i % table.num_rows, 1)) for i in range(WARM_ROWS + SINGLE_ROWS)]
        encode, predict = (1_000 * median(s[part] for s in singles[WARM_ROWS:]) for part in (0, 1))
        measured.append((encode, predict, bulk.num_rows / max(sum(_timed(model, bulk)), 1e-9)))
    return measured


def padded(matrix: "np.ndarray", estimator: "Family") -> "np.ndarray":
    """The matrix with zeros where a stack layer expects what other members predict."""
    import numpy as np

    width = getattr(estimator, "width", matrix.shape[1])
    return np.hstack([matrix, np.zeros((len(matrix), width - matrix.shape[1]), dtype=matrix.dtype)])


def _timed(model: "FoldModel", table: "pa.Table") -> tuple[float, float]:
    """Seconds to encode a table and to predict it."""
    begun = time.perf_counter()
    matrix = model.encoder.transform(table)
    encoded = time.perf_counter()
    model.estimator.predict(padded(matrix, model.estimator))
    return encoded - begun, time.perf_counter() - encoded
