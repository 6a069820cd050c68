"""The steps of this stage as data."""

from automl_assets.core.steps import Step

VERDICT = Step(
    "verdict",
    inputs=("raw_table", "champion", "drift_report", "performance_report"),
    sections=("monitoring.thresholds", "monitoring.auto_retrain", "registration"),
    code_version="1",
    of_batch=True,
)
