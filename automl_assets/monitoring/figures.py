"""A small picture of what drifted: the reference and the batch side by side, under 50 KB."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_assets.core.evidence import Cause
from automl_assets.core.label_sketches import CategorySketch, TextSketch
from automl_assets.core.sketches import NumericSketch, Sketch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_PANELS = 4
MOST_BARS = 8
BINS = 24
PANEL = (3.2, 2.3)
DPI = 80
INK, REFERENCE, CURRENT = "#1f2937", "#94a3b8", "#2563eb"


def draw_causes(
    reference: Mapping[str, Sketch],
    current: Mapping[str, Sketch],
    causes: Sequence[Cause],
    path: Path,
    *,
    private: Sequence[str] = (),
) -> bool:
    """Draw the heaviest causes, at most four, into one PNG.

    A private column shows its missing share alone: no value of it enters a picture. False, and no file, where there
    is nothing to draw.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [c for c in causes if c.feature in reference and c.feature in current][:MOST_PANELS]
    if not shown:
        return False
    across = min(2, len(shown))
    down = -(-len(shown) // across)
    figure = Figure(figsize=(PANEL[0] * across, PANEL[1] * down), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    for position, cause in enumerate(shown, 1):
        axes = figure.add_subplot(down, across, position)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK, labelsize=7)
        _panel(axes, cause, reference[cause.feature], current[cause.feature], cause.feature in private)
        axes.set_title(_short(f"{cause.feature} ({cause.aspect.replace('_', ' ')})", 40), fontsize=8, color=INK)
    labelled = [axes for axes in figure.axes if axes.get_legend_handles_labels()[0]]
    if labelled:
        labelled[0].legend(fontsize=7, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return True


def _panel(axes: "Axes", cause: Cause, before: Sketch, now: Sketch, private: bool) -> None:
    if isinstance(before, TextSketch) and isinstance(now, TextSketch):
        before, now = before.lengths, now.lengths
    if private or cause.aspect == "missing":
        shares = [[side.missing / max(1, side.rows)] for side in (before, now)]
        _bars(axes, ["missing"], shares)
    elif isinstance(before, NumericSketch) and isinstance(now, NumericSketch):
        _lines(axes, before, now)
    elif isinstance(before, CategorySketch) and isinstance(now, CategorySketch):
        _labels(axes, before, now)


def _lines(axes: "Axes", before: NumericSketch, now: NumericSketch) -> None:
    """Shares by equal widths over the inner 99% of either side."""
    import numpy as np

    known = [side for side in (before, now) if side.known and len(side.edges)]
    if not known:
        return
    tails = np.array([side.quantiles(np.array([0.005, 0.995])) for side in known])
    low, high = float(tails.min()), float(tails.max())
    if now.moments.count:  # a batch beyond all edges of the reference is shown too
        low, high = min(low, now.moments.mean), max(high, now.moments.mean)
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    for side, colour, label in ((before, REFERENCE, "reference"), (now, CURRENT, "batch")):
        counts = np.diff(side.below(edges)) / max(1, side.known)
        axes.stairs(counts, edges, color=colour, label=label, fill=side is before, alpha=0.9)
    axes.set_ylabel("share of rows", fontsize=7)


def _labels(axes: "Axes", before: CategorySketch, now: CategorySketch) -> None:
    import numpy as np

    shares = np.vstack([side.cells / max(1, side.known) for side in (before, now)])
    top = np.argsort(-np.abs(shares[1] - shares[0]), kind="stable")[:MOST_BARS]
    top = top[(shares[:, top] > 0).any(axis=0)]
    names = ["none of the reference's", *before.labels]
    _bars(axes, [_short(names[i], 14) for i in top], shares[:, top])


def _bars(axes: "Axes", names: Sequence[str], shares: Any) -> None:
    import numpy as np

    x = np.arange(len(names))
    axes.bar(x - 0.2, shares[0], 0.4, color=REFERENCE, label="reference")
    axes.bar(x + 0.2, shares[1], 0.4, color=CURRENT, label="batch")
    axes.set_xticks(x, list(names), rotation=30 if len(names) > 3 else 0, ha="right" if len(names) > 3 else "center")
    axes.set_ylabel("share of rows", fontsize=7)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
