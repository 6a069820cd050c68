"""A 60-s budget for tuning and training together, with and without families that sleep or allocate for ever.

At most 3,000 MiB, so that the one that allocates meets its memory limit before its deadline.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.command import run
from benchmarks.machine import header, real_table, table
from tests.end_to_end.command import AUTOML

PLANTED = [sys.executable, "-c", "import tests.tuning.plant_for_good; from automl_assets.cli import main; main()"]
BUDGET_SECONDS = 60
LIMIT_SECONDS = 63.0
MEMORY_MB = 3_000
REPOSITORY = Path(__file__).resolve().parent.parent


def main() -> None:
    """Print a row for each of the two."""
    header(f"A budget of {BUDGET_SECONDS} s: at most {LIMIT_SECONDS:g} s for tuning and training together", "budget")
    source = real_table("telco_churn")
    if source is None:
        return
    rows = [
        _row("as they are", AUTOML, next(source.glob("*.csv*"))),
        _row("with a sleeper and a glutton", PLANTED, next(source.glob("*.csv*"))),
    ]
    table(["families", "tuning s", "training s", "together s", "killed fits", "roc_auc", "linear"], rows)


def _row(what: str, command: list[str], path: Path) -> list[object]:
    with tempfile.TemporaryDirectory(prefix="automl-benchmark-") as scratch:
        project = Path(scratch)
        (project / "pipelines").mkdir()
        shutil.copy(path, project / path.name)
        where = {"PYTHONPATH": str(REPOSITORY), "AUTOML_MEMORY_CRITICAL_MB": str(MEMORY_MB)}
        run([*command, "init", path.name, "--target", "Churn", "--name", "churn"], project, **where)
        override = f"tuning.time_budget_seconds={BUDGET_SECONDS}"
        document = run([*command, "run", "churn", "--set", override, "--json"], project, **where).document
        killed = _killed(project)
    tuning, training = (document["seconds"][step] for step in ("tuning_study", "trained_model"))
    over = "" if tuning + training <= LIMIT_SECONDS else " (over)"
    holdout = document["holdout"]
    scores = (f"{holdout['value']:.4f}", f"{holdout['linear']:.4f}")
    return [what, f"{tuning:.1f}", f"{training:.1f}", f"{tuning + training:.1f}{over}", killed, *scores]


def _killed(project: Path) -> str:
    """Which fits were stopped for time or memory, from the study's own record."""
    import json

    lines = [json.loads(line) for file in project.rglob("fits.jsonl") for line in file.read_text().splitlines()]
    found = sorted({f"{line['trial']}: {line['kind']}" for line in lines if line["kind"] in ("timeout", "memory")})
    return ", ".join(found) or "none"


if __name__ == "__main__":
    main()
