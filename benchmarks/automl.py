"""This engine beside its peers, interleaved in one run: same raw tables, splits, wall budget and threads.

    python -m benchmarks.automl [--budget 60] [--seeds 0 1 2] [--tables NAME …] [--peers SPEC …] [--out FILE]

The peers (`autogluon:best_quality_seq lightautoml flaml rf` by default) run in their own virtual environments, which
the folder PEER_HOME holds (../shared/bench/README.md says how to make them). Without it only this engine runs, and its
values stand beside the peers' recorded ones. Every row is appended to FILE as it comes; a run that is repeated with
the same FILE goes on where it stopped.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import SHARED, header
from benchmarks.peers.standing import standings

BENCH = SHARED.parent / "bench"
PEERS = ("autogluon:best_quality_seq", "lightautoml", "flaml", "rf")
OURS = "automl-assets"
THREADS = 2


@dataclass(frozen=True)
class Table:
    """A prepared pair of CSV files."""

    name: str
    task: str
    target: str
    folder: Path

    def arguments(self) -> list[str]:
        """How both `peer_run.py` and `benchmarks.peers.ours` are told of it."""
        train, test = (str(self.folder / f"{self.name}_{part}.csv") for part in ("train", "test"))
        return ["--train", train, "--test", test, "--target", self.target, "--task", self.task]


def main() -> None:
    """Run what is missing, then print the tables."""
    options = _options()
    header(f"Against the peers, {options.budget:.0f} s", "automl", " ".join(sys.argv[1:]))
    if not BENCH.exists():
        print("skipped: the peers' scripts are not beside the project")
        return
    with tempfile.TemporaryDirectory(prefix="automl-bench-") as scratch:
        out = Path(options.out or Path(scratch) / "rows.jsonl")
        folder = out.parent / f"{out.stem}-predictions"
        folder.mkdir(parents=True, exist_ok=True)
        tables = [t for t in prepared(Path(scratch)) if not options.tables or t.name in options.tables]
        for table, seed, system in _runs(tables, options.seeds, _systems(options.peers)):
            key = f"{table.name}.{system.partition(':')[0]}.{seed}"
            if key not in {row["key"] for row in rows_of(out)}:
                row = {
                    "key": key,
                    "table": table.name,
                    **_run(system, table, seed, options.budget, folder / f"{key}.npy"),
                }
                with out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(f"{key}: {row.get('value')} in {row.get('fit_seconds')} s", file=sys.stderr, flush=True)
        standings(rows_of(out), {table.name: table for table in tables}, folder, options.budget)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tables", nargs="*")
    parser.add_argument("--peers", nargs="*", default=list(PEERS))
    parser.add_argument("--out")
    return parser.parse_args()


def prepared(folder: Path) -> list[Table]:
    """The ten shared tables, split by the peers' own script."""
    listed = subprocess.run(
        [sys.executable, str(BENCH / "prepare.py"), str(SHARED), str(folder)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    rows = [line.split("\t") for line in listed.splitlines()]
    return [Table(name, task, target, folder) for name, task, target, *_ in rows]


def rows_of(file: Path) -> list[dict[str, Any]]:
    """What was measured so far."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _systems(peers: list[str]) -> list[str]:
    if not os.environ.get("PEER_HOME"):
        print("PEER_HOME is not set: the peers do not run; their recorded values stand beside ours.\n")
        return [OURS]
    return [OURS, *peers]


def _runs(tables: list[Table], seeds: list[int], systems: list[str]) -> Iterator[tuple[Table, int, str]]:
    """Interleaved: all systems on one table and seed, then the next, so that all meet the same machine."""
    for seed in seeds:
        for table in tables:
            for system in systems:
                yield table, seed, system


def _run(system: str, table: Table, seed: int, budget: float, predictions: Path) -> dict[str, Any]:
    common = [*table.arguments(), "--budget", str(budget), "--threads", str(THREADS), "--seed", str(seed)]
    if system == OURS:
        command = [sys.executable, "-m", "benchmarks.peers.ours", *common]
    else:
        peer, _, preset = system.partition(":")
        command = [sys.executable, str(BENCH / "peer_run.py"), "--peer", peer, *common]
        command += ["--preset", preset] if preset else []
    done = subprocess.run([*command, "--predictions", str(predictions)], check=False, capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]) if lines else {"peer": system, "value": None, "error": done.stderr[-500:]}


if __name__ == "__main__":
    main()
