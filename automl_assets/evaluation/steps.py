"""The steps of this stage as data."""

from automl_assets.core.steps import Step

EVALUATION = Step(
    "evaluation",
    inputs=("clean_table", "tuning_study", "trained_model"),
    sections=("columns",),
    code_version="6",
)
