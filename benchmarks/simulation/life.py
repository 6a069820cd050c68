"""The platform as a user runs it: `automl run` once, then `automl ui` with its sensors on, and files that land."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.end_to_end.command import AUTOML, clean_environment

if TYPE_CHECKING:
    import pandas as pd

NAME = "doctor_weeks"
SENSORS = ("new_batches", "drift_retraining", "alerts")
START_SECONDS = 180
WEEK_SECONDS = 600
POLL_SECONDS = 2
DEFS = """type: automl_assets.AutoMLPipeline
attributes:
  name: doctor_weeks
  source: {type: csv, path: ../../landing}
  target: any_visit
  batches: {kind: files, glob: "*.csv", marker: "{name}.done"}
  tuning: {time_budget_seconds: 20}
  monitoring: {cooldown_hours: 0, max_retrains_per_day: 100}   # weeks pass in seconds here
"""
ON = """mutation($s: SensorSelector!) { startSensor(sensorSelector: $s) {
  __typename ... on PythonError { message } } }"""


@dataclass(frozen=True)
class Life:
    """A project folder, whose platform runs on its own home."""

    folder: Path

    @property
    def home(self) -> Path:
        """AUTOML_HOME."""
        return self.folder / ".automl"

    def prepare(self) -> None:
        """Write the pipeline's ten lines."""
        defs = self.folder / "pipelines" / NAME / "defs.yaml"
        defs.parent.mkdir(parents=True)
        defs.write_text(DEFS)
        (self.folder / "landing").mkdir()

    def land(self, week: int, rows: "pd.DataFrame") -> str:
        """A file lands, then its marker; the batch's key."""
        key = f"week_{week:02d}.csv"
        rows.to_csv(self.folder / "landing" / key, index=False)
        (self.folder / "landing" / f"{key}.done").touch()
        return key

    def automl(self, *argv: str) -> dict[str, Any]:
        """An `automl` command's JSON.

        Raises:
            RuntimeError: it failed.
        """
        command = [*AUTOML, *argv, "--json"]
        done = subprocess.run(command, cwd=self.folder, env=self._environment(), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"automl {' '.join(argv)}: {done.stdout}{done.stderr[-2000:]}")
        return json.loads(done.stdout)

    @contextmanager
    def ui(self) -> Iterator[str]:
        """The UI and the daemon, every sensor on; its address."""
        command = [*AUTOML, "ui", "--port", "3300", "--mlflow-port", "5300"]
        server = subprocess.Popen(command, cwd=self.folder, env=self._environment(), start_new_session=True)
        try:
            state = self.home / "ui.json"
            wait_for(state.exists, START_SECONDS, "the UI")
            address = json.loads(state.read_text())["dagster"]
            for sensor in SENSORS:
                selector = {
                    "repositoryLocationName": "automl_assets",
                    "repositoryName": "__repository__",
                    "sensorName": sensor,
                }
                told = ask(address, ON, s=selector)["startSensor"]
                if told["__typename"] != "Sensor":
                    raise RuntimeError(f"{sensor} was not started: {told}")
            yield address
        finally:
            os.kill(server.pid, signal.SIGINT)
            server.wait(60)

    def settle(self, key: str) -> dict[str, Any]:
        """Wait until a batch has its verdict and nothing that it asked for is left to do; the verdict."""

        def verdict() -> dict[str, Any] | None:
            history = self.automl("history", NAME)
            found = next((v for v in history["verdicts"] if v["batch"] == key), None)
            going = [a for a in history["actions"] if a["kind"] == "retrain" and a["state"] in ("pending", "requested")]
            return found if found and not going else None

        return wait_for(verdict, WEEK_SECONDS, f"the verdict on {key}")

    def performance(self, key: str) -> dict[str, Any]:
        """What was measured and estimated of a batch; empty for one in quarantine."""
        from automl_assets.core.evidence import PerformanceReport
        from resources.table_store import TableStore

        found = TableStore(home=str(self.home)).latest(NAME, "performance_report", key)
        return found.model_dump(mode="json") if isinstance(found, PerformanceReport) else {}

    def _environment(self) -> dict[str, str]:
        return clean_environment(AUTOML_HOME=str(self.home), AUTOML_SENSOR_SECONDS="5")


def ask(address: str, query: str, **variables: Any) -> dict[str, Any]:
    """A GraphQL query's data."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())["data"]


def wait_for(look: Any, seconds: float, what: str) -> Any:
    """What `look` gives as soon as it gives something.

    Raises:
        TimeoutError: it gave nothing for so long.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(POLL_SECONDS)
    raise TimeoutError(f"{what} did not come within {seconds} s")
