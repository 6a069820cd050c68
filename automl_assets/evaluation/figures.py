"""Small pictures for the UI and the registry: every PNG stays under 50 KB."""

from pathlib import Path
from typing import TYPE_CHECKING

from automl_assets.core.values import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (4.2, 3.2)
DPI = 90
MOST_BARS = 15
MOST_TICKS = 12
INK, ACCENT, PALE = "#1f2937", "#2563eb", "#cbd5e1"


def draw_figures(evaluation: Evaluation, classes: tuple[str, ...], folder: Path) -> list[Path]:
    """Draw what the kind of problem calls for into `folder`: importances, ROC or residuals, the confusion matrix."""
    drawn: list[Path] = []
    if evaluation.importances:
        drawn.append(_draw(folder / "importances.png", lambda ax: _importances(ax, evaluation)))
    if evaluation.roc:
        drawn.append(_draw(folder / "roc.png", lambda ax: _roc(ax, evaluation)))
    if evaluation.confusion:
        drawn.append(_draw(folder / "confusion.png", lambda ax: _confusion(ax, evaluation, classes)))
    if evaluation.residual_quantiles:
        drawn.append(_draw(folder / "residuals.png", lambda ax: _residuals(ax, evaluation)))
    return drawn


def _draw(path: Path, paint: "object") -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=8)
    paint(axes)  # type: ignore[operator]
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def _importances(axes: "Axes", evaluation: Evaluation) -> None:
    shown = list(evaluation.importances.items())[:MOST_BARS][::-1]
    axes.barh([_short(name) for name, _ in shown], [value for _, value in shown], color=ACCENT)
    axes.set_title(f"What shuffling a column costs ({evaluation.metric})", fontsize=9, color=INK)


def _roc(axes: "Axes", evaluation: Evaluation) -> None:
    axes.plot([0, 1], [0, 1], color=PALE, linewidth=1)
    axes.plot(*zip(*evaluation.roc, strict=True), color=ACCENT)
    axes.set_xlabel("false positive rate", fontsize=8)
    axes.set_ylabel("true positive rate", fontsize=8)
    axes.set_title(f"ROC on {evaluation.rows:,} holdout rows", fontsize=9, color=INK)


def _confusion(axes: "Axes", evaluation: Evaluation, classes: tuple[str, ...]) -> None:
    import numpy as np

    table = np.array(evaluation.confusion, dtype=float)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(classes) <= MOST_TICKS:
        axes.set_xticks(range(len(classes)), [_short(c, 10) for c in classes], rotation=45, ha="right")
        axes.set_yticks(range(len(classes)), [_short(c, 10) for c in classes])
        for (i, j), share in np.ndenumerate(shares):
            axes.text(
                j, i, f"{int(table[i, j])}", ha="center", va="center", fontsize=7, color="w" if share > 0.5 else INK
            )
    axes.set_xlabel("predicted", fontsize=8)
    axes.set_ylabel("true", fontsize=8)
    axes.set_title("Holdout rows", fontsize=9, color=INK)


def _residuals(axes: "Axes", evaluation: Evaluation) -> None:
    quantiles = evaluation.residual_quantiles
    shares = [i / (len(quantiles) - 1) for i in range(len(quantiles))]
    axes.axvline(0, color=PALE, linewidth=1)
    axes.plot(quantiles, shares, color=ACCENT)
    axes.set_xlabel("true minus predicted", fontsize=8)
    axes.set_ylabel("share of holdout rows below", fontsize=8)
    axes.set_title("Residuals", fontsize=9, color=INK)


def _short(text: str, most: int = 22) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
