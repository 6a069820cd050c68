"""Servers that go away: `automl ui` killed, MLflow's gone, PostgreSQL unreachable. What depends on them says so."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg
import pytest

from automl_assets.definitions import definitions_of
from automl_assets.pipeline_files import load_pipeline
from resources.platform_database import close_all
from resources.settings import Settings
from tests.end_to_end.command import Project, clean_environment, table_text, wait_until
from tests.end_to_end.daemon import Sensors, answers, free_port, kill, write_tiny

NAME = "remote"
MORE = "  batches: {kind: files, glob: '*.csv'}\n"
UI_GONE_SECONDS = 25.0
SERVER_GONE_SECONDS = 5.0


# ---- `automl ui` ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["while it starts", pytest.param("when it is up", marks=pytest.mark.slow)])
def test_nothing_outlives_a_ui_that_is_killed(moment: str, tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("seen")
    process = project.start("ui", "--port", str(free_port()), "--mlflow-port", str(free_port()))
    try:
        if moment == "when it is up":
            assert wait_until((project.home / "ui.json").exists, 180)
        else:
            assert wait_until(lambda: len(project.processes()) >= 4, 60), "the UI, its guard and two servers"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert wait_until(lambda: project.processes() == [], UI_GONE_SECONDS), project.processes()
    finally:
        project.close()
        for left in project.processes():
            with suppress(Exception):
                left.kill()


# ---- MLflow's server -----------------------------------------------------------------------------------------------


class Mlflow:
    """A real `mlflow server` on loopback that a test may kill and start again."""

    def __init__(self, root: Path):
        self.root = root
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        store = ["--backend-store-uri", f"sqlite:///{self.root / 'served.db'}"]
        artifacts = ["--artifacts-destination", str(self.root / "artifacts")]
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        stated = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.root / "mlflow.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *store, *artifacts, *where],
                env=clean_environment(**stated),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        assert wait_until(lambda: answers(self.port), 120), (self.root / "mlflow.log").read_text()[-2000:]

    def kill(self) -> None:
        if self.process is not None:
            kill(self.process)
            self.process = None


@contextmanager
def mlflow(root: Path) -> Iterator[Mlflow]:
    server = Mlflow(root)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.mark.slow
def test_a_run_without_mlflow_s_server_says_so_and_is_completed_when_it_is_back(tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    with mlflow(tmp_path / "served") as server:
        project = Project(tmp_path / "project", {"MLFLOW_TRACKING_URI": server.uri})
        landing = project.root / "landing"
        landing.mkdir(parents=True)
        (landing / "a.csv").write_text(table_text(300, seed=1))
        write_tiny(project, NAME, "../../landing", MORE)
        try:
            server.wait()
            assert project.ok("run", NAME)["model"]["alias"] == "champion"
            (landing / "b.csv").write_text(table_text(300, seed=2))
            server.kill()

            project.environment["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
            failed = project.run("run", NAME)
            assert failed.code == 1, failed.err
            told = " ".join(failed.err.split())
            assert f"Error: {server.uri}: The model registry does not answer. Check MLFLOW_TRACKING_URI" in told
            assert "Traceback" not in failed.err
            failed = project.run("run", NAME, "--json")
            assert (failed.code, failed.document["error"]["code"]) == (1, "registry_error")

            assert requested(project) == ["b.csv"], "the sensors look on"

            del project.environment["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]
            waiting = project.start("run", NAME, "--json")
            time.sleep(SERVER_GONE_SECONDS)
            server.start()
            out, err = waiting.communicate(timeout=240)
            assert waiting.returncode == 0, out + err
            assert project.ok("run", NAME)["status"] == "up_to_date"
            assert {batch for batch, _ in verdicts(project)} == {"a.csv", "b.csv"}
            assert len(set(verdicts(project))) == len(verdicts(project))
        finally:
            project.close()


def requested(project: Project) -> list[str]:
    """The batches that a sensor asks for in three looks."""
    stated = {"AUTOML_HOME": str(project.home), **project.environment}
    settings = Settings.from_environment(stated, folder=project.root)
    pipeline = load_pipeline(project.root / "pipelines" / NAME / "defs.yaml")
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        sensors = Sensors(definitions_of([pipeline], settings), instance)
        found = [one.partition_key for _ in range(3) for one in sensors.tick("new_batches").run_requests]
    close_all()
    return found


def verdicts(project: Project) -> list[tuple[str, str]]:
    """The batch and the champion of each verdict."""
    found = [*project.ok("history", NAME)["verdicts"]]
    return [(verdict["batch"], verdict["champion"]) for verdict in found]
