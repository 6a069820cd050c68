"""How common the category is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from automl_assets.learn.features._stored import Packed
from automl_assets.learn.features.encoders._base import CategoryEncoder
from automl_assets.learn.features.target import FitContext

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Count(CategoryEncoder):
    """The category's share of the training rows: 0 where unseen, the share of missing cells where missing."""

    shares: Packed

    @classmethod
    def fit(cls, codes: "np.ndarray", size: int, context: FitContext) -> Self:
        import numpy as np

        counts = np.bincount(np.where(codes < 0, size + 1, codes), minlength=size + 2).astype(float)
        counts[size] = 0
        return cls(Packed.of(counts / max(1, len(codes)), "f4"))

    def encode(self, codes: "np.ndarray", size: int) -> "np.ndarray":
        return self.shares.array[codes][:, None]

    def feature_names(self, column: str, categories: Sequence[str]) -> list[str]:
        return [f"{column} share"]
