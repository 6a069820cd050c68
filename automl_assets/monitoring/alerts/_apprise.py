"""Sending by the library apprise, which knows some 150 services."""

import logging
from typing import TYPE_CHECKING, Any

from automl_assets.core.errors import ConfigError, ProviderError
from automl_assets.monitoring.alerts._base import Message

if TYPE_CHECKING:
    from apprise import NotifyBase


def send(service: str | dict[str, Any], message: Message, *, name: str, seconds: float) -> None:
    """Send a message by one service.

    Args:
        service: apprise's URL, or its parts.
        name: what errors call the service; a URL may hold secrets.

    Raises:
        ConfigError: apprise knows no such service.
        ProviderError: the service did not take it, or not in time.
    """
    from apprise import Apprise, NotifyType

    kinds = {"info": NotifyType.INFO, "warning": NotifyType.WARNING, "critical": NotifyType.FAILURE}
    sender = Apprise()
    sender.add(instance(service, name=name, seconds=seconds))
    title = f"{message.pipeline}: {message.title}"
    result = sender.notify(
        body=message.body or message.title,
        title=title,
        notify_type=kinds[message.severity],
        body_format="text",
        timeout=seconds,
    )
    if not result:
        told = f"did not answer within {seconds:g} s" if result.status.name == "TIMEOUT" else "did not take the message"
        raise ProviderError(f"{name} {told}.", where=name, remedy="It is tried again later.")


def instance(service: str | dict[str, Any], *, name: str, seconds: float = 10.0) -> "NotifyBase":
    """The service as apprise sees it, which follows no redirects and keeps nothing on disk.

    Raises:
        ConfigError: apprise knows no such service.
    """
    from apprise import Apprise, AppriseAsset

    logging.getLogger("apprise").disabled = True  # its lines quote URLs, which hold secrets
    asset = AppriseAsset(app_id="automl-assets", app_desc="automl-assets", storage_mode="memory")
    found = Apprise.instantiate(service, asset=asset)
    if found is None:
        raise ConfigError(f"{name}: apprise knows no such service.", remedy="See appriseit.com for how URLs are made.")
    found.redirects = False
    found.socket_connect_timeout = found.socket_read_timeout = seconds / 2
    return found
