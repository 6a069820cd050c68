"""The sections `features` and `tuning`."""

from typing import Any, Literal

from pydantic import Field, field_validator

from automl_assets.core.config import Section, only_for_now


class FeaturesConfig(Section):
    """How columns become numbers; `auto` follows each column's role."""

    pipeline: Literal["auto"] = "auto"


class TuningConfig(Section):
    """How long and among what to search."""

    time_budget_seconds: float = Field(
        default=300, gt=0, description="Wall-clock seconds for tuning and training together."
    )
    max_trials: int | None = Field(default=None, ge=1, description="Stop after this many configurations.")
    families: Literal["auto"] | list[str] = Field(default="auto", description="Model families by name; all by default.")
    ensemble: Literal["auto"] = "auto"
    prefer: Literal["accuracy", "balanced", "latency"] = Field(
        default="balanced", description="How much one row may cost the model: about 30, 20 or 10 ms in all."
    )
    deterministic: bool = False

    @field_validator("families")
    @classmethod
    def _known(cls, value: Any) -> Any:
        from automl_assets.core.errors import UnknownNameError
        from automl_assets.learn.families import registry

        if isinstance(value, list):
            if not value:
                raise ValueError("families is empty; name at least one, or leave it out.")
            for name in value:
                try:
                    registry.get(name)
                except UnknownNameError as error:
                    raise ValueError(f"{error.message} {error.remedy}") from error
        return value

    @field_validator("deterministic")
    @classmethod
    def _later(cls, value: bool) -> bool:
        return only_for_now(value, False, "tuning.deterministic")
