"""Alert channels. A new one is one new file here: a public class derived from `Channel`."""

from automl_assets.core.registry import Registry
from automl_assets.monitoring.alerts._base import Channel, Message, first_fault

registry: Registry[Channel] = Registry("automl_assets.monitoring.alerts", Channel, "alert channel")

__all__ = ["Channel", "Message", "first_fault", "registry"]
