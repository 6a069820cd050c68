"""The rank by frequency."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from automl_assets.learn.features.encoders._base import CategoryEncoder
from automl_assets.learn.features.target import FitContext

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Ordinal(CategoryEncoder):
    """The category's rank, 0 for the most frequent; their number where unseen, missing where missing."""

    @classmethod
    def fit(cls, codes: "np.ndarray", size: int, context: FitContext) -> Self:
        return cls()

    def encode(self, codes: "np.ndarray", size: int) -> "np.ndarray":
        import numpy as np

        return np.where(codes < 0, np.nan, codes).astype(np.float32)[:, None]

    def feature_names(self, column: str, categories: Sequence[str]) -> list[str]:
        return [column]
