"""Centre and spread, from whichever statistics."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from automl_assets.learn.features.scalers._base import Floats, Scaler, side_by_side

if TYPE_CHECKING:
    import numpy as np

MOST_SPREADS = 10.0


@dataclass(frozen=True)
class Affine(Scaler):
    """``(value - centre) / spread``; values beyond ten spreads are clipped."""

    centre: Floats
    spread: Floats

    @classmethod
    def joined(cls, scalers: Sequence[Any]) -> Self:
        return cls(side_by_side([s.centre for s in scalers]), side_by_side([s.spread for s in scalers]))

    @cached_property
    def _arrays(self) -> "tuple[np.ndarray, np.ndarray]":
        import numpy as np

        return np.atleast_1d(np.array(self.centre, dtype=float)), np.atleast_1d(np.array(self.spread, dtype=float))

    def apply(self, values: "np.ndarray") -> "np.ndarray":
        import numpy as np

        centre, spread = self._arrays
        return np.minimum(np.maximum((values - centre) / spread, -MOST_SPREADS), MOST_SPREADS)


def usable(spread: "np.ndarray", otherwise: "np.ndarray | float" = 1.0) -> "np.ndarray":
    """The spreads, another where one is next to nothing or not finite."""
    import numpy as np

    return np.where(np.isfinite(spread) & (spread > 1e-12), spread, otherwise)
