"""The steps of this stage as data."""

from automl_assets.core.steps import Step

DRIFT_REPORT = Step(
    "drift_report",
    inputs=("raw_table", "champion"),
    sections=("monitoring", "columns"),
    code_version="1",
    of_batch=True,
)
PERFORMANCE_REPORT = Step(
    "performance_report",
    inputs=("raw_table", "champion", "predictions"),
    sections=("monitoring",),
    code_version="1",
    of_batch=True,
)
