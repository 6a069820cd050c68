"""What every channel keeps to, also those that are not written yet."""

import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from automl_assets.core.config import REVEAL, Section
from automl_assets.monitoring.alerts import Channel, Message, registry
from automl_assets.monitoring.alerts._base import SEVERITIES, first_fault
from automl_assets.monitoring.alerts.log import Log

EXAMPLES: dict[str, dict[str, Any]] = {
    "log": {},
    "webhook": {"url": "https://hooks.example.com/s3cret", "secret": "s3cret", "headers": {"Authorization": "s3cret"}},
    "slack": {"url": "https://hooks.slack.com/services/s3cret"},
    "apprise": {"url": "ntfys://s3cret"},
    "email": {"host": "mail.example.com", "sender": "a@b.c", "to": ["d@e.f"], "user": "a", "password": "s3cret"},
}


def example(name: str) -> Channel:
    assert name in EXAMPLES, f"add an example of the channel {name!r}, with s3cret wherever it may hold a secret"
    return registry.get(name).model_validate({"type": name, **EXAMPLES[name]})


@pytest.mark.parametrize("name", registry.names())
def test_its_type_is_its_files_name_and_it_is_closed(name: str) -> None:
    kind = registry.get(name)
    assert issubclass(kind, Section)
    assert kind.model_fields["type"].default == name
    with pytest.raises(ValidationError):
        kind.model_validate({"type": name, **EXAMPLES[name], "not_a_key": 1})


@pytest.mark.parametrize("name", registry.names())
def test_its_secrets_are_seen_nowhere_and_survive_being_written_out(name: str) -> None:
    channel = example(name)
    for shown in (repr(channel), str(channel), channel.model_dump_json(), str(channel.model_dump(mode="json"))):
        assert "s3cret" not in shown
    assert type(channel).model_validate(channel.model_dump(mode="json", context={REVEAL: True})) == channel


@pytest.mark.parametrize("name", registry.names())
def test_a_field_that_sounds_like_a_secret_is_kept_as_one(name: str) -> None:
    for field in registry.get(name).model_fields:
        if field in ("url", "secret", "password", "token", "key"):
            assert isinstance(getattr(example(name), field), SecretStr)


@pytest.mark.parametrize("least", SEVERITIES)
def test_what_is_less_severe_is_not_wanted(least: Any) -> None:
    wanted = [severity for severity in SEVERITIES if Log(least_severity=least).wants(severity)]
    assert wanted == list(SEVERITIES[SEVERITIES.index(least) :])


def test_the_log_gets_one_line_of_the_right_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for severity in SEVERITIES:
        Log().deliver(Message("churn", severity, "title", "body", "k", datetime(2026, 1, 1, tzinfo=UTC)))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "churn: title: body"),
        ("WARNING", "churn: title: body"),
        ("ERROR", "churn: title: body"),
    ]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"url": "https://a/s3cret", "secrt": "s3cret"}, "Unknown key 'secrt'. Did you mean 'secret'? Known: "),
        ({"url": "http://a/s3cret"}, "url: it is not https; set `allow_http: true` if this is meant"),
        ({}, "url: Field required"),
        ({"url": "https://a", "allow_http": "s3cret"}, "allow_http: Input should be a valid boolean"),
    ],
)
def test_the_first_fault_is_told_without_quoting_secrets(settings: dict[str, Any], told: str) -> None:
    kind = registry.get("webhook")
    with pytest.raises(ValidationError) as refused:
        kind.model_validate(settings)
    assert first_fault(refused.value, kind.model_fields).startswith(told)
    assert "s3cret" not in first_fault(refused.value, kind.model_fields)
