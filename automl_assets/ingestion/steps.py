"""The steps of this stage as data."""

from automl_assets.core.steps import Step

RAW_TABLE = Step(
    "raw_table", inputs=("source",), sections=("source", "batches", "quality"), code_version="1", of_batch=True
)
TRAINING_WINDOW = Step("training_window", inputs=("raw_table",), sections=("training_window",), code_version="1")
