"""`make simulate`: 24 weeks of a deployed model with the real daemon, then a table and a picture of what happened."""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import header, table
from benchmarks.simulation.life import NAME, Life
from benchmarks.simulation.picture import draw
from benchmarks.simulation.world import INJECTIONS, Injection, weeks

PICTURE = Path("docs/screenshots/simulation.png")


def main() -> None:
    """Run it and say, drift by drift, what came when and whether it should have."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    parser.add_argument("--folder", type=Path, default=None, help="An empty folder; a temporary one by default.")
    chosen = parser.parse_args()
    header("A deployed model's life in 24 weeks, the real daemon running", "simulation")
    with tempfile.TemporaryDirectory(prefix="automl-simulation-") as scratch:
        verdicts, history, reports = live(Life(chosen.folder or Path(scratch)))
    rows = [[i.name, _span(i), "; ".join(i.expected), *_answered(i, verdicts)] for i in INJECTIONS]
    table(["what happened", "weeks", "right answers", "answer", "in week", "cause named", "right"], rows)
    quiet = [week for week in range(1, len(verdicts) + 1) if not any(_explains(i, week) for i in INJECTIONS)]
    false = [f"{week}: {verdicts[week - 1]['action']}" for week in quiet if verdicts[week - 1]["action"] != "none"]
    print(f"\nVerdicts in the {len(quiet)} weeks in which nothing new happened: {', '.join(false) or 'none'}.")
    chosen.picture.parent.mkdir(parents=True, exist_ok=True)
    draw(chosen.picture, verdicts, history, reports)
    print(f"The picture: {chosen.picture}")


def live(life: Life) -> tuple[list[dict[str, Any]], dict[str, Any], list[dict[str, Any]]]:
    """The verdicts a week, everything that was done, and the performance a week."""
    life.prepare()
    before, later = weeks()
    for week, rows in enumerate(before, start=1 - len(before)):
        life.land(week + 50, rows)
    begun = time.monotonic()
    life.automl("run", NAME)
    print(f"trained on {len(before)} weeks in {time.monotonic() - begun:.0f} s", flush=True)
    verdicts = []
    with life.ui():
        for week, rows in enumerate(later, start=1):
            begun = time.monotonic()
            verdict = life.settle(life.land(week + 50, rows))
            verdicts.append(verdict)
            said = verdict["reasons"][0] if verdict["reasons"] else ""
            print(f"week {week:2d}: {verdict['action']:10} {time.monotonic() - begun:4.0f} s  {said[:100]}", flush=True)
            for waiting in life.automl("review", NAME)["waiting"]:
                if waiting["answer"] == "waiting":
                    life.automl("review", NAME, "--reject", waiting["id"], "--reason", "the export was broken")
    return verdicts, life.automl("history", NAME), [life.performance(verdict["batch"]) for verdict in verdicts]


def _span(injection: Injection) -> str:
    return f"{injection.first}" if injection.first == injection.last else f"{injection.first}–{injection.last}"


def _explains(injection: Injection, week: int) -> bool:
    """Whether an answer in this week may be to this injection."""
    return injection.first <= week <= injection.deadline + 1


def _answered(injection: Injection, verdicts: list[dict[str, Any]]) -> list[object]:
    """The first right answer, its week, the cause that it named, and whether it came in time."""
    for week in range(injection.first, injection.deadline + 1):
        verdict = verdicts[week - 1]
        if verdict["action"] in injection.expected:
            causes = [cause["feature"] for cause in verdict["causes"]]
            named = "yes" if injection.cause in causes else f"no ({', '.join(causes[:3])})"
            return [verdict["action"], week, named, "yes"]
    return ["none", "—", "—", "no"]


if __name__ == "__main__":
    main()
