"""The section `quality`."""

from pydantic import Field

from automl_assets.core.config import Section


class QualityConfig(Section):
    """What a batch must fulfil beyond the built-in checks."""

    contract: str | None = Field(
        default=None, description="A data contract in YAML, as `automl profile --contract` suggests."
    )
