"""Shares by bin, binned as Evidently bins: log2(n) + 1 equal widths over both sides, or one bin a distinct value."""

from typing import TYPE_CHECKING

from automl_assets.core.label_sketches import CategorySketch
from automl_assets.core.sketches import NumericSketch, Sketch

if TYPE_CHECKING:
    import numpy as np

MOST_DISTINCT = 20
LEAST_SHARE = 0.0001


def binned(reference: Sketch, current: Sketch) -> "tuple[np.ndarray, np.ndarray]":
    """Rows by bin on both sides; bins that are empty on both are left out where each is a value of its own."""
    import numpy as np

    if isinstance(reference, NumericSketch) and isinstance(current, NumericSketch):
        if int((reference.cells > 0).sum()) > MOST_DISTINCT or reference.cells[0::2].any():
            return _histograms(reference, current)
        return _values(reference.cells, current.cells)
    if isinstance(reference, CategorySketch) and isinstance(current, CategorySketch):
        return _values(reference.cells, current.cells)
    nothing = np.empty(0)
    return nothing, nothing


def _values(a: "np.ndarray", b: "np.ndarray") -> "tuple[np.ndarray, np.ndarray]":
    either = (a > 0) | (b > 0)
    return a[either], b[either]


def _histograms(reference: NumericSketch, current: NumericSketch) -> "tuple[np.ndarray, np.ndarray]":
    """Sturges' bins over both sides' range; `numpy.histogram_bin_edges` counts as many."""
    import numpy as np

    low = min(reference.moments.minimum, current.moments.minimum)
    high = max(reference.moments.maximum, current.moments.maximum)
    bins = int(np.ceil(np.log2(reference.known + current.known) + 1))
    edges = np.linspace(low, high, bins + 1)
    return binned_at(reference, edges), binned_at(current, edges)


def binned_at(sketch: NumericSketch, edges: "np.ndarray") -> "np.ndarray":
    """Rows by bin, half open but for the last; exact where the bins' edges are edges of the sketch."""
    import numpy as np

    below = sketch.below(edges)
    below[-1] = sketch.up_to(float(edges[-1]))
    return np.diff(below)


def shares(counts: "np.ndarray", *, fill: bool) -> "np.ndarray":
    """Counts over their sum; `fill` puts Evidently's small share in the place of 0."""
    import numpy as np

    found = counts / counts.sum()
    if fill:
        least = found[found > 0].min()
        found = np.where(found == 0, least / 1e6 if least <= LEAST_SHARE else LEAST_SHARE, found)
    return found
