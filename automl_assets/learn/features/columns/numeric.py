"""A number, and where training had missing ones a flag that says so."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from automl_assets.learn.features.cells import Cells
from automl_assets.learn.features.columns._base import OneColumn
from automl_assets.learn.features.target import FitContext

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class NumericEncoder(OneColumn):
    """The number, NaN for missing and infinite ones; beyond float32's range the largest of it."""

    role: ClassVar[str] = "numeric"

    indicates: bool

    @classmethod
    def fit(cls, name: str, cells: Cells, context: FitContext) -> Self:
        import numpy as np

        return cls(name, context.view, context.indicates and bool(np.isnan(cells.numbers).any()))

    def encode(self, cells: Cells) -> "np.ndarray":
        import numpy as np

        values = cells.numbers
        if not self.indicates:
            return values[:, None]
        both = np.empty((len(values), 2))
        both[:, 0] = values
        both[:, 1] = np.isnan(values)
        return both

    def feature_names(self) -> list[str]:
        return [self.name, f"{self.name} is missing"] if self.indicates else [self.name]

    def number_outputs(self) -> list[int]:
        return [0]

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The encoder; a document of before 0.2 says `indicates` in the view ``codes`` too, where it had no effect."""
        if "median" in document and document["view"] == "codes":
            document = {**document, "indicates": False, "scale": None}
        return super().from_json(document)
