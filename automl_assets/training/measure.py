"""What a child process does: how long candidates take for one row, and how many rows a second in bulk."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from automl_assets.core.tables import read_arrow
from automl_assets.tuning.fold_fit import TABLE_FILE

if TYPE_CHECKING:
    import pyarrow as pa

    from automl_assets.training.model import FoldModel

SINGLE_ROWS = 5
BULK_ROWS = 1_000


def measure_latency(study: str, folders: list[str], families: list[str], seconds: float) -> list[tuple[float, float]]:
    """Each fold model's median milliseconds for one row, and rows a second over a thousand; fewer if time ends."""
    from automl_assets.training.model import FoldModel

    begun = time.monotonic()
    table = read_arrow(Path(study) / TABLE_FILE)
    bulk = table.slice(0, BULK_ROWS)
    measured: list[tuple[float, float]] = []
    for folder, family in zip(folders, families, strict=True):
        if time.monotonic() - begun > seconds:
            break
        model = FoldModel.load(Path(folder), family)
        singles = sorted(_timed(model, table.slice(i % table.num_rows, 1)) for i in range(SINGLE_ROWS))
        measured.append((1000 * singles[SINGLE_ROWS // 2], bulk.num_rows / max(_timed(model, bulk), 1e-9)))
    return measured


def _timed(model: "FoldModel", table: "pa.Table") -> float:
    begun = time.perf_counter()
    model.estimator.predict(model.encoder.transform(table))
    return time.perf_counter() - begun
