"""The steps of this stage as data."""

from automl_assets.core.steps import Step

CLEANING_PLAN = Step("cleaning_plan", inputs=("training_window", "problem"), sections=("cleaning",), code_version="1")
CLEAN_TABLE = Step("clean_table", inputs=("training_window", "problem", "cleaning_plan"), sections=(), code_version="1")
