"""How far confidence-based estimates of ROC AUC are from the truth on stationary windows of 2,000 rows of real tables.

Rows are shuffled, so that every window is like the training rows. A model by AutoML with its default families learns
from a third, a fifth of the rest is the holdout that tells the estimate's bias, and the rest are windows. Beside the
error stands what no estimate can avoid: how far a window's measured ROC AUC is from the mean over windows.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from benchmarks.machine import header, real_table, table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

WINDOW_ROWS = 2_000
TRAIN_SHARE = 1 / 3
HOLDOUT_SHARE = 0.2
BUDGET_SECONDS = 30
LEAST_OF_A_CLASS = 50
LIMIT = 0.03


@dataclass(frozen=True)
class Table:
    """A table, its target, columns that give the target away, and how its files are written."""

    name: str
    target: str
    leaks: tuple[str, ...] = ()
    separator: str = ","


TABLES = (
    Table("adult_census", "Income"),
    Table("bank_marketing", "y", ("duration",), ";"),
    Table("hotel_bookings", "is_canceled", ("reservation_status", "reservation_status_date")),
    Table("hr_attrition", "left"),
    Table("elec2", "class"),
    Table("covertype_sample", "Cover_Type"),
    Table("sleep_stages", "target", (), "\t"),
)


@dataclass(frozen=True)
class Found:
    """Mean absolute errors over a table's windows."""

    windows: int
    realised: float
    estimated: float
    corrected: float
    chance: float
    covered: float


def main() -> None:
    """Print a row a table, and the mean over tables."""
    header(f"Estimated ROC AUC, stationary windows of {WINDOW_ROWS:,} rows", "estimated_performance")
    found: dict[str, Found] = {}
    for described in TABLES:
        folder = real_table(described.name)
        if folder is not None:
            found[described.name] = _measure(_read(folder, described), described.target)
            print(described.name, found[described.name], file=sys.stderr, flush=True)
    columns = ["table", "windows", "mean ROC AUC", "estimate's MAE", "less the holdout's bias", "sampling alone"]
    rows: list[list[object]] = [_row(name, f) for name, f in found.items()]
    if found:
        rows.append(["mean", sum(f.windows for f in found.values()), "", *_means(list(found.values())), ""])
    table([*columns, "windows within the 95% band"], rows)
    print(f"\nThe limit is {LIMIT}.")


def _row(name: str, f: Found) -> list[object]:
    errors = (f"{f.estimated:.4f}", f"{f.corrected:.4f}", f"{f.chance:.4f}")
    return [name, f.windows, f"{f.realised:.4f}", *errors, f"{f.covered:.0%}"]


def _means(found: Sequence[Found]) -> list[str]:
    of = [(f.estimated, f.corrected, f.chance) for f in found]
    return [f"{mean(values):.4f}" for values in zip(*of, strict=True)]


def _read(folder: Path, described: Table) -> "pd.DataFrame":
    """All files of a table, shuffled, without the columns that give the target away, and without rare classes."""
    import numpy as np
    import pandas as pd

    files = sorted(file for file in folder.iterdir() if file.suffix in (".csv", ".gz"))
    frame = pd.concat([pd.read_csv(file, sep=described.separator) for file in files])
    _, codes, counts = np.unique(frame[described.target].to_numpy(), return_inverse=True, return_counts=True)
    usable = np.flatnonzero(counts[codes] >= LEAST_OF_A_CLASS)
    order = np.random.default_rng(0).permutation(usable)
    return frame.drop(columns=list(described.leaks)).iloc[order].reset_index(drop=True)


def _measure(frame: "pd.DataFrame", target: str) -> Found:
    import numpy as np

    from automl_assets import AutoMLClassifier
    from automl_assets.evaluation.expectations import build_expectations
    from automl_assets.learn.score import METRICS
    from automl_assets.monitoring.estimate import estimate_performance

    metric = METRICS["roc_auc"]
    cut = int(TRAIN_SHARE * len(frame))
    held = cut + int(HOLDOUT_SHARE * (len(frame) - cut))
    X, labels = frame.drop(columns=[target]), frame[target]
    model = AutoMLClassifier(time_budget_seconds=BUDGET_SECONDS, seed=0).fit(X[:cut], labels[:cut])
    y = np.searchsorted(model.classes_, labels.to_numpy())
    predicted = model.predict_proba(X)
    expected = build_expectations("roc_auc", y[cut:held], predicted[cut:held], target=y[:cut])
    starts = range(held, len(frame) - WINDOW_ROWS + 1, WINDOW_ROWS)
    rows: list[tuple[float, float, float, bool]] = []
    for window in (slice(start, start + WINDOW_ROWS) for start in starts):
        truth = metric(y[window], predicted[window])
        plain = estimate_performance("roc_auc", predicted[window], None, tolerance=0.02).value
        less = estimate_performance("roc_auc", predicted[window], expected, tolerance=0.02).value
        assert plain is not None
        assert less is not None
        rows.append((truth, plain.value, less.value, less.low <= truth <= less.high))
    truths, plain, less, covered = (np.array(values, dtype=float) for values in zip(*rows, strict=True))
    return Found(
        windows=len(rows),
        realised=truths.mean(),
        estimated=_distance(plain, truths),
        corrected=_distance(less, truths),
        chance=_distance(truths, truths.mean()),
        covered=covered.mean(),
    )


def _distance(a: "np.ndarray", b: "np.ndarray | float") -> float:
    return float(abs(a - b).mean())


if __name__ == "__main__":
    main()
