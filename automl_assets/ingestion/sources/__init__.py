"""Where tables come from. A new source is one new file here: a public class derived from `Source`."""

from automl_assets.core.registry import Registry
from automl_assets.ingestion.sources._base import Reading, Source

registry: Registry[Source] = Registry("automl_assets.ingestion.sources", Source, "source type")

__all__ = ["Reading", "Source", "registry"]
