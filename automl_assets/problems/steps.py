"""The steps of this stage as data."""

from automl_assets.core.steps import Step

PROBLEM = Step("problem", inputs=("training_window",), sections=("target", "columns", "problem"), code_version="1")
