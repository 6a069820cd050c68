"""What every section of a pipeline's configuration has in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A closed, frozen section: an unknown key is an error, and nothing changes after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def only_for_now(value: Any, allowed: Any, what: str) -> Any:
    """Refuse, with a sentence, a documented setting that this version does not act on yet.

    Raises:
        ValueError: `value` is not the one value that works today.
    """
    if value != allowed:
        raise ValueError(f"{what} is not supported by this version; leave it out.")
    return value
