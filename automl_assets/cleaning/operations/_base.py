"""What a cleaning operation is: one column in, one out, accepted with what it learnt or rejected with a reason."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from automl_assets.core.values import ColumnType

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class About:
    """What an operation may know besides the column: its name and role, and earlier columns by digest.

    `may_retype`: nobody stated the column's role, so its type may change.
    """

    name: str
    role: str
    earlier_digests: Mapping[str, str] = field(default_factory=dict)
    may_retype: bool = True


@dataclass(frozen=True)
class Accepted:
    """The operation applies: what it learnt, why, how many training cells it changes, and how sure it is (0 to 1)."""

    params: dict[str, Any]
    reason: str
    changed: int
    confidence: float = 1.0


@dataclass(frozen=True)
class Rejected:
    """The operation does not apply to this column, and why."""

    reason: str


class Operation(ABC):
    """A cleaning operation, its file's name.

    Class attributes: `order`, its place in a local plan; `structural`, whether it drops or retypes the column, which
    `automl clean` does on request only; `types`, the column types that it looks at; `role_after`, the role of the
    column that it gives, None where that stays.
    """

    order: ClassVar[int]
    structural: ClassVar[bool] = False
    types: ClassVar[tuple[ColumnType, ...]] = ("text",)
    role_after: ClassVar[str | None] = None

    @classmethod
    @abstractmethod
    def fit(cls, column: "pa.ChunkedArray", about: About) -> Accepted | Rejected:
        """Learn from a training column."""

    @classmethod
    @abstractmethod
    def transform(cls, column: "pa.ChunkedArray", params: Mapping[str, Any]) -> "pa.ChunkedArray | None":
        """The column after the operation, None when it is dropped. Stateless: any batch size gives the same cells."""


def over_distinct(column: "pa.ChunkedArray", function: Any) -> "pa.ChunkedArray":
    """`function` of the column's distinct values, spread over its rows again: cost grows with variety, not length."""
    import pyarrow as pa

    coded = column.combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    values = function(coded.dictionary)
    return pa.chunked_array([values.take(coded.indices)])


def count_true(mask: "pa.ChunkedArray | pa.Array") -> int:
    """How many entries are true."""
    import pyarrow.compute as pc

    return pc.sum(mask).as_py() or 0
