"""`engine: own` on a million rows a side: wall time and memory over the inputs; its figures beside the exact ones.

Every measurement runs in a process of its own; the peak is the resident set's, less what the process held after its
imports. The inputs are Parquet files and are never held whole.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import header, table

ROWS = 1_000_000
NUMERIC, CATEGORICAL = 24, 6
SHIFT = 0.05
REPEATS = 3
LIMIT_SECONDS, LIMIT_MB = 5.0, 500.0


def main() -> None:
    """Print time and memory, then the errors."""
    header(f"{ROWS:,} reference × {ROWS:,} current rows × {NUMERIC + CATEGORICAL} columns", "drift_speed")
    with tempfile.TemporaryDirectory(prefix="automl-benchmark-") as scratch:
        folder = Path(scratch)
        for side, seed in (("before", 0), ("now", 1)):
            _write(folder / f"{side}.parquet", seed)
        rows = [_timed(what, step, folder) for what, step in STEPS.items()]
        table(["what", "median s", "slowest s", "CPU s", f"peak MiB over imports (limit {LIMIT_MB:g})"], rows)
        print()
        table(["statistic", "against", "largest difference over the columns", "allowed"], _errors(folder))


def roles() -> dict[str, str]:
    """The columns of the tables that are compared."""
    numbers = {f"n{i}": "numeric" for i in range(NUMERIC)}
    return numbers | {f"c{i}": "categorical" for i in range(CATEGORICAL)}


def _write(path: Path, seed: int) -> None:
    """Normal, log-normal and whole numbers, and 5 to 500 labels; every fifth column lacks a tenth of its values."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    generator = np.random.default_rng(seed)
    columns = {}
    for i in range(NUMERIC):
        values = generator.normal(SHIFT * seed * (i % 2), 1, ROWS)
        values = (values, np.exp(values), np.round(values * 10))[i % 3]
        mask = generator.random(ROWS) < 0.1 if i % 5 == 0 else None
        columns[f"n{i}"] = pa.array(values, mask=mask)
    for i in range(CATEGORICAL):
        labels = pa.array([f"label {k}" for k in range((5, 10, 20, 50, 100, 500)[i])])
        codes = (generator.random(ROWS) ** 2 * len(labels)).astype(np.int64)
        columns[f"c{i}"] = labels.take(pa.array(codes))
    pq.write_table(pa.table(columns), path)


def build(folder: str) -> None:
    """The reference's sketch, from the file."""
    from automl_assets.core.tables import open_files
    from automl_assets.evaluation.reference import build_reference

    build_reference(open_files([Path(folder) / "before.parquet"]), roles(), Path(folder) / "reference")


def verdict(folder: str) -> None:
    """The verdict on the current file against the stored reference."""
    from automl_assets.monitoring.evidence import compare_with_reference
    from automl_assets.monitoring.judge import judge_drift

    current = str(Path(folder) / "now.parquet")
    report = judge_drift(compare_with_reference(f"{folder}/reference", [current], engine="own"))
    assert report.current_rows == ROWS


def both(folder: str) -> None:
    """The two together."""
    build(folder)
    verdict(folder)


STEPS = {"reference's sketch": "build", "verdict with it": "verdict", "both in one process": "both"}


def _timed(what: str, step: str, folder: Path) -> list[object]:
    command = [sys.executable, "-m", "benchmarks.drift_speed", step, str(folder)]
    runs = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(REPEATS)]
    seconds, peak = [run["seconds"] for run in runs], max(run["peak_mb"] for run in runs)
    over = " (over)" if median(seconds) > LIMIT_SECONDS or peak > LIMIT_MB else ""
    cpu = median(run["cpu_seconds"] for run in runs)
    return [what, f"{median(seconds):.2f}{over}", f"{max(seconds):.2f}", f"{cpu:.2f}", f"{peak:.0f}"]


def _run(step: str, folder: str) -> None:
    """One measurement, in this process: time and growth after the imports that a warm worker has made."""
    import lightgbm  # noqa: F401
    import numpy  # noqa: F401  # pandas and SciPy come with what follows
    import pyarrow.dataset
    import pyarrow.parquet  # noqa: F401
    import scipy.stats  # noqa: F401

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun, worked = time.perf_counter(), time.process_time()
    {"build": build, "verdict": verdict, "both": both}[step](folder)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - worked
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak}))


def _errors(folder: Path) -> list[list[object]]:
    """KS against SciPy's exact statistic; PSI and Jensen–Shannon against Evidently's functions on the same bins."""
    import numpy as np
    import pyarrow.parquet as pq
    from scipy import stats

    from automl_assets.core.tables import open_files
    from automl_assets.evaluation.reference import Reference
    from automl_assets.learn.split import numbers_of
    from automl_assets.monitoring.own_engine import count_rows, measure

    stored = Reference.load(folder / "reference")
    sketches = count_rows(stored, open_files([folder / "now.parquet"]), stored.features)
    found = {row["name"]: row for row in measure(stored, sketches) if row["aspect"] == "distribution"}
    worst = 0.0
    for name in (name for name, role in roles().items() if role == "numeric"):
        sides = (
            numbers_of(pq.read_table(folder / f"{s}.parquet", columns=[name]).column(0)) for s in ("before", "now")
        )
        before, now = (np.sort(values[~np.isnan(values)]) for values in sides)
        exact: Any = stats.ks_2samp(before, now, method="asymp")
        worst = max(worst, abs(found[name]["effect"] - exact.statistic))
    return [["KS", "SciPy's, on all rows", f"{worst:.2g}", "0.002"], *_binned(folder, found)]


def _binned(folder: Path, found: dict[str, dict[str, object]]) -> list[list[object]]:
    """Labels are bins that both sides share: Evidently's own numbers on all rows."""
    import warnings

    import pyarrow.parquet as pq

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently.legacy.calculations.stattests.jensenshannon import _jensenshannon
        from evidently.legacy.calculations.stattests.psi import _psi
        from evidently.legacy.core import ColumnType

    evidently: dict[str, Any] = {"psi_raw": _psi, "jensen_shannon": _jensenshannon}
    worst = dict.fromkeys(evidently, 0.0)
    for name in (name for name, role in roles().items() if role == "categorical"):
        sides = [
            pq.read_table(folder / f"{s}.parquet", columns=[name]).column(0).to_pandas() for s in ("before", "now")
        ]
        statistics = found[name]["statistics"]
        assert isinstance(statistics, dict)
        for key, exact in evidently.items():
            worst[key] = max(worst[key], abs(statistics[key] - exact(*sides, ColumnType.Categorical, 0.1)[0]))
    names = {"psi_raw": "PSI before correction", "jensen_shannon": "Jensen–Shannon"}
    return [
        [names[key], "Evidently's, on all rows, equal bins", f"{value:.2g}", "1e-06"] for key, value in worst.items()
    ]


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _run(sys.argv[1], sys.argv[2])
    else:
        main()
