"""`automl init` and `automl run` on real tables at a 60-s budget, beside the linear baseline on the same holdout.

The linear baseline is scaled, one-hot encoded and regularised by cross-validation. Nothing was tuned on these tables.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.command import automl
from benchmarks.machine import header, real_table, table

TABLES = {"telco_churn": "Churn", "ames": "price", "wine_white": "quality"}
SEEDS = (0, 1, 2)
BUDGET_SECONDS = 60
LIMIT_SECONDS = 63.0


def main() -> None:
    """Print a row a table and seed."""
    header(f"Models against a linear baseline, {BUDGET_SECONDS}-s budget", "against_linear")
    rows: list[list[object]] = []
    for name, target in TABLES.items():
        folder = real_table(name)
        if folder is None:
            continue
        for seed in SEEDS:
            rows.append(_row(name, next(folder.glob("*.csv*")), target, seed))
            print(rows[-1], file=sys.stderr, flush=True)
    columns = ["table", "seed", "metric", "model", "linear", "gain, 95% interval", "tuning + training s", "run s"]
    table([*columns, "peak MiB"], rows)


def _row(name: str, path: Path, target: str, seed: int) -> list[object]:
    with tempfile.TemporaryDirectory(prefix="automl-benchmark-") as scratch:
        project = Path(scratch)
        (project / "pipelines").mkdir()
        shutil.copy(path, project / path.name)
        automl(project, "init", path.name, "--target", target, "--name", name)
        settings = ("--set", f"tuning.time_budget_seconds={BUDGET_SECONDS}", "--set", f"seed={seed}")
        done = automl(project, "run", name, *settings, "--json")
    run = done.document
    holdout, gain = run["holdout"], run["holdout"]["gain_over_linear"]
    searched = run["seconds"]["tuning_study"] + run["seconds"]["trained_model"]
    return [
        name,
        seed,
        run["problem"]["metric"],
        f"{holdout['value']:.5g}",
        f"{holdout['linear']:.5g}",
        f"{gain['value']:+.4g} [{gain['low']:+.4g}, {gain['high']:+.4g}]",
        f"{searched:.1f}{'' if searched <= LIMIT_SECONDS else ' (over)'}",
        f"{done.seconds:.0f}",
        f"{run['peak_rss_mb']:.0f}",
    ]


if __name__ == "__main__":
    main()
