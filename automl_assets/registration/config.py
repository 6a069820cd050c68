"""The section `registration`."""

from typing import Literal

from pydantic import Field

from automl_assets.core.config import Section


class RegistrationConfig(Section):
    """When a new version becomes the champion.

    `if_better` than the champion on the same holdout rows; `always`; `never`; `ask`: a person promotes.
    """

    promote: Literal["if_better", "always", "never", "ask"] = "if_better"
    shadow_batches: int = Field(
        default=0,
        ge=0,
        description="Batches that a better challenger scores beside the champion before its promotion.",
    )
