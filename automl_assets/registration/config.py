"""The section `registration`."""

from typing import Literal

from pydantic import Field, field_validator

from automl_assets.core.config import Section, only_for_now


class RegistrationConfig(Section):
    """When a new version becomes the champion.

    `if_better` than the champion on the same holdout rows; `always`; `never`; `ask`: a person promotes.
    """

    promote: Literal["if_better", "always", "never", "ask"] = "if_better"
    shadow_batches: int = Field(default=0, ge=0)

    @field_validator("shadow_batches")
    @classmethod
    def _later(cls, value: int) -> int:
        return only_for_now(value, 0, "registration.shadow_batches")
