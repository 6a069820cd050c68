"""Median and interquartile range, with outliers bent rather than cut."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl_assets.learn.features.scalers.robust import Robust

if TYPE_CHECKING:
    import numpy as np

BEND = 3.0


@dataclass(frozen=True)
class RobustSmooth(Robust):
    """Robust scaling, then ``x / sqrt(1 + (x / 3)²)``: within ±3, order kept (RealMLP, Holzmüller et al. 2024)."""

    def apply(self, values: "np.ndarray") -> "np.ndarray":
        import numpy as np

        centre, spread = self._arrays
        scaled = np.clip((values - centre) / spread, -1e9, 1e9)
        return scaled / np.sqrt(1 + (scaled / BEND) ** 2)
