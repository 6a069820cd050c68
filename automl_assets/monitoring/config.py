"""The sections `monitoring` and `labels`."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError

from automl_assets.core.config import Section
from automl_assets.ingestion.config import SourceField
from automl_assets.monitoring.alerts import Channel, first_fault, registry
from automl_assets.monitoring.alerts.log import Log


class ThresholdsConfig(Section):
    """When a difference counts."""

    performance_tolerance: float = Field(
        default=0.02,
        ge=0,
        description="Drop that is still normal: of a metric between 0 and 1 in its own units, else relative to it.",
    )
    importance_share: float = Field(
        default=0.3, ge=0, le=1, description="Share of the model's importance that must have drifted for a retrain."
    )
    domain_auc: float = Field(default=0.55, ge=0.5, le=1, description="How well old and new rows may be told apart.")


def channel_from(value: Any) -> Any:
    """A channel of the plug-in that `type` names.

    Raises:
        ValueError: there is no `type`, or no such plug-in.
    """
    if isinstance(value, Channel) or not isinstance(value, dict):
        return value
    kind = registry.of_type(value)
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise ValueError(first_fault(error, kind.model_fields)) from None


ChannelField = Annotated[SerializeAsAny[Channel], BeforeValidator(channel_from)]


class MonitoringConfig(Section):
    """How batches are watched and what may follow."""

    engine: Literal["evidently", "own"] = Field(
        default="evidently",
        description="evidently: on samples of 50,000 rows a side, with its HTML. own: all rows, in constant memory.",
    )
    auto_retrain: bool = Field(default=True, description="False turns a retrain into a request for review.")
    max_retrains_per_day: int = Field(default=3, ge=0, description="In any 24 hours.")
    cooldown_hours: float = Field(default=6, ge=0, description="Hours between two retrains that monitoring asked for.")
    alerts: list[ChannelField] = [Log()]
    thresholds: ThresholdsConfig = ThresholdsConfig()


class LabelsConfig(Section):
    """Labels that come later than the rows: a table with the target and what identifies a row."""

    source: SourceField = Field(description="A table with the key columns and the target.")
    key: list[str] = Field(
        default=["prediction_id"], min_length=1, description="Columns that identify a row, or prediction_id."
    )
    matures_after_days: float = Field(
        default=30, ge=0, description="Days after a batch landed until its labels are taken as complete."
    )
