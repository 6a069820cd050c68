"""scikit-learn estimators on disk: skops files, opened only when all their types are on a fixed list."""

import zipfile
from pathlib import Path
from typing import Any

from automl_assets.core.errors import StorageError

FILE = "model.skops"
TRUSTED = (
    "functools.partial",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
)


def save_estimator(estimator: Any, folder: Path) -> None:
    """Write a scikit-learn estimator into a folder."""
    import skops.io

    skops.io.dump(estimator, folder / FILE, compression=zipfile.ZIP_DEFLATED, compresslevel=1)


def load_estimator(folder: Path) -> Any:
    """Read what `save_estimator` wrote.

    Raises:
        StorageError: the file holds a type that no model of ours has; nothing of it was executed.
    """
    import skops.io

    path = folder / FILE
    strange = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED))
    if strange:
        raise StorageError(
            f"The model file holds types that are not allowed: {', '.join(strange[:5])}.",
            where=str(path),
            remedy="Do not trust this file; train again.",
        )
    return skops.io.load(path, trusted=list(TRUSTED))
