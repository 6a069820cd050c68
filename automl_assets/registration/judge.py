"""What a child process does for the gate: predict raw rows with a registered model, in another model's class order."""

from pathlib import Path
from typing import Any

from automl_assets.core.tables import read_arrow

LEAST_PROBABILITY = 1e-6


def predict_rows(
    model: str, digest: str | None, table: str, out: str, *, kind: str, classes: list[str], threads: int
) -> dict[str, Any]:
    """Predict an Arrow file of raw rows into `out` (npy), probabilities in the order of `classes`.

    Returns:
        ``{"fits": False, "why": …}`` where the model can't score such rows, else ``{"fits": True}``.
    """
    import numpy as np

    from automl_assets.training.model import Model

    loaded = Model.load(Path(model), digest=digest)
    rows = read_arrow(Path(table))
    missing = loaded.check_columns(rows.column_names).missing
    if missing:
        return {"fits": False, "why": f"it needs {', '.join(missing[:5])}"}
    if (loaded.card.kind == "regression") != (kind == "regression"):
        return {"fits": False, "why": f"it solves a {loaded.card.kind} problem"}
    predicted = loaded.predict(rows, threads=threads)
    if classes:
        position = {label: i for i, label in enumerate(loaded.card.classes)}
        aligned = np.full((len(predicted), len(classes)), LEAST_PROBABILITY)
        for i, label in enumerate(classes):
            if label in position:
                aligned[:, i] = predicted[:, position[label]]
        predicted = aligned / aligned.sum(axis=1, keepdims=True)
    np.save(out, predicted)
    return {"fits": True}
