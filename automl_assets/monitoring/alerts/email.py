"""E-mail by an SMTP server."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from automl_assets.core.config import Secret
from automl_assets.monitoring.alerts._apprise import send
from automl_assets.monitoring.alerts._base import TEMPLATE_MARK, Channel, Message

PORTS = {"starttls": 587, "ssl": 465, "insecure": 25}


class Email(Channel):
    """A plain-text mail to some people."""

    type: Literal["email"] = "email"
    host: str = Field(min_length=1, description="The SMTP server.")
    port: int | None = Field(default=None, ge=1, le=65_535, description="587 for starttls, 465 for ssl, 25 otherwise.")
    mode: Literal["starttls", "ssl", "insecure"] = Field(default="starttls", description="How the connection is kept.")
    user: str | None = None
    password: Secret | None = None
    sender: str = Field(description="The address that it comes from.")
    to: list[str] = Field(min_length=1, description="The addresses that it goes to.")

    @field_validator("sender", "to")
    @classmethod
    def _addresses(cls, value: str | list[str]) -> str | list[str]:
        for address in [value] if isinstance(value, str) else value:
            name, at, domain = address.partition("@")
            whole = name and at and domain and address.isprintable() and not set(address) & set(" ,;<>")
            if not whole and TEMPLATE_MARK not in address:
                raise ValueError(f"{address!r} is no e-mail address")
        return value

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> Self:
        if self.password is not None and self.mode == "insecure":
            raise ValueError("a password is not sent without encryption; use mode starttls or ssl")
        return self

    def deliver(self, message: Message) -> None:
        service = {
            "schema": "mailto" if self.mode == "insecure" else "mailtos",
            "host": self.host,
            "smtp_host": self.host,
            "port": self.port or PORTS[self.mode],
            "secure_mode": self.mode,
            "user": self.user,
            "password": self.password.get_secret_value() if self.password else None,
            "from_addr": self.sender,
            "targets": self.to[:1],
            "cc": self.to[1:],  # one mail to all: apprise would send one to each target, and again if one fails
            "format": "text",
        }
        send(service, message, name=f"The mail server {self.host}", seconds=self.timeout_seconds)
