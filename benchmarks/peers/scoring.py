"""The value that ranks a system on a table: ROC AUC, log loss or RMSE of its test predictions, whoever made them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

METRICS = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}
CLIP = 1e-15


def score(task: str, y: "np.ndarray", predicted: "np.ndarray", classes: Any) -> dict[str, float]:
    """The task's metric, and what else a reader asks for.

    Args:
        y: the test rows' labels or values.
        predicted: values of shape (rows,), or probabilities of shape (rows, classes).
        classes: the label of each column of `predicted`; None for regression.
    """
    import numpy as np
    from sklearn.metrics import r2_score, roc_auc_score

    predicted = np.asarray(predicted, dtype=float)
    if task == "regression":
        error = predicted.ravel() - y
        return {"value": float(np.sqrt(np.mean(error**2))), "r2": float(r2_score(y, predicted.ravel()))}
    labels, known = np.asarray([str(v) for v in y]), [str(c) for c in classes]
    names = sorted({*known, *labels})
    full = np.full((len(labels), len(names)), CLIP)
    for column, name in enumerate(known):
        full[:, names.index(name)] = predicted[:, column]
    full = np.clip(full, CLIP, 1)
    full /= full.sum(axis=1, keepdims=True)
    chosen = np.array([names.index(label) for label in labels])
    log_loss = float(-np.mean(np.log(full[np.arange(len(labels)), chosen])))
    if task == "binary":
        positive = names[-1]
        return {"value": float(roc_auc_score(labels == positive, full[:, -1])), "log_loss": log_loss}
    return {"value": log_loss, "accuracy": float(np.mean(full.argmax(axis=1) == chosen))}
