"""The platform as a server runs it: a code server and Dagster's daemon, each a process that a test may kill."""

import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import psutil

from tests.end_to_end.command import Project, clean_environment, wait_until
from tests.sensors.ticks import tick_of

if TYPE_CHECKING:
    from dagster._core.scheduler.instigation import InstigatorTick

LOCATION = "automl_assets"
SENSOR_SECONDS = 2
UP_SECONDS = 120.0
WORKSPACE = "load_from:\n  - grpc_server: {{host: 127.0.0.1, port: {port}, location_name: {location}}}\n"

TINY = """type: automl_assets.AutoMLPipeline
attributes:
  name: {name}
  source: {{type: csv, path: {path}}}
  target: y
  tuning: {{time_budget_seconds: 60, max_trials: 1, families: [linear]}}
"""


def write_tiny(project: Project, name: str, path: str, more: str = "") -> None:
    """A pipeline whose model takes a second, however busy the machine is."""
    defs = project.root / "pipelines" / name / "defs.yaml"
    defs.parent.mkdir(parents=True, exist_ok=True)
    defs.write_text(TINY.format(name=name, path=path) + more)


def free_port() -> int:
    """A port that nothing listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port: int) -> bool:
    """Whether something listens on a port of this machine."""
    with closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def kill(process: "subprocess.Popen[bytes]") -> None:
    """`kill -9` a process and all that it started, whatever sessions those made for themselves."""
    family: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    for child in family:
        with suppress(psutil.NoSuchProcess):
            child.kill()


@dataclass
class Server:
    """A project's code server, and its daemon while it runs."""

    project: Project
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    code: "subprocess.Popen[bytes] | None" = None
    daemon: "subprocess.Popen[bytes] | None" = None

    def prepare(self, dagster_yaml: str) -> None:
        """Write the instance's configuration and the workspace."""
        self.dagster_home.mkdir(parents=True, exist_ok=True)
        (self.dagster_home / "dagster.yaml").write_text(dagster_yaml)
        self.workspace.write_text(WORKSPACE.format(port=self.port, location=LOCATION))

    def start_code(self, *, wait: bool = True) -> None:
        """Start the code server."""
        module = ["-m", "automl_assets.definitions", "--location-name", LOCATION]
        self.code = self._start("code", ["dagster", "api", "grpc", "-h", "127.0.0.1", "-p", str(self.port), *module])
        if wait:
            self.wait_for_code()

    def wait_for_code(self) -> None:
        assert wait_until(lambda: answers(self.port) or self.code_is_down(), UP_SECONDS), self.log("code")
        assert not self.code_is_down(), self.log("code")

    def code_is_down(self) -> bool:
        return self.code is None or self.code.poll() is not None

    def start_daemon(self) -> None:
        self.daemon = self._start("daemon", ["dagster._daemon", "run", "-w", str(self.workspace)])

    def kill_daemon(self) -> None:
        """`kill -9`: whatever it was at, it does no more. The runs belong to the code server and go on."""
        if self.daemon is not None:
            kill(self.daemon)
            self.daemon = None

    def close(self) -> None:
        self.kill_daemon()
        if self.code is not None:
            kill(self.code)
        self.project.close()
        for process in self.project.processes():
            process.kill()

    def switch_on(self, instance: dg.DagsterInstance, sensors: Sequence[str]) -> None:
        """What the switch in the UI does."""
        from dagster._core.workspace.context import WorkspaceProcessContext
        from dagster._core.workspace.load_target import GrpcServerTarget

        target = GrpcServerTarget(host="127.0.0.1", port=self.port, socket=None, location_name=LOCATION)
        with WorkspaceProcessContext(instance, target) as workspace:
            location = workspace.create_request_context().get_code_location(LOCATION)
            for name in sensors:
                instance.start_sensor(location.get_repository("__repository__").get_sensor(name))

    @property
    def workspace(self) -> Path:
        return self.project.root / "served.yaml"

    @property
    def dagster_home(self) -> Path:
        return self.project.home / "dagster"

    def log(self, name: str) -> str:
        """The end of what a process said."""
        return (self.project.root / f"{name}.log").read_text()[-3000:]

    def _start(self, name: str, module: Sequence[str]) -> "subprocess.Popen[bytes]":
        stated = {
            "AUTOML_HOME": str(self.project.home),
            "DAGSTER_HOME": str(self.dagster_home),
            "AUTOML_SENSOR_SECONDS": str(SENSOR_SECONDS),
            **self.project.environment,
            **self.environment,
        }
        with (self.project.root / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=self.project.root,
                env=clean_environment(**stated),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def ticks(instance: dg.DagsterInstance, sensor: str) -> "list[InstigatorTick]":
    """A sensor's ticks, newest first."""
    for state in instance.all_instigator_state():
        if state.instigator_name == sensor:
            return list(instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=50))
    return []


@dataclass
class Sensors:
    """The sensors of some definitions, looked with again and again as the daemon does, their cursors kept."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    cursors: dict[str, str | None] = field(default_factory=dict)

    def tick(self, name: str, *, remember: bool = True) -> Any:
        """One look; without `remember` the daemon is killed before it has written the cursor."""
        result = tick_of(self.definitions, self.instance, name, self.cursors.get(name))
        for request in result.dynamic_partitions_requests or ():
            self.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
        if remember:
            self.cursors[name] = result.cursor
        return result
