"""The standard library's log."""

import logging
from typing import Literal

from automl_assets.monitoring.alerts._base import Channel, Message

LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.ERROR}


class Log(Channel):
    """A line in the log of the process that decided."""

    type: Literal["log"] = "log"

    def deliver(self, message: Message) -> None:
        logger = logging.getLogger("automl.alerts")
        logger.log(LEVELS[message.severity], "%s: %s: %s", message.pipeline, message.title, message.body)
