"""What a category encoder is: codes in, columns out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from automl_assets.learn.features._stored import Stored
from automl_assets.learn.features.target import FitContext

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class CategoryEncoder(Stored, ABC):
    """Makes columns of codes: 0 … size-1 for the known categories, size for an unseen one, -1 for missing."""

    are_numbers: ClassVar[bool] = True

    @classmethod
    @abstractmethod
    def fit(cls, codes: "np.ndarray", size: int, context: FitContext) -> Self:
        """Learn from the codes of the training rows.

        Raises:
            ConfigError: it needs a target, and there is none.
        """

    @abstractmethod
    def encode(self, codes: "np.ndarray", size: int) -> "np.ndarray":
        """float32 (rows, len(feature_names))."""

    @abstractmethod
    def feature_names(self, column: str, categories: Sequence[str]) -> list[str]:
        """A name for each output column."""

    def encode_training(self, codes: "np.ndarray", size: int, context: FitContext) -> "np.ndarray":
        """`encode` of the training rows, without what a row's own target taught."""
        return self.encode(codes, size)
