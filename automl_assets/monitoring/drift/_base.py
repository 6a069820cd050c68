"""What a drift test is: which columns it compares, and the size of the difference that it sees between two sketches."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from automl_assets.core.evidence import Aspect
from automl_assets.core.sketches import Sketch


@dataclass(frozen=True)
class Measured:
    """A difference: its size, how likely one as large is by chance, and the numbers that explain it.

    No effect means that there was no answer, and `reason` says why.
    """

    effect: float | None
    p_value: float | None = None
    reason: str = ""
    details: Mapping[str, float] = field(default_factory=dict)


class DriftTest(ABC):
    """A two-sample test on sketches of one structure, its file's name.

    Class attributes: `roles`, the column roles that it compares; `aspect`, what of a column it looks at; `decides`,
    whether it can alarm or only describes; `least_effect`, the effect from which a difference matters; `least_rows`,
    below which there is no answer; `evidently_method`, Evidently's name for the same, and `evidently_gives`, which of
    the two numbers Evidently's value is.
    """

    roles: ClassVar[tuple[str, ...]]
    aspect: ClassVar[Aspect] = "distribution"
    decides: ClassVar[bool] = True
    least_effect: ClassVar[float] = 0.0
    least_rows: ClassVar[int] = 50
    evidently_method: ClassVar[str | None] = None
    evidently_gives: ClassVar[Literal["effect", "p_value"]] = "p_value"

    @classmethod
    def answer(cls, reference: Sketch, current: Sketch) -> Measured:
        """The difference, or why there is no answer: too few rows on a side, or nothing that can be compared."""
        rows = min(cls.compared(reference), cls.compared(current))
        if rows < cls.least_rows:
            return Measured(None, reason=f"insufficient data: {rows} values on one side")
        return cls.measure(reference, current)

    @classmethod
    def compared(cls, sketch: Sketch) -> int:
        """How many of a side's rows take part."""
        return sketch.known

    @classmethod
    @abstractmethod
    def measure(cls, reference: Sketch, current: Sketch) -> Measured:
        """The difference between two sides that have rows enough."""
