"""What an alert channel is: a closed configuration that delivers a message, or says why it could not.

A message leaves the machine. It carries names of pipelines, batches and columns, numbers and reasons; never a cell's
value, so nothing of a private column, and never a secret.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from pydantic import ConfigDict, Field, ValidationError

from automl_assets.core.config import Section
from automl_assets.core.errors import unknown_name
from automl_assets.core.evidence import Severity

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
TEMPLATE_MARK = "{{"


@dataclass(frozen=True)
class Message:
    """What a person reads. `key` identifies it: a channel that is told twice may drop the second."""

    pipeline: str
    severity: Severity
    title: str
    body: str
    key: str
    at: datetime


def first_fault(error: ValidationError, known: Iterable[str]) -> str:
    """What is wrong with a channel's configuration, without quoting it: it may hold secrets.

    Args:
        known: the keys that the channel has.
    """
    told = error.errors(include_input=False, include_url=False, include_context=False)[0]
    key = ".".join(str(part) for part in told["loc"])
    if told["type"] == "extra_forbidden":
        unknown = unknown_name("key", key, known)
        return f"{unknown.message} {unknown.remedy}"
    message = told["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{key}: {message}" if key else message


class Channel(Section, ABC):
    """A channel's configuration; its file's name is its `type` in YAML."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    timeout_seconds: ClassVar[float] = 10.0

    type: Any
    least_severity: Severity = Field(default="info", description="What is less severe is not sent here.")

    def wants(self, severity: Severity) -> bool:
        """Whether a message of this severity is sent here."""
        return SEVERITIES.index(severity) >= SEVERITIES.index(self.least_severity)

    @abstractmethod
    def deliver(self, message: Message) -> None:
        """Send it, within `timeout_seconds`.

        Raises:
            ProviderError: it was not taken; the sender tries again later.
        """
