"""Who did better: values, mean ranks, and wins whose paired bootstrap interval over the test rows excludes zero."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Any

from benchmarks.machine import SHARED, table

if TYPE_CHECKING:
    import numpy as np

OURS, RIVAL = "automl-assets", "autogluon"
RECORDED = SHARED.parent / "bench" / "peers_60s.jsonl"
RESAMPLES = 1_000


def standings(rows: Sequence[Mapping[str, Any]], tables: Mapping[str, Any], predictions: Path, budget: float) -> None:
    """Print the values, the ranks, the comparison with AutoGluon, and what each system cost."""
    rows = [row for row in rows if row["table"] in tables and row["budget"] == budget]
    systems = sorted({row["peer"] for row in rows}, key=lambda name: (name != OURS, name))
    if systems == [OURS]:
        rows, systems = _with_recorded(rows, tables)
    higher = {name: tables[name].task == "binary" for name in tables}
    values = {(r["table"], r["peer"]): [q["value"] for q in _of(rows, r["table"], r["peer"])] for r in rows}
    lines: list[list[object]] = []
    ranks: dict[str, list[float]] = {system: [] for system in systems}
    for name in tables:
        found = {s: _mean(values.get((name, s), [])) for s in systems}
        for system, rank in _ranks(found, higher[name]).items():
            ranks[system].append(rank)
        lines.append([name, *(_text(found[s]) for s in systems), _verdict(rows, tables[name], predictions)])
    lines.append(["**mean rank**", *(f"{mean(ranks[s]):.2f}" for s in systems), ""])
    table(["table", *systems, f"against {RIVAL}: wins, losses by seed"], lines)
    print()
    table(
        [
            "system",
            "slowest fit s",
            "failed",
            "median row ms",
            "slowest row ms",
            "largest peak MiB (PSS)",
            "largest model MB",
        ],
        [_costs(system, [row for row in rows if row["peer"] == system]) for system in systems],
    )


def _of(rows: Sequence[Mapping[str, Any]], name: str, system: str) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["table"] == name and row["peer"] == system]


def _with_recorded(
    rows: Sequence[Mapping[str, Any]], tables: Mapping[str, Any]
) -> tuple[list[Mapping[str, Any]], list[str]]:
    """Ours beside the peers' recorded run, for orientation: their times are of another run."""
    known = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    known = [{**row, "table": row["train"].removesuffix("_train.csv")} for row in known]
    known = [row for row in known if row["table"] in tables]
    return [*rows, *known], [OURS, *sorted({row["peer"] for row in known})]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known and len(known) == len(values) else None


def _text(value: float | None) -> str:
    return "failed" if value is None else f"{value:.5g}"


def _ranks(found: Mapping[str, float | None], higher: bool) -> dict[str, float]:
    """1 for the best; what failed shares the last place."""
    worst = float("inf")
    losses = {s: worst if v is None else -v if higher else v for s, v in found.items()}
    return {
        s: 1 + sum(other < mine for other in losses.values()) + 0.5 * (sum(o == mine for o in losses.values()) - 1)
        for s, mine in losses.items()
    }


def _verdict(rows: Sequence[Mapping[str, Any]], one: Any, predictions: Path) -> str:
    """How many seeds we surely won and lost against AutoGluon; a failure of theirs is a win."""
    wins = losses = pairs = 0
    for row in _of(rows, one.name, OURS):
        for rival in _of(rows, one.name, RIVAL):
            if rival.get("seed") != row.get("seed"):
                continue
            pairs += 1
            if rival["value"] is None:
                wins += 1
                continue
            low, high = _gain(one, predictions, row, rival)
            wins, losses = wins + (low > 0), losses + (high < 0)
    return f"{wins}, {losses} of {pairs}" if pairs else ""


def _gain(one: Any, predictions: Path, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[float, float]:
    """The 95% interval of how much better we are on resampled test rows; (0, 0) where predictions were not kept."""
    import numpy as np
    import pandas as pd

    from automl_assets.learn.score import bootstrap, metric_named

    files = [predictions / f"{row['key']}.npy" for row in (ours, theirs) if "key" in row]
    if len(files) < 2 or not all(file.exists() for file in files):
        return 0.0, 0.0
    target = pd.read_csv(one.folder / f"{one.name}_test.csv")[one.target]
    y = target.to_numpy(dtype=float) if one.task == "regression" else np.unique(target, return_inverse=True)[1]
    metric = metric_named({"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}[one.task])
    pair = [_clipped(np.load(file), one.task) for file in files]
    found = bootstrap(metric, y, pair, resamples=RESAMPLES)
    gain = (found[:, 0] - found[:, 1]) * (1 if metric.higher_is_better else -1)
    low, high = np.quantile(gain, [0.025, 0.975])
    return float(low), float(high)


def _clipped(predicted: "np.ndarray", task: str) -> "np.ndarray":
    import numpy as np

    if task == "regression":
        return predicted.ravel()
    clipped = np.clip(predicted, 1e-15, 1)
    return clipped / clipped.sum(axis=1, keepdims=True)


def _costs(system: str, rows: Sequence[Mapping[str, Any]]) -> list[object]:
    def found(key: str) -> list[float]:
        return [row[key] for row in rows if row.get(key) is not None]

    singles, fits = found("predict_row_ms"), found("fit_seconds")
    return [
        system,
        f"{max(fits):.1f}" if fits else "",
        sum(row["value"] is None for row in rows),
        f"{median(singles):.1f}" if singles else "",
        f"{max(singles):.1f}" if singles else "",
        f"{max(found('peak_pss_mb'), default=0):.0f}",
        f"{max(found('disk_mb'), default=0):.1f}",
    ]
