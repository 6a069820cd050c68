"""The sections `batches`, `training_window` and `schedule`."""

import pytest
from pydantic import ValidationError

from automl_assets.ingestion.config import BatchesConfig, BatchesSince, LastBatches, ScheduleConfig, WindowConfig


@pytest.mark.parametrize(
    ("section", "settings", "told"),
    [
        (BatchesConfig, {"kind": "hourly"}, "'none', 'files', 'daily', 'weekly' or 'monthly'"),
        (BatchesConfig, {"marker": "_SUCCESS"}, "`glob` and `marker` belong to batches of kind files"),
        (BatchesConfig, {"kind": "daily"}, "batches of kind daily need `start`"),
        (BatchesConfig, {"time_column": "day"}, "belong to batches of kind daily, weekly or monthly"),
        (BatchesConfig, {"kind": "files", "delay_hours": 2}, "belong to batches of kind daily"),
        (BatchesConfig, {"kind": "monthly", "start": "2024-01-31"}, "`start` is the 1st to the 28th"),
        (BatchesConfig, {"kind": "files", "expected_every_hours": 0}, "greater than 0"),
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
