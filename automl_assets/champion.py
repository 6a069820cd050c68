"""`load_champion`: a pipeline's champion, ready to predict from Python.

>>> load_champion("churn").predict(table)  # doctest: +SKIP
array(['No', 'Yes', …], dtype=object)
"""

from typing import TYPE_CHECKING, Any

from automl_assets.arrays import as_arrow
from automl_assets.core.errors import RegistryError, UnknownNameError
from automl_assets.training.model import Model
from resources.model_registry import ModelRegistry
from resources.settings import Settings

if TYPE_CHECKING:
    import numpy as np


class LoadedChampion:
    """A registered version in memory. Tables may be pandas, polars, Arrow, or a dict of columns."""

    def __init__(self, model: Model, name: str, version: str):
        self._model = model
        self.name = name
        self.version = version

    @property
    def classes_(self) -> "np.ndarray":
        """The class labels in the order of `predict_proba`'s columns; empty for a number."""
        import numpy as np

        return np.array(self._model.card.classes, dtype=object)

    def predict(self, table: Any) -> "np.ndarray":
        """A label, or a value, for each row. A column that the table lacks counts as missing.

        Raises:
            SchemaError: it is no table, or has none of the model's columns.
        """
        return self._model.labels(self._predicted(table))

    def predict_proba(self, table: Any) -> "np.ndarray":
        """Calibrated probabilities of shape (rows, classes).

        Raises:
            AttributeError: the model predicts numbers.
            SchemaError: it is no table, or has none of the model's columns.
        """
        if not self._model.card.classes:
            raise AttributeError(f"{self.name} predicts a number; it has no probabilities.")
        return self._predicted(table)

    def _predicted(self, table: Any) -> "np.ndarray":
        arrow = as_arrow(table)
        self._model.require_columns(arrow.column_names, where=self.name)
        return self._model.predict(arrow)


def load_champion(name: str, version: str | None = None) -> LoadedChampion:
    """The champion of a pipeline, or one of its versions, its checksums compared before anything is opened.

    Raises:
        RegistryError: there is no champion yet.
        UnknownNameError: there is no such version.
        StorageError: the model's files are not the registered ones.
    """
    settings = Settings.from_environment()
    registry = ModelRegistry(home=str(settings.home), tracking_uri=settings.mlflow_tracking_uri)
    try:
        info = registry.version(name, version) if version is not None else registry.aliased(name)
    except UnknownNameError:
        if registry.versions(name):
            raise
        info = None
    if info is None:
        raise RegistryError(
            f"{name} has no {'version ' + version if version else 'champion'} yet.",
            where=registry.uri,
            remedy=f"Train it with `automl run {name}`.",
        )
    digest = info.tags.get("model_sha256") or None
    return LoadedChampion(Model.load(registry.folder(info, "model"), digest=digest), name, info.version)
