"""scikit-learn estimators on disk: skops files, opened only when all their types are on a fixed list."""

import importlib
import io
import re
import zipfile
from pathlib import Path
from typing import Any

from automl_assets.core.errors import StorageError
from automl_assets.core.imports import without

FILE, SCHEMA = "model.skops", "schema.json"
ADDRESS = re.compile(r'("__id__": |"file": ")(\d+)(?=[.,\s}])')
TRUSTED = (
    "functools.partial",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
)


def skops_io() -> Any:
    """The module `skops.io`, which imports all of scikit-learn, and torch with it: 180 MiB and seconds for nothing."""
    with without("torch"):
        return importlib.import_module("skops.io")


def save_estimator(estimator: Any, folder: Path) -> None:
    """Write a scikit-learn estimator into a folder: the same one is the same file."""
    with zipfile.ZipFile(io.BytesIO(skops_io().dumps(estimator))) as dumped:
        schema, numbers = _numbered(dumped.read(SCHEMA).decode())
        names = {name: _renamed(name, numbers) for name in dumped.namelist() if name != SCHEMA}
        with zipfile.ZipFile(folder / FILE, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
            for name, new in sorted(names.items(), key=lambda pair: pair[1]):
                _write(file, new, dumped.read(name))
            _write(file, SCHEMA, schema.encode())


def _numbered(schema: str) -> tuple[str, dict[str, str]]:
    """The schema with objects numbered in the order of their appearance instead of by their addresses in memory.

    skops tells objects apart, and names their files, by `id`.
    """
    numbers: dict[str, str] = {}

    def number(found: "re.Match[str]") -> str:
        return found[1] + numbers.setdefault(found[2], str(len(numbers) + 1))

    return ADDRESS.sub(number, schema), numbers


def _renamed(name: str, numbers: dict[str, str]) -> str:
    stem, dot, suffix = name.partition(".")
    return numbers.get(stem, stem) + dot + suffix


def _write(file: zipfile.ZipFile, name: str, data: bytes) -> None:
    """An entry without the time of day."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    file.writestr(entry, data, compresslevel=1)


def load_estimator(folder: Path) -> Any:
    """Read what `save_estimator` wrote.

    Raises:
        StorageError: the file holds a type that no model of ours has; nothing of it was executed.
    """
    skops = skops_io()
    path = folder / FILE
    strange = sorted(set(skops.get_untrusted_types(file=path)) - set(TRUSTED))
    if strange:
        raise StorageError(
            f"The model file holds types that are not allowed: {', '.join(strange[:5])}.",
            where=str(path),
            remedy="Do not trust this file; train again.",
        )
    return skops.load(path, trusted=list(TRUSTED))
