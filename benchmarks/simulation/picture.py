"""What happened when, against what was done to the data."""

from pathlib import Path
from typing import Any

from benchmarks.simulation.world import INJECTIONS

COLOURS = {
    "none": "#c8ccd0",
    "alert": "#e8a33d",
    "retrain": "#3b7dd8",
    "quarantine": "#c0392b",
    "review": "#8e5bb5",
    "rollback": "#7f5539",
    "promote": "#3a9d5d",
}


def draw(path: Path, verdicts: list[dict[str, Any]], history: dict[str, Any], reports: list[dict[str, Any]]) -> None:
    """Three rows over the weeks: what was done to the data, how good the champion was, and what was decided."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    weeks = range(1, len(verdicts) + 1)
    figure, (above, middle, below) = plt.subplots(
        3, 1, figsize=(11, 6.5), sharex=True, height_ratios=(2, 3, 1.6), layout="constrained"
    )
    for position, injection in enumerate(INJECTIONS):
        width = injection.last - injection.first + 1
        above.barh(position, width, left=injection.first - 0.5, color="#e7ecf3", edgecolor="#9aa7b8")
        above.text(injection.first - 0.4, position, injection.name, va="center", fontsize=9)
    above.set_yticks([])
    above.invert_yaxis()
    above.set_title("What was done to the data", loc="left", fontsize=10)
    _performance(middle, weeks, reports, verdicts)
    for week, verdict in zip(weeks, verdicts, strict=True):
        below.bar(week, 1, width=0.9, color=COLOURS[verdict["action"]])
        if verdict["action"] != "none":
            below.text(week, 0.5, verdict["action"], rotation=90, ha="center", va="center", fontsize=8, color="white")
    below.set_yticks([])
    below.set_title("What was decided, by the real daemon", loc="left", fontsize=10)
    below.set_xlabel("week after deployment")
    below.set_xlim(0.4, len(verdicts) + 0.6)
    below.set_xticks(list(weeks))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _performance(axes: Any, weeks: range, reports: list[dict[str, Any]], verdicts: list[dict[str, Any]]) -> None:
    measured = [(w, r["value"]) for w, r in zip(weeks, reports, strict=True) if r.get("value")]
    estimated = [(w, r["estimated"]) for w, r in zip(weeks, reports, strict=True) if r.get("estimated")]
    if measured:
        x = [week for week, _ in measured]
        axes.fill_between(
            x, [v["low"] for _, v in measured], [v["high"] for _, v in measured], color="#3b7dd8", alpha=0.15, lw=0
        )
        axes.plot(x, [v["value"] for _, v in measured], "o-", color="#3b7dd8", ms=4, label="measured, 95% interval")
    if estimated:
        x = [week for week, _ in estimated]
        axes.plot(x, [v["value"] for _, v in estimated], "--", color="#555555", lw=1, label="estimated without labels")
    champions = [verdict["champion"] for verdict in verdicts]
    for week in weeks[1:]:
        if champions[week - 1] != champions[week - 2]:
            axes.axvline(week - 0.5, color="#3a9d5d", lw=1)
            axes.text(week - 0.45, 0.02, f"version {champions[week - 1]}", transform=axes.get_xaxis_transform(),
                      fontsize=8, color="#3a9d5d")  # fmt: skip
    axes.set_title("How good the champion was (ROC AUC); green: a new champion", loc="left", fontsize=10)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 0.08), fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
