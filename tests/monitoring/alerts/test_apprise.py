"""E-mail, Slack and the rest by the real library, against real servers on loopback."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from automl_assets.core.errors import ConfigError, ProviderError
from automl_assets.monitoring.alerts import Message
from automl_assets.monitoring.alerts._apprise import instance
from automl_assets.monitoring.alerts.apprise import Apprise
from automl_assets.monitoring.alerts.email import Email
from automl_assets.monitoring.alerts.slack import Slack
from tests.monitoring.alerts.servers import Endpoint, Mailbox, receiving, serving

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
MESSAGE = Message("churn", "critical", "Löhne drifted", "age: PSI 0.3 <b>", "k", datetime(2026, 11, 21, tzinfo=UTC))
HOOK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7"


def email(**more: Any) -> Email:
    return Email.model_validate(
        {"host": "127.0.0.1", "mode": "insecure", "sender": "automl@example.com", "to": ["ada@example.com"], **more}
    )


def test_a_mail_goes_to_everyone_as_plain_text() -> None:
    with receiving(Mailbox()) as mailbox:
        email(port=mailbox.port, to=["ada@example.com", "bob@example.com"]).deliver(MESSAGE)
    ((recipients, mail),) = mailbox.mails
    assert sorted(recipients) == ["ada@example.com", "bob@example.com"]
    assert "automl@example.com" in mail["From"]
    assert mail.get_content_type() == "text/plain"
    text: Any = mail.get_payload(decode=True)
    assert "age: PSI 0.3 <b>" in text.decode()


def test_a_mail_server_that_refuses_or_is_not_there_is_an_error_without_the_password() -> None:
    with receiving(Mailbox(refuses=True)) as mailbox:
        with pytest.raises(ProviderError, match=r"The mail server 127\.0\.0\.1 did not take the message"):
            email(port=mailbox.port).deliver(MESSAGE)
        gone = mailbox.port
    with pytest.raises(ProviderError) as refused:
        email(port=gone, mode="starttls", user="ada", password="s3cret").deliver(MESSAGE)
    assert "s3cret" not in str(refused.value)


def test_slack_gets_the_title_and_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins.slack import NotifySlack

    with serving(Endpoint()) as endpoint:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"http://127.0.0.1:{endpoint.port}/services")
        with pytest.raises(ProviderError, match="Slack did not take the message"):  # Slack answers "ok"
            Slack.model_validate({"url": HOOK}).deliver(MESSAGE)
    (heard,) = endpoint.heard
    assert heard.path == "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7"
    told = json.dumps(json.loads(heard.body), ensure_ascii=False)
    assert "churn: Löhne drifted" in told
    assert "age: PSI 0.3" in told


def test_a_service_of_apprise_is_told_and_its_redirects_are_not_followed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(Endpoint([200, 302, 500])) as endpoint, serving(Endpoint()) as elsewhere:
        endpoint.headers["Location"] = elsewhere.url()
        gotify = Apprise.model_validate({"url": f"gotify://127.0.0.1:{endpoint.port}/s3cret-token"})
        gotify.deliver(MESSAGE)
        for _ in range(2):
            with pytest.raises(ProviderError, match="apprise's gotify did not take the message") as refused:
                gotify.deliver(MESSAGE)
            assert "s3cret" not in str(refused.value)
    assert len(endpoint.heard) == 3
    assert elsewhere.heard == []
    assert json.loads(endpoint.heard[0].body)["title"] == "churn: Löhne drifted"
    assert "s3cret" not in " ".join(record.getMessage() for record in caplog.records if record.name == "apprise")


def test_a_service_that_apprise_does_not_know_is_told_without_its_url() -> None:
    with pytest.raises(ConfigError, match="apprise's nonsense: apprise knows no such service") as refused:
        Apprise.model_validate({"url": "nonsense://s3cret"}).deliver(MESSAGE)
    assert "s3cret" not in str(refused.value)


def test_the_real_url_of_slack_is_understood() -> None:
    service = instance(HOOK, name="Slack")
    assert type(service).__name__ == "NotifySlack"
    assert service.redirects is False


@pytest.mark.parametrize(
    ("kind", "settings", "told"),
    [
        (Slack, {"url": "https://example.com/s3cret"}, "it is no incoming webhook of Slack"),
        (Slack, {"url": "https://hooks.slack.com.evil.com/s3cret"}, "it is no incoming webhook of Slack"),
        (Apprise, {"url": "json://10.0.0.1/s3cret"}, "write it as `type: webhook`"),
        (Apprise, {"url": "HTTPS://10.0.0.1/s3cret"}, "write it as `type: webhook`"),
        (Apprise, {"url": "s3cret"}, "it is no URL of apprise"),
        (Email, {"host": "h", "sender": "ada", "to": ["b@c"]}, "'ada' is no e-mail address"),
        (Email, {"host": "h", "sender": "a@b", "to": ["b@c\r\nBcc: d@e"]}, "is no e-mail address"),
        (Email, {"host": "h", "sender": "a@b", "to": []}, "at least 1 item"),
        (
            Email,
            {"host": "h", "sender": "a@b", "to": ["b@c"], "mode": "insecure", "password": "s3cret"},
            "a password is not sent without encryption",
        ),
    ],
)
def test_what_is_wrong_is_refused_without_quoting_secrets(kind: Any, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        kind.model_validate(settings)
    assert told in str(refused.value)
    assert "s3cret" not in str(refused.value)
