"""`automl ui`: both servers come up, the code location loads, a run can be started from it, and Ctrl-C ends all."""

import json
import os
import signal
import socket
import urllib.request
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from tests.end_to_end.command import Project, wait_until

LOCATIONS = """{ workspaceOrError { ... on Workspace {
  locationEntries { name loadStatus locationOrLoadError { __typename } } } } }"""
LAUNCH = """mutation($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


def free_ports(count: int) -> list[int]:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        first = probe.getsockname()[1]
    return [first + offset for offset in range(count)]


def ask(address: str, query: str, **variables: Any) -> dict[str, Any]:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())["data"]


def test_the_ui_starts_loads_the_location_runs_an_asset_and_ends(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("seen")
    port, mlflow_port = free_ports(2)
    process = project.start("ui", "--port", str(port), "--mlflow-port", str(mlflow_port))
    try:
        state = project.home / "ui.json"
        assert wait_until(lambda: state.exists() or process.poll() is not None, 120)
        address = json.loads(state.read_text())["dagster"]
        (location,) = ask(address, LOCATIONS)["workspaceOrError"]["locationEntries"]
        assert location["name"] == "automl_assets"
        assert location["locationOrLoadError"]["__typename"] == "RepositoryLocation"
        params = {
            "selector": {
                "repositoryLocationName": "automl_assets",
                "repositoryName": "__repository__",
                "jobName": "seen_score",
                "assetSelection": [{"path": ["seen", "raw_table"]}, {"path": ["seen", "quality_report"]}],
            },
            "mode": "default",
        }
        launched = ask(address, LAUNCH, params=params)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run = launched["run"]["runId"]

        def finished() -> bool:
            return ask(address, STATUS, id=run)["runOrError"]["status"] in ("SUCCESS", "FAILURE", "CANCELED")

        assert wait_until(finished, 120, poll=1)
        assert ask(address, STATUS, id=run)["runOrError"]["status"] == "SUCCESS"
        done = project.run("run", "seen", "--until", "quality_report", "--json")
        assert done.document["status"] == "up_to_date", "what the UI made is what the command line finds"
    finally:
        os.kill(process.pid, signal.SIGINT)
        code = process.wait(60)
        with suppress(Exception):
            process.communicate(timeout=5)
    assert code == 0
    assert wait_until(lambda: project.processes() == [], 20), [p.cmdline() for p in project.processes()]
    assert not state.exists()
