"""The sections `source`, `batches` and `training_window`."""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator, model_validator

from automl_assets.core.config import Section
from automl_assets.ingestion.sources import Source, registry


def source_from(value: Any) -> Any:
    """A source of the plug-in that `type` names.

    Raises:
        ValueError: there is no `type`, or no such plug-in.
    """
    if isinstance(value, Source) or not isinstance(value, dict):
        return value
    return registry.of_type(value).model_validate(value)


SourceField = Annotated[SerializeAsAny[Source], BeforeValidator(source_from)]


class BatchesConfig(Section):
    """How rows arrive.

    none: one table that is replaced as a whole. files: a file a batch, in `source.path`. daily, weekly, monthly: the
    rows of a closed window of time, by a column of the source or by the parameters of its query.
    """

    kind: Literal["none", "files", "daily", "weekly", "monthly"] = "none"
    glob: str | None = Field(
        default=None, description="Which files of the folder are batches; by default the source's own."
    )
    marker: str | None = Field(
        default=None, description="A file that says a batch is complete; {name} and {stem} stand for the batch's file."
    )
    time_column: str | None = Field(default=None, description="Which column places a row in a window of time.")
    start: date | None = Field(default=None, description="The first day of the first window of time.")
    delay_hours: float = Field(
        default=0.0, ge=0, description="How long after its end a window is read; rows may come late."
    )
    expected_every_hours: float | None = Field(
        default=None, gt=0, description="A batch that is later than this is told to people."
    )

    @property
    def is_windows(self) -> bool:
        """Whether batches are windows of time."""
        return self.kind in ("daily", "weekly", "monthly")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.is_windows and self.start is None:
            raise ValueError(f"batches of kind {self.kind} need `start`, the first day of the first window")
        if self.kind == "monthly" and self.start is not None and self.start.day > 28:
            raise ValueError("a month's window starts on a day that every month has: `start` is the 1st to the 28th")
        if not self.is_windows and (self.start or self.time_column or self.delay_hours):
            raise ValueError(
                "`start`, `time_column` and `delay_hours` belong to batches of kind daily, weekly or monthly"
            )
        if self.kind != "files" and (self.glob or self.marker):
            raise ValueError("`glob` and `marker` belong to batches of kind files")
        return self


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
