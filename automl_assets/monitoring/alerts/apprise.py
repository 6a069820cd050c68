"""Any of apprise's services, by its URL: Teams, Discord, Telegram, PagerDuty, ntfy and so on (appriseit.com)."""

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from automl_assets.core.config import Secret
from automl_assets.monitoring.alerts._apprise import send
from automl_assets.monitoring.alerts._base import TEMPLATE_MARK, Channel, Message

BARE_HTTP = ("json", "jsons", "xml", "xmls", "form", "forms", "http", "https")


class Apprise(Channel):
    """A service that apprise knows. A plain HTTP endpoint is `webhook`, which checks where it connects to."""

    type: Literal["apprise"] = "apprise"
    url: Secret = Field(description="As apprise writes it, such as ntfys://topic; kept like a secret.")

    @field_validator("url")
    @classmethod
    def _of_a_service(cls, value: SecretStr) -> SecretStr:
        scheme, separator, rest = value.get_secret_value().partition("://")
        if TEMPLATE_MARK in scheme:
            return value
        if not separator or not rest:
            raise ValueError("it is no URL of apprise, such as ntfys://topic")
        if scheme.lower() in BARE_HTTP:
            raise ValueError(f"{scheme}:// goes to any address; write it as `type: webhook`")
        return value

    def deliver(self, message: Message) -> None:
        url = self.url.get_secret_value()
        send(url, message, name=f"apprise's {url.partition('://')[0]}", seconds=self.timeout_seconds)
