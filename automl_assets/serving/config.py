"""The section `predictions`."""

from typing import Any

from pydantic import field_validator

from automl_assets.core.config import Section, only_for_now


class PredictionsConfig(Section):
    """Where predictions go besides the table store."""

    sink: dict[str, Any] | None = None

    @field_validator("sink")
    @classmethod
    def _later(cls, value: Any) -> Any:
        return only_for_now(value, None, "predictions.sink")
