"""The section `predictions`."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError

from automl_assets.core.config import Section
from automl_assets.core.errors import bounded
from automl_assets.serving.sinks import Sink, registry


def sink_from(value: Any) -> Any:
    """A sink of the plug-in that `type` names.

    Raises:
        ValueError: there is no `type`, no such plug-in, or it has no such setting. No value is repeated: it may be a
            secret.
    """
    if isinstance(value, Sink) or not isinstance(value, dict):
        return value
    kind = registry.of_type(value)
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        told = [f"{'.'.join(map(str, one['loc']))}: {_sentence(one['type'], one['msg'])}" for one in error.errors()]
        raise ValueError(f"{'; '.join(told)}; such a sink has {bounded(kind.model_fields)}") from None


def _sentence(kind: str, message: str) -> str:
    return "no such setting" if kind == "extra_forbidden" else message.removeprefix("Value error, ")


SinkField = Annotated[SerializeAsAny[Sink], BeforeValidator(sink_from)]


class PredictionsConfig(Section):
    """Where predictions go besides the table store."""

    sink: SinkField | None = Field(default=None, description="parquet, csv or sql; written after every scoring.")

    def located(self, folder: Path) -> Self:
        """The same with the sink's relative paths resolved against `folder`, the YAML file's."""
        return self if self.sink is None else self.model_copy(update={"sink": self.sink.located(folder)})
