"""What a quality rule is: it looks at one column and says how many cells break it, and what that costs."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from automl_assets.core.values import ColumnType, Severity

if TYPE_CHECKING:
    import pyarrow as pa

Component = Literal["completeness", "validity", "consistency", "uniqueness"]
MOST_EXAMPLES = 3


@dataclass(frozen=True)
class ColumnFacts:
    """A column and what is already known of it. `coded` is the column dictionary-encoded when it holds text.

    `counts` gives the rows of each dictionary value.
    """

    name: str
    type: ColumnType
    role: str
    column: "pa.ChunkedArray"
    missing: int
    distinct: int
    values: "pa.Array | None" = None
    counts: "pa.Array | None" = None

    @property
    def filled(self) -> int:
        """Cells that are not missing."""
        return len(self.column) - self.missing


@dataclass(frozen=True)
class Violation:
    """How many cells of a column break a rule; `examples` are values, shown only where the column's role allows."""

    count: int
    severity: Severity
    advice: str
    examples: tuple[str, ...] = ()


class Rule(ABC):
    """A quality rule, its file's name. `component` is what its violations cost, None where they cost nothing."""

    component: ClassVar[Component | None]

    @classmethod
    @abstractmethod
    def check(cls, facts: ColumnFacts) -> Violation | None:
        """The violation, or None where the column keeps the rule or is none of its business."""


def rows_where(facts: ColumnFacts, mask: "pa.Array") -> int:
    """How many rows hold one of the distinct values that `mask` marks."""
    import pyarrow.compute as pc

    assert facts.counts is not None
    return pc.sum(facts.counts.filter(pc.fill_null(mask, False))).as_py() or 0


def examples_of(values: "pa.Array") -> tuple[str, ...]:
    """The first few values, each at most 40 characters."""
    return tuple(str(value)[:40] for value in values.slice(0, MOST_EXAMPLES).to_pylist())
