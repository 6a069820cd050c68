"""Where predictions go. A new sink is one new file here: a public class derived from `Sink`."""

from automl_assets.core.registry import Registry
from automl_assets.serving.sinks._base import Sink, SinkReceipt

registry: Registry[Sink] = Registry("automl_assets.serving.sinks", Sink, "sink type")

__all__ = ["Sink", "SinkReceipt", "registry"]
