"""The steps of this stage as data."""

from automl_assets.core.steps import Step

REGISTERED_MODEL = Step(
    "registered_model",
    inputs=("clean_table", "trained_model", "evaluation"),
    sections=("registration",),
    code_version="1",
)
CHAMPION = Step("champion", inputs=("alias",), sections=(), code_version="1")
