"""A column that repeats another is dropped."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from automl_assets.cleaning.operations._base import About, Accepted, Operation, Rejected

if TYPE_CHECKING:
    import pyarrow as pa


class DropDuplicate(Operation):
    """A column equal to an earlier one in every training row is dropped."""

    order = 90
    structural = True
    types = ("integer", "number", "boolean", "datetime", "text")

    @classmethod
    def fit(cls, column: "pa.ChunkedArray", about: About) -> Accepted | Rejected:
        first = about.earlier_digests.get(column_digest(column))
        if first is None:
            return Rejected("no earlier column is equal")
        return Accepted({"same_as": first}, f"it equals the column {first!r}", len(column))

    @classmethod
    def transform(cls, column: "pa.ChunkedArray", params: Mapping[str, Any]) -> None:
        return None


def column_digest(column: "pa.ChunkedArray") -> str:
    """A digest of the column's values in order; numbers that are equal as integers and as floats digest alike."""
    import hashlib

    from automl_assets.learn.split import hash_values

    return hashlib.blake2b(hash_values(column.combine_chunks()).tobytes(), digest_size=16).hexdigest()
