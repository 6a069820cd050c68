"""What every section of a pipeline's configuration has in common."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer, SecretStr, SerializationInfo

REVEAL = "reveal_secrets"


class Section(BaseModel):
    """A closed, frozen section: an unknown key is an error, and nothing changes after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _written(value: SecretStr, info: SerializationInfo) -> str:
    written = value.get_secret_value()
    return written if "{{" in written or (info.context or {}).get(REVEAL) else str(value)


Secret = Annotated[SecretStr, PlainSerializer(_written, return_type=str, when_used="json")]
"""Shown and written as asterisks, but for a template that the environment has still to fill in, which is no secret.

``model_dump(mode="json", context={REVEAL: True})`` writes it out.
"""


def only_for_now(value: Any, allowed: Any, what: str) -> Any:
    """Refuse, with a sentence, a documented setting that this version does not act on yet.

    Raises:
        ValueError: `value` is not the one value that works today.
    """
    if value != allowed:
        raise ValueError(f"{what} is not supported by this version; leave it out.")
    return value
