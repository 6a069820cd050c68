"""The section `monitoring`."""

from typing import Any, Literal

from pydantic import Field, field_validator

from automl_assets.core.config import Section, only_for_now


class ThresholdsConfig(Section):
    """When drift counts."""

    performance_tolerance: float = Field(default=0.02, ge=0, description="Drop of the metric that is still normal.")
    importance_share: float = Field(
        default=0.3, ge=0, le=1, description="Share of drifted features that asks for a retrain."
    )
    domain_auc: float = Field(default=0.55, ge=0.5, le=1, description="How well old and new rows may be told apart.")

    @field_validator("performance_tolerance")
    @classmethod
    def _later_tolerance(cls, value: float) -> float:
        return only_for_now(value, 0.02, "monitoring.thresholds.performance_tolerance")

    @field_validator("domain_auc")
    @classmethod
    def _later_auc(cls, value: float) -> float:
        return only_for_now(value, 0.55, "monitoring.thresholds.domain_auc")


class AlertConfig(Section):
    """One alert channel."""

    type: Literal["log"] = "log"


class MonitoringConfig(Section):
    """How batches are watched and what may follow."""

    engine: Literal["evidently"] = "evidently"
    auto_retrain: bool = Field(default=True, description="False turns a retrain into a request for review.")
    max_retrains_per_day: int = Field(default=3, ge=0)
    cooldown_hours: float = Field(default=6, ge=0, description="Hours between two retrains that drift asked for.")
    alerts: list[AlertConfig] = [AlertConfig()]
    thresholds: ThresholdsConfig = ThresholdsConfig()

    @field_validator("alerts", mode="before")
    @classmethod
    def _channels(cls, value: Any) -> Any:
        for alert in value if isinstance(value, list) else []:
            if isinstance(alert, dict):
                only_for_now(alert.get("type"), "log", f"An alert of type {alert.get('type')!r}")
        return value
