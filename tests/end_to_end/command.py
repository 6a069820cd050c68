"""`automl` as a user starts it: a process of its own, in a folder of its own.

`Project.start`, and `run` with ``cold=True``, start the interpreter too. The other commands are forked from a process
that has the packages imported: half of a small command's time is imports.
"""

import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import psutil

AUTOML = [sys.executable, "-c", "from automl_assets.cli import main; main()"]
PIPELINE = """type: automl_assets.AutoMLPipeline
attributes:
  name: {name}
  source: {source}
  target: y
  tuning: {{time_budget_seconds: {budget}, max_trials: {trials}, families: [linear, lightgbm]}}
"""
COMMANDS = ("backfill", "display_models", "display_watch", "models", "pipelines", "run", "tables", "ui", "watch")
IMPORTED = [
    *(f"automl_assets.cli.{name}" for name in COMMANDS),
    *("alembic.command", "fsspec", "matplotlib.backends.backend_agg", "optuna", "pandas", "pyarrow.dataset", "upath"),
    *("mlflow", "mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store"),
]

OWN_ENGINE = "  monitoring: {engine: own}\n"  # Evidently's import is most of a small run


def clean_environment(**stated: str) -> dict[str, str]:
    """This process's environment without the platform's settings, and with those that are stated."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AUTOML_", "DAGSTER_", "MLFLOW_"))}
    return {**kept, "PYTHONWARNINGS": "ignore", **stated}


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The object that `--json` printed."""
        return json.loads(self.out)


@dataclass
class Project:
    """A folder with pipelines, and the home beside them."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    started: "list[subprocess.Popen[str]]" = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.root / ".automl"

    def write(self, name: str, *, rows: int = 300, budget: float = 60, trials: int = 2) -> None:
        """A pipeline on a table of its own. Trials rather than seconds end its search: on a slow machine too."""
        table = self.root / "data" / f"{name}.csv"
        path = self.root / "pipelines" / name / "defs.yaml"
        for file in (table, path):
            file.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(table_text(rows))
        source = f"{{type: csv, path: ../../data/{name}.csv}}"
        path.write_text(PIPELINE.format(name=name, source=source, budget=budget, trials=trials) + OWN_ENGINE)

    def start(self, *argv: str) -> "subprocess.Popen[str]":
        """Start a command in a process group of its own, as a shell does."""
        process = subprocess.Popen(
            [*AUTOML, *argv],
            cwd=self.root,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def close(self) -> None:
        """End what still runs and close every pipe."""
        for process in self.started:
            process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()

    def run(self, *argv: str, timeout: float = 240, cold: bool = False) -> Done:
        """Run a command to its end."""
        if not cold:
            return forked(argv, self.root, self._environment(), timeout)
        process = self.start(*argv)
        out, err = process.communicate(timeout=timeout)
        return Done(process.returncode, out, err)

    def ok(self, *argv: str, cold: bool = False) -> dict[str, Any]:
        """Run a command with `--json` that must succeed; what it printed."""
        done = self.run(*argv, "--json", cold=cold)
        assert done.code == 0, done.err + done.out
        return done.document

    def _environment(self) -> dict[str, str]:
        return clean_environment(**self.environment)

    def processes(self) -> list[psutil.Process]:
        """Everything alive that works in this home: zygotes and fits."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(self.root):
                    found.append(process)
        return found


@cache
def _importers() -> ForkServerContext:
    """What commands are forked from; it ends with this process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def forked(argv: tuple[str, ...], folder: Path, environment: dict[str, str], timeout: float) -> Done:
    """Run a command to its end in a fork of a process that has imported its packages."""
    with tempfile.TemporaryDirectory() as said:
        out, err = Path(said, "out"), Path(said, "err")
        process = _importers().Process(target=_command, args=(argv, folder, environment, out, err))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(argv), timeout, out.read_text(), err.read_text())
        code = process.exitcode
        process.close()
        return Done(code, out.read_text(), err.read_text())


def _command(argv: tuple[str, ...], folder: Path, environment: dict[str, str], out: Path, err: Path) -> None:
    """What a command's process does: become what `Project.start` would have started."""
    from automl_assets.cli import main

    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, descriptor)
        os.close(file)
    warnings.simplefilter("ignore")
    main(list(argv))


def table_text(rows: int, *, seed: int = 0, shift: float = 0.0) -> str:
    """A table with two informative columns, a category, a date and some gaps; y is binary."""
    drawn = random.Random(seed)
    lines = ["x,z,g,d,noise,y"]
    for number in range(rows):
        x, z, g = drawn.gauss(shift, 1), drawn.gauss(0, 1), drawn.choice("abc")
        y = "yes" if x + (g == "a") + drawn.gauss(0, 0.8) > 0.5 else "no"
        gap = "" if number % 17 == 0 else f"{z:.4f}"
        lines.append(f"{x:.4f},{gap},{g},2024-{1 + number % 12:02d}-15,{drawn.random():.4f},{y}")
    return "\n".join(lines) + "\n"


def wait_until(condition: Callable[[], bool], seconds: float, poll: float = 0.05) -> bool:
    """Whether a condition became true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(poll)
    return condition()


def lines_of(process: "subprocess.Popen[str]") -> Iterator[str]:
    """What a process says on stderr, as it says it."""
    assert process.stderr is not None
    yield from process.stderr
