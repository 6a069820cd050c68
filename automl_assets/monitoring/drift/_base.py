"""What a drift test is: which columns it compares, and the size of the difference that it sees."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import pyarrow as pa


class DriftTest(ABC):
    """A two-sample test, its file's name.

    Class attributes: `roles`, the column roles that it compares; `evidently_method`, the name of the Evidently test
    whose value is the p-value; `least_effect`, the effect from which a difference matters.
    """

    roles: ClassVar[tuple[str, ...]]
    evidently_method: ClassVar[str]
    least_effect: ClassVar[float]

    @classmethod
    @abstractmethod
    def effect(cls, reference: "pa.ChunkedArray", current: "pa.ChunkedArray") -> float:
        """The size of the difference between two columns without missing values, from 0 (none) to 1."""
