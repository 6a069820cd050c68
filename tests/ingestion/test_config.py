"""The sections `batches`, `training_window` and `schedule`."""

import pytest
from pydantic import ValidationError

from automl_assets.ingestion.config import BatchesConfig, BatchesSince, LastBatches, ScheduleConfig, WindowConfig


@pytest.mark.parametrize(
    ("section", "settings", "told"),
    [
        (BatchesConfig, {"kind": "hourly"}, "'none' or 'files'"),
        (BatchesConfig, {"marker": "_SUCCESS"}, "batches.marker is not supported by this version"),
        (BatchesConfig, {"time_column": "day"}, "batches.time_column is not supported"),
        (BatchesConfig, {"expected_every_hours": 24}, "batches.expected_every_hours is not supported"),
        (WindowConfig, {"batches": "some"}, "'all'"),
        (WindowConfig, {"batches": {"last": 0}}, "greater than or equal to 1"),
        (WindowConfig, {"batches": {"lst": 3}}, "Extra inputs"),
        (ScheduleConfig, {"timezone": "Mars/Olympus"}, "'Mars/Olympus' is no IANA time zone"),
        (ScheduleConfig, {"timezone": "../etc"}, "is no IANA time zone"),
    ],
)
def test_what_can_t_be_is_refused(section: type, settings: dict, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        section(**settings)


def test_a_window_is_all_the_last_or_since() -> None:
    assert WindowConfig().batches == "all"
    assert WindowConfig.model_validate({"batches": {"last": 3}}).batches == LastBatches(last=3)
    assert WindowConfig.model_validate({"batches": {"since": 2024}}).batches == BatchesSince(since="2024")


def test_a_schedule_has_a_time_zone() -> None:
    assert ScheduleConfig().timezone == "UTC"
    assert ScheduleConfig(retrain="0 3 * * *", timezone="Europe/Warsaw").timezone == "Europe/Warsaw"
