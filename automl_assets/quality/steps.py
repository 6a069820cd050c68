"""The steps of this stage as data."""

from automl_assets.core.steps import Step

QUALITY_REPORT = Step(
    "quality_report", inputs=("raw_table",), sections=("columns", "quality"), code_version="1", of_batch=True
)
