"""A table and ten lines of YAML become a cleaned, tuned, registered, scored and monitored model, as Dagster assets."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl_assets.champion import load_champion
    from automl_assets.component import AutoMLPipeline
    from automl_assets.estimator import AutoML, AutoMLClassifier, AutoMLRegressor

_EXPORTS = {
    "AutoML": "automl_assets.estimator",
    "AutoMLClassifier": "automl_assets.estimator",
    "AutoMLPipeline": "automl_assets.component",
    "AutoMLRegressor": "automl_assets.estimator",
    "load_champion": "automl_assets.champion",
}

__all__ = ["AutoML", "AutoMLClassifier", "AutoMLPipeline", "AutoMLRegressor", "load_champion"]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)
