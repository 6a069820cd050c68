"""An HTTP endpoint of the user's own, which can tell that a message is real and whether it is new.

The body is JSON: pipeline, severity, title, body, key, at. `Idempotency-Key` is the message's key, the same however
often it is sent. With a secret, `X-Automl-Signature` is ``sha256=`` and the hexadecimal HMAC-SHA256 of
``<X-Automl-Timestamp>.<body>``; a receiver compares it and refuses old timestamps (seconds since 1970).
"""

import hashlib
import hmac
import json
import re
import time
from typing import Literal, Self
from urllib.parse import quote

from pydantic import Field, model_validator

from automl_assets.core.config import Secret
from automl_assets.core.errors import ProviderError
from automl_assets.monitoring.alerts._base import TEMPLATE_MARK, Channel, Message
from automl_assets.monitoring.alerts._post import Target, post

HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
OURS = ("host", "content-type", "content-length", "transfer-encoding", "connection", "idempotency-key",
        "x-automl-timestamp", "x-automl-signature")  # fmt: skip


class Webhook(Channel):
    """A signed POST over https to a public address. Redirects are not followed."""

    type: Literal["webhook"] = "webhook"
    url: Secret = Field(description="Where the message goes; kept like a secret, because many such URLs are one.")
    secret: Secret | None = Field(default=None, description="Signs each message.")
    headers: dict[str, Secret] = Field(default={}, description="Sent as well, such as Authorization.")
    allow_private: bool = Field(default=False, description="Also an address that only this network reaches.")
    allow_http: bool = Field(default=False, description="Also without TLS.")

    @model_validator(mode="after")
    def _safe(self) -> Self:
        url = self.url.get_secret_value()
        if TEMPLATE_MARK not in url:
            try:
                target = Target.of(url)
            except ValueError as error:
                raise ValueError(f"url: {error}") from None
            if not (target.tls or self.allow_http):
                raise ValueError("url: it is not https; set `allow_http: true` if this is meant")
        for name, value in self.headers.items():
            if not HEADER_NAME.fullmatch(name) or name.lower() in OURS:
                raise ValueError(f"headers: {name!r} can't be set")
            if not (value.get_secret_value().isascii() and value.get_secret_value().isprintable()):
                raise ValueError(f"headers: the value of {name!r} has characters that a header can't have")
        return self

    def deliver(self, message: Message) -> None:
        target = Target.of(self.url.get_secret_value())
        body = body_of(message)
        headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        headers |= {
            "Content-Type": "application/json",
            "User-Agent": "automl-assets",
            "Idempotency-Key": quote(message.key, safe="/:@+-_.~"),
        }
        if self.secret is not None:
            headers |= signed(body, self.secret.get_secret_value(), int(time.time()))
        status = post(target, body, headers, public_only=not self.allow_private, seconds=self.timeout_seconds)
        if not 200 <= status < 300:
            told = ", and redirects are not followed" if 300 <= status < 400 else ""
            raise ProviderError(
                f"{target.host} answered {status}{told}.",
                where=target.host,
                remedy="Look into its log.",
                code="refused",
            )


def body_of(message: Message) -> bytes:
    """The message as JSON in UTF-8."""
    document = {
        "pipeline": message.pipeline,
        "severity": message.severity,
        "title": message.title,
        "body": message.body,
        "key": message.key,
        "at": message.at.isoformat(timespec="seconds"),
    }
    return json.dumps(document, ensure_ascii=False).encode()


def signed(body: bytes, secret: str, timestamp: int) -> dict[str, str]:
    """The headers that prove who sent a body and when, in seconds since 1970."""
    told = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Automl-Timestamp": str(timestamp), "X-Automl-Signature": f"sha256={told}"}
