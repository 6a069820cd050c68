"""A Slack channel by its incoming webhook."""

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from automl_assets.core.config import Secret
from automl_assets.monitoring.alerts._apprise import send
from automl_assets.monitoring.alerts._base import TEMPLATE_MARK, Channel, Message

PREFIXES = ("https://hooks.slack.com/", "https://hooks.slack-gov.com/")


class Slack(Channel):
    """A message in the channel that the webhook belongs to."""

    type: Literal["slack"] = "slack"
    url: Secret = Field(description="The incoming webhook's URL, https://hooks.slack.com/services/….")

    @field_validator("url")
    @classmethod
    def _of_slack(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if TEMPLATE_MARK not in url and not url.startswith(PREFIXES):
            raise ValueError("it is no incoming webhook of Slack, https://hooks.slack.com/services/…")
        return value

    def deliver(self, message: Message) -> None:
        send(self.url.get_secret_value(), message, name="Slack", seconds=self.timeout_seconds)
