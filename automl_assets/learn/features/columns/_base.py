"""What an encoder of a column is: learns from training cells, gives the same columns ever after, and is JSON."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

from automl_assets.learn.features._stored import Stored
from automl_assets.learn.features.cells import Cells, Rows
from automl_assets.learn.features.recipe import View
from automl_assets.learn.features.scalers import Scaler, registry
from automl_assets.learn.features.target import FitContext

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class ColumnEncoder(Stored, ABC):
    """What was learnt about one column in one view.

    `encode_rows` gives numbers as they are, NaN where missing: imputing and scaling come after, for all columns at
    once. `scale` is how its numbers are scaled in the view ``dense``; the encoder of the whole table sets it.
    """

    role: ClassVar[str] = ""

    name: str
    view: View
    scale: Scaler | None = field(default=None, kw_only=True)

    @abstractmethod
    def encode_rows(self, rows: Rows) -> "np.ndarray":
        """A float32 or float64 matrix of shape (rows, len(self.feature_names()))."""

    @abstractmethod
    def feature_names(self) -> list[str]:
        """A name for each output column."""

    @property
    def source(self) -> str:
        """The raw column that it reads; ``a × b`` for two."""
        return self.name

    def encode_training(self, rows: Rows, context: FitContext) -> "np.ndarray":
        """`encode_rows` of the rows that it was fitted on, without what a row's own target taught."""
        return self.encode_rows(rows)

    def number_outputs(self) -> list[int]:
        """Which outputs are numbers, to be imputed and scaled; the others are codes or flags."""
        return list(range(len(self.feature_names())))

    def category_outputs(self) -> list[int]:
        """Which outputs hold category codes that a tree may treat as such."""
        return []

    def nominal_outputs(self) -> list[int]:
        """Which outputs hold category codes, however many categories there are."""
        return []

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The encoder that `to_json` described."""
        scale = document.get("scale")
        if isinstance(scale, dict):
            scale = registry.get(scale.get("kind", "standard")).from_json(scale)
        return super().from_json({**document, "scale": scale})


@dataclass(frozen=True)
class OneColumn(ColumnEncoder):
    """An encoder of one column of a role."""

    @classmethod
    @abstractmethod
    def fit(cls, name: str, cells: Cells, context: FitContext) -> Self:
        """Learn from the training rows."""

    @abstractmethod
    def encode(self, cells: Cells) -> "np.ndarray":
        """A float32 or float64 matrix of shape (rows, len(self.feature_names()))."""

    def encode_rows(self, rows: Rows) -> "np.ndarray":
        return self.encode(rows[self.name])
