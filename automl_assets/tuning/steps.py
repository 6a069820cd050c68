"""The steps of this stage as data."""

from automl_assets.core.steps import Step

TUNING_STUDY = Step(
    "tuning_study",
    inputs=("clean_table",),
    sections=("features", "tuning"),
    code_version="2",
)
