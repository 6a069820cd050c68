"""The section `cleaning`."""

from typing import Literal

from pydantic import Field

from automl_assets.core.config import Section


class CleaningConfig(Section):
    """Who plans the cleaning, and from where on an agent would be asked.

    The agent's planner is not part of this version: `hybrid` and `agent` use the local planner and record why.
    """

    mode: Literal["hybrid", "local", "agent"] = "hybrid"
    missing_threshold: float = Field(default=0.35, ge=0, le=1, description="Share of a column that may be missing.")
    quality_score_threshold: float = Field(default=70, ge=0, le=100, description="The lowest quality score, 0 to 100.")
    gs1_compliance_target: float = Field(
        default=0.98, ge=0, le=1, description="Share of identifiers with a valid check digit."
    )
    max_cost_usd_per_run: float = Field(default=5.0, ge=0, description="What an agent may cost, in US dollars a run.")
