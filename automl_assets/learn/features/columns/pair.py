"""Two numbers as one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from automl_assets.learn.features.cells import LARGEST, Rows
from automl_assets.learn.features.columns._base import ColumnEncoder
from automl_assets.learn.features.recipe import View

if TYPE_CHECKING:
    import numpy as np

Operation = Literal["difference", "ratio", "product"]
SIGNS: dict[str, str] = {"difference": "−", "ratio": "/", "product": "·"}


@dataclass(frozen=True)
class PairEncoder(ColumnEncoder):
    """The difference, ratio or product of two numeric columns; missing where either is, or the divisor is 0."""

    operation: Operation
    of: tuple[str, ...]

    @classmethod
    def between(cls, first: str, second: str, operation: Operation, view: View) -> Self:
        """The pair, named as a formula."""
        return cls(f"{first} {SIGNS[operation]} {second}", view, operation, (first, second))

    @property
    def source(self) -> str:
        return " × ".join(self.of)

    def encode_rows(self, rows: Rows) -> "np.ndarray":
        return combined(rows[self.of[0]].numbers, rows[self.of[1]].numbers, self.operation)[:, None]

    def feature_names(self) -> list[str]:
        return [self.name]


def combined(first: "np.ndarray", second: "np.ndarray", operation: Operation) -> "np.ndarray":
    """float64 (rows,), within float32's range or NaN."""
    import numpy as np

    with np.errstate(all="ignore"):
        if operation == "difference":
            found = first - second
        elif operation == "product":
            found = first * second
        else:
            found = np.where(second == 0, np.nan, first / second)
        return np.where(np.isnan(found), np.nan, np.clip(found, -LARGEST, LARGEST))
