"""The steps of this stage as data."""

from automl_assets.core.steps import Step

RAW_TABLE = Step(
    "raw_table",
    inputs=("source",),
    sections=("source", "batches.kind", "batches.time_column", "quality"),
    code_version="1",
    of_batch=True,
)
TRAINING_WINDOW = Step(
    "training_window",
    inputs=("raw_table", "answers", "labels"),
    sections=("training_window", "labels"),
    code_version="2",
)
