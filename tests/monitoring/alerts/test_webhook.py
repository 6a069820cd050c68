"""A webhook reaches public addresses over TLS, is signed, follows nothing, and keeps its secrets."""

import hashlib
import hmac
import json
import logging
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from automl_assets.core.config import REVEAL
from automl_assets.core.errors import ProviderError
from automl_assets.monitoring.alerts import Message
from automl_assets.monitoring.alerts import _post as posting
from automl_assets.monitoring.alerts._post import Target, is_public
from automl_assets.monitoring.alerts.webhook import Webhook, signed
from tests.monitoring.alerts.servers import Endpoint, self_signed, serving

MESSAGE = Message(
    "churn",
    "warning",
    "drift — 3 features",
    "age: PSI 0.3",
    "churn/drift:ä\r\nX: y",
    datetime(2026, 11, 21, tzinfo=UTC),
)


def webhook(url: str, **more: Any) -> Webhook:
    return Webhook.model_validate({"url": url, "allow_private": True, "allow_http": True, **more})


def quick(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(Webhook, "timeout_seconds", seconds)


def test_the_body_is_json_and_the_signature_verifies() -> None:
    with serving(Endpoint()) as endpoint:
        webhook(endpoint.url(), secret="key", headers={"Authorization": "Bearer b"}).deliver(MESSAGE)
    (heard,) = endpoint.heard
    assert heard.path == "/hooks/s3cret-path?token=s3cret"
    assert json.loads(heard.body) == {
        "pipeline": "churn",
        "severity": "warning",
        "title": "drift — 3 features",
        "body": "age: PSI 0.3",
        "key": MESSAGE.key,
        "at": "2026-11-21T00:00:00+00:00",
    }
    timestamp = heard.headers["X-Automl-Timestamp"]
    expected = hmac.new(b"key", timestamp.encode() + b"." + heard.body, hashlib.sha256).hexdigest()
    assert heard.headers["X-Automl-Signature"] == f"sha256={expected}"
    assert abs(int(timestamp) - time.time()) < 60
    assert heard.headers["Authorization"] == "Bearer b"
    assert heard.headers["Host"] == f"127.0.0.1:{endpoint.port}"
    assert heard.headers["Idempotency-Key"] == "churn/drift:%C3%A4%0D%0AX:%20y"
    assert heard.headers["X"] is None, "a key can't bring a header of its own"


def test_another_body_or_time_or_secret_has_another_signature() -> None:
    told = {
        signed(b, s, t)["X-Automl-Signature"]
        for b, s, t in [(b"a", "k", 1), (b"b", "k", 1), (b"a", "l", 1), (b"a", "k", 2)]
    }
    assert len(told) == 4
    assert signed(b"{}", "key", 1)["X-Automl-Signature"] == (
        "sha256=" + hmac.new(b"key", b"1.{}", "sha256").hexdigest()
    )


def test_without_a_secret_nothing_is_signed() -> None:
    with serving(Endpoint()) as endpoint:
        webhook(endpoint.url()).deliver(MESSAGE)
    assert endpoint.heard[0].headers["X-Automl-Signature"] is None


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (400, "answered 400."),
        (500, "answered 500."),
        (302, "answered 302, and redirects are not followed."),
        (307, "307"),
    ],
)
def test_what_is_no_success_is_an_error_and_no_redirect_is_followed(status: int, told: str) -> None:
    with serving(Endpoint()) as elsewhere, serving(Endpoint([status])) as endpoint:
        endpoint.headers["Location"] = elsewhere.url()
        with pytest.raises(ProviderError) as refused:
            webhook(endpoint.url()).deliver(MESSAGE)
    assert told in str(refused.value)
    assert "s3cret" not in str(refused.value)
    assert len(endpoint.heard) == 1
    assert elsewhere.heard == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_private_address_is_refused_also_behind_a_name(host: str) -> None:
    with (
        serving(Endpoint()) as endpoint,
        pytest.raises(ProviderError, match="resolves to a private address") as refused,
    ):
        webhook(endpoint.url(host), allow_private=False).deliver(MESSAGE)
    assert refused.value.code == "private_address"
    assert endpoint.heard == []


def test_the_address_that_was_checked_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that answers with a public address first and a private one later (rebinding) is asked once only."""
    answers = iter(["192.0.2.1", "127.0.0.1"])
    asked: list[str] = []
    connected: list[Any] = []

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    def connect(_: socket.socket, address: Any) -> None:
        connected.append(address)
        raise TimeoutError

    monkeypatch.setattr(posting.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(posting, "is_public", lambda address: address == "192.0.2.1")
    monkeypatch.setattr(posting.socket.socket, "connect", connect)
    with pytest.raises(ProviderError, match="did not answer within"):
        webhook("https://hooks.example.com/x", allow_private=False).deliver(MESSAGE)
    assert asked == ["hooks.example.com"]
    assert connected == [("192.0.2.1", 443)]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("192.0.2.1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1%lo", False),
        ("fc00::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("2001:db8::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::1", False),
        ("2001:0:4136:e378:8000:63bf:f5ff:fffe", False),
    ],
)
def test_which_addresses_are_of_the_open_internet(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize("drip", [False, True])
def test_a_server_that_is_silent_or_drips_times_out(monkeypatch: pytest.MonkeyPatch, drip: bool) -> None:
    quick(monkeypatch, 0.3)
    begun = time.monotonic()
    with serving(Endpoint(silent=None if drip else threading.Event(), drip=drip)) as endpoint:
        with pytest.raises(ProviderError, match=r"did not answer within 0\.3 s"):
            webhook(endpoint.url()).deliver(MESSAGE)
        assert time.monotonic() - begun < 2
    assert len(endpoint.heard) == 1


def test_over_tls_the_certificate_is_verified_against_the_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, "localhost")
    with serving(Endpoint(), certificate) as endpoint:
        hook = webhook(endpoint.url("localhost", "https"), allow_http=False)
        with pytest.raises(ProviderError, match="showed no valid certificate"):
            hook.deliver(MESSAGE)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        hook.deliver(MESSAGE)
        with pytest.raises(ProviderError, match="showed no valid certificate"):
            webhook(endpoint.url("127.0.0.1", "https")).deliver(MESSAGE)
    assert len(endpoint.heard) == 1
    assert endpoint.heard[0].headers["Host"] == f"localhost:{endpoint.port}"


def test_what_can_not_be_reached_says_so() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(ProviderError, match=r"can't be reached \(Connection refused\)"):
            webhook(f"http://127.0.0.1:{port}/").deliver(MESSAGE)
    with pytest.raises(ProviderError, match=r"nowhere\.invalid can't be reached"):
        webhook("https://nowhere.invalid/").deliver(MESSAGE)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"url": "http://a.example/s3cret"}, "it is not https; set `allow_http: true`"),
        ({"url": "ftp://a.example/s3cret"}, "url: it is no https URL"),
        ({"url": "https:///s3cret"}, "url: it is no https URL"),
        ({"url": "https://u:s3cret@a.example/"}, "state the header `Authorization`"),
        ({"url": "https://a.example/s3cret\r\nX: y"}, "characters that a URL can't have"),
        ({"url": "https://a.example:s3cret/"}, "url: its host or port can't be read"),
        ({"url": "https://[s3cret/"}, "url: its host or port can't be read"),
        ({"url": "https://a.example/", "headers": {"Host": "s3cret"}}, "headers: 'Host' can't be set"),
        ({"url": "https://a.example/", "headers": {"A B": "s3cret"}}, "headers: 'A B' can't be set"),
        ({"url": "https://a.example/", "headers": {"A": "s3cret\r\nB: c"}}, "headers: the value of 'A'"),
        ({"url": "https://a.example/", "secrt": "s3cret"}, "Extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_is_refused_without_quoting_secrets(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Webhook.model_validate(settings)
    assert told in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_value_of_the_environment_may_be_filled_in_later() -> None:
    assert Webhook.model_validate({"url": "{{ env.HOOK }}"}).url.get_secret_value() == "{{ env.HOOK }}"


def test_secrets_are_shown_as_asterisks_unless_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    hook = webhook("https://a.example/s3cret", secret="s3cret", headers={"Authorization": "s3cret"})
    logging.getLogger("test").error("%s %r %s", hook, hook, hook.model_dump_json())
    assert "s3cret" not in caplog.text
    assert hook.model_dump(mode="json")["url"] == "**********"
    written = hook.model_dump(mode="json", context={REVEAL: True})
    assert Webhook.model_validate(written) == hook


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://a.example", Target(True, "a.example", 443, "/")),
        ("http://a.example:8080/b/c?d=e#f", Target(False, "a.example", 8080, "/b/c?d=e")),
        ("https://[2001:db8::1]/x", Target(True, "2001:db8::1", 443, "/x")),
    ],
)
def test_where_a_url_leads(url: str, target: Target) -> None:
    assert Target.of(url) == target
