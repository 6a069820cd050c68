"""A column a category."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from automl_assets.learn.features.encoders._base import CategoryEncoder
from automl_assets.learn.features.target import FitContext

if TYPE_CHECKING:
    import numpy as np

MOST_ONE_HOT = 50
MOST_BESIDE_TARGET = 30
MANY = 64


@dataclass(frozen=True)
class OneHot(CategoryEncoder):
    """A column for each of the `width` most frequent categories, one for all others, one for missing.

    They are the 50 most frequent; 30 where a column of more than 64 categories has its target encoding beside them.
    """

    are_numbers: ClassVar[bool] = False

    width: int

    @classmethod
    def fit(cls, codes: "np.ndarray", size: int, context: FitContext) -> Self:
        beside = context.recipe.encoder == "auto" and context.target is not None and size > MANY
        return cls(min(size, MOST_BESIDE_TARGET if beside else MOST_ONE_HOT))

    def encode(self, codes: "np.ndarray", size: int) -> "np.ndarray":
        import numpy as np

        matrix = np.zeros((len(codes), self.width + 2), dtype=np.float32)
        column = np.where(codes < 0, self.width + 1, np.minimum(codes, self.width))
        matrix[np.arange(len(codes)), column] = 1
        return matrix

    def feature_names(self, column: str, categories: Sequence[str]) -> list[str]:
        shown = [f"{column} = {label}" for label in categories[: self.width]]
        return [*shown, f"{column} is another", f"{column} is missing"]
