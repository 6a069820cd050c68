"""The steps of this stage as data."""

from automl_assets.core.steps import Step

DRIFT_REPORT = Step(
    "drift_report",
    inputs=("raw_table", "champion"),
    sections=("monitoring.engine", "columns"),
    code_version="2",
    of_batch=True,
)
PERFORMANCE_REPORT = Step(
    "performance_report",
    inputs=("raw_table", "champion", "predictions", "labels"),
    sections=("monitoring.thresholds", "columns", "labels"),
    code_version="2",
    of_batch=True,
)
