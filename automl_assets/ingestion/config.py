"""The sections `source`, `batches` and `training_window`."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator

from automl_assets.core.config import Section, only_for_now
from automl_assets.core.errors import UnknownNameError
from automl_assets.ingestion.sources import Source, registry


def source_from(value: Any) -> Any:
    """A source of the plug-in that `type` names.

    Raises:
        ValueError: there is no `type`, or no such plug-in.
    """
    if isinstance(value, Source) or not isinstance(value, dict):
        return value
    try:
        kind = registry.get(str(value.get("type", "")))
    except UnknownNameError as error:
        raise ValueError(f"{error.message} {error.remedy}") from error
    return kind.model_validate(value)


SourceField = Annotated[SerializeAsAny[Source], BeforeValidator(source_from)]


class BatchesConfig(Section):
    """How rows arrive: `none`, one table that is replaced as a whole; `files`, a file a batch, in `source.path`."""

    kind: Literal["none", "files"] = "none"
    glob: str | None = Field(
        default=None, description="Which files of the folder are batches; by default the source's own."
    )
    marker: str | None = None
    time_column: str | None = None
    expected_every_hours: float | None = None

    @field_validator("marker", "time_column", "expected_every_hours")
    @classmethod
    def _later(cls, value: Any, info: Any) -> Any:
        return only_for_now(value, None, f"batches.{info.field_name}")


class LastBatches(Section):
    """The newest batches, by key."""

    last: int = Field(ge=1, description="How many batches.")


class BatchesSince(Section):
    """The batches whose key sorts at or after this one."""

    since: str = Field(description="A batch key, or the date that keys start with.")

    @field_validator("since", mode="before")
    @classmethod
    def _text(cls, value: Any) -> str:
        return str(value)


class WindowConfig(Section):
    """Which batches a training reads."""

    batches: Literal["all"] | LastBatches | BatchesSince = "all"


class ScheduleConfig(Section):
    """Cron expressions for retraining and scoring, in an IANA time zone."""

    retrain: str | None = None
    score: str | None = None
    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        import zoneinfo

        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is no IANA time zone, such as Europe/Warsaw.") from error
        return value
