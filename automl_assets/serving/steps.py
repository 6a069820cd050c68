"""The steps of this stage as data."""

from automl_assets.core.steps import Step

PREDICTIONS = Step(
    "predictions", inputs=("raw_table", "champion"), sections=("predictions",), code_version="1", of_batch=True
)
