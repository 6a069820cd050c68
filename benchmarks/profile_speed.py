"""`automl profile` on a large table: wall time and peak memory of the whole command."""

import tempfile
from pathlib import Path
from statistics import median

from benchmarks.command import automl
from benchmarks.machine import header, real_table, table

TABLE = "kddcup99_10pct"
REPEATS = 3


def main() -> None:
    """Print the median of three."""
    header("`automl profile` on 494,021 × 42", "profile_speed")
    folder = real_table(TABLE)
    if folder is None:
        return
    path = next(file for file in sorted(folder.iterdir()) if file.suffix in (".csv", ".gz"))
    with tempfile.TemporaryDirectory(prefix="automl-benchmark-") as scratch:
        runs = [automl(Path(scratch), "profile", str(path), "--json") for _ in range(REPEATS)]
    shape = f"{runs[0].document['rows']:,} × {len(runs[0].document['columns'])}"
    table(
        ["rows × columns", "median s", "slowest s", "peak MiB"],
        [[shape, f"{median(r.seconds for r in runs):.1f}", f"{max(r.seconds for r in runs):.1f}",
          f"{max(r.peak_mb for r in runs):.0f}"]],
    )  # fmt: skip


if __name__ == "__main__":
    main()
