"""`automl ui`: Dagster's webserver with its daemon and MLflow's server on 127.0.0.1, as children of this process."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from automl_assets.cli.display import out
from automl_assets.cli.guard import Guard
from automl_assets.cli.home import open_instance
from automl_assets.core.errors import JobError
from automl_assets.core.files import write_text
from resources.settings import Settings, template

HOST = "127.0.0.1"
START_SECONDS = 90.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.3
PORTS_TRIED = 50


def serve(port: int, mlflow_port: int) -> int:
    """Start both, print their addresses, and wait for Ctrl-C.

    Raises:
        JobError: a server did not start.
    """
    settings = Settings.from_environment()
    settings.prepare_home()
    with open_instance(settings):
        pass  # the webserver, the daemon and the code server start together
    port, mlflow_port = free_port(port), free_port(mlflow_port, but=port)
    tracking = settings.mlflow_tracking_uri
    commands = {"Dagster": (_dagster(port), f"http://{HOST}:{port}/server_info")}
    if tracking is None:
        commands["MLflow"] = (_mlflow(settings.home, mlflow_port), f"http://{HOST}:{mlflow_port}/health")
    logs = settings.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(settings.dagster_home),
        "AUTOML_HOME": str(settings.home),
        "AUTOML_PIPELINES": str(settings.pipelines[0]),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    (settings.home / "ui.json").unlink(missing_ok=True)  # of one that was killed
    servers: dict[str, subprocess.Popen[bytes]] = {}
    guard = Guard()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        for name, (command, _) in commands.items():
            servers[name] = _start(command, logs / f"{name.lower()}.log", environment)
            guard.watch(servers[name].pid)
        for name, (_, address) in commands.items():
            _wait(name, servers[name], address, logs / f"{name.lower()}.log")
        mlflow_url = tracking or f"http://{HOST}:{mlflow_port}"
        write_text(settings.home / "ui.json", json.dumps({"dagster": f"http://{HOST}:{port}", "mlflow": mlflow_url}))
        out().print(f"Dagster  [bold]http://{HOST}:{port}[/]\nMLflow   [bold]{mlflow_url}[/]\nCtrl-C ends them.")
        while all(server.poll() is None for server in servers.values()):
            time.sleep(POLL_SECONDS)
        dead = next(name for name, server in servers.items() if server.poll() is not None)
        raise JobError(f"{dead} ended by itself.", where=str(logs / f"{dead.lower()}.log"), remedy="Look at its log.")
    except KeyboardInterrupt:
        return 0
    finally:
        (settings.home / "ui.json").unlink(missing_ok=True)
        _stop(list(servers.values()))
        guard.dismiss()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def free_port(wanted: int, but: int | None = None) -> int:
    """The port, or the next one that nothing listens on.

    Raises:
        JobError: fifty in a row are taken.
    """
    for port in range(wanted, wanted + PORTS_TRIED):
        if port != but:
            with closing(socket.socket()) as probe, suppress(OSError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((HOST, port))
                return port
    raise JobError(f"The ports {wanted} to {wanted + PORTS_TRIED} are taken.", remedy="Choose another with --port.")


def _dagster(port: int) -> list[str]:
    options = ["--workspace", str(template("workspace.yaml")), "--host", HOST, "--port", str(port)]
    return [sys.executable, "-m", "dagster", "dev", *options]


def _mlflow(home: Path, port: int) -> list[str]:
    store = f"sqlite:///{home / 'mlflow.db'}"
    artifacts = (home / "mlartifacts").as_uri()
    options = ["--backend-store-uri", store, "--default-artifact-root", artifacts, "--host", HOST, "--port", str(port)]
    return [sys.executable, "-m", "mlflow", "server", *options, "--workers", "1"]


def _start(command: Sequence[str], log: Path, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    with log.open("ab") as file:
        return subprocess.Popen(
            command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
        )


def _wait(name: str, server: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(address, timeout=2):  # noqa: S310 - our own address
            return
        time.sleep(POLL_SECONDS)
    raise JobError(f"{name} did not start.", where=str(log), remedy="Look at its log.")


def _stop(servers: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Ask each group to end, then make it."""
    for server in servers:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for server in servers:
        with suppress(subprocess.TimeoutExpired):
            server.wait(max(0.1, deadline - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
