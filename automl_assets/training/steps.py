"""The steps of this stage as data."""

from automl_assets.core.steps import Step

TRAINED_MODEL = Step(
    "trained_model",
    inputs=("clean_table", "tuning_study"),
    sections=(),
    code_version="4",
)
