"""The files for a team's server, validated by the schemas of what reads them. No engine runs here."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from tests.conftest import ROOT

COMPOSE = ROOT / "docker-compose.yml"
SERVICES = {"postgres", "mlflow", "code", "webserver", "daemon"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE.read_text())


def test_the_compose_file_follows_the_compose_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_would_find_a_misspelt_key(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(COMPOSE.read_text().replace("healthcheck:", "healthchek:"))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(wrong)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


def test_every_service_has_a_health_check_a_memory_limit_and_waits_for_what_it_needs(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == SERVICES
    for name, service in services.items():
        assert service["healthcheck"]["test"], name
        assert re.fullmatch(r"\d+[gm]", service["mem_limit"]), name
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services
            assert how == {"condition": "service_healthy"}
    assert set(services["code"]["depends_on"]) == {"postgres", "mlflow"}


def test_ports_are_open_on_this_machine_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert sorted(ports) == ["127.0.0.1:3000:3000", "127.0.0.1:5000:5000"]


def test_secrets_come_from_files_that_git_ignores(compose: dict[str, Any]) -> None:
    for secret in compose["secrets"].values():
        assert set(secret) == {"file"}
        ignored = subprocess.run(["git", "check-ignore", secret["file"]], cwd=ROOT, capture_output=True, check=False)
        assert ignored.returncode == 0, secret
    for service in compose["services"].values():
        for key, value in service["environment"].items():
            assert not re.search("password|secret|key", key, re.IGNORECASE) or key.endswith("_FILE"), key
            assert "://" not in str(value) or "@" not in str(value), key


@pytest.mark.parametrize("path", ["dagster.yaml", "deploy/dagster.postgres.yaml"])
def test_dagster_accepts_the_instance_files(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster._core.instance.config import dagster_instance_config

    (tmp_path / "dagster.yaml").write_text((ROOT / path).read_text())
    monkeypatch.setenv("AUTOML_DATABASE_URL", "postgresql+psycopg2://postgres@127.0.0.1:5432/test")
    config, _ = dagster_instance_config(str(tmp_path))
    assert config["telemetry"] == {"enabled": False}
    assert config["concurrency"]["pools"]["default_limit"] == 1
    assert config["run_monitoring"]["free_slots_after_run_end_seconds"] > 0


@pytest.mark.parametrize("path", ["workspace.yaml", "deploy/workspace.yaml"])
def test_the_workspaces_name_the_same_location(path: str) -> None:
    (target,) = yaml.safe_load((ROOT / path).read_text())["load_from"]
    ((_, settings),) = target.items()
    assert settings["location_name"] == "automl_assets"


def test_the_entrypoint_turns_secret_files_into_settings(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p@ss/w:rd\n")
    (tmp_path / "key").write_text("sk-test\n")
    home = tmp_path / "dagster"
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "AUTOML_DATABASE_PASSWORD_FILE": str(tmp_path / "password"),
        "ANTHROPIC_API_KEY_FILE": str(tmp_path / "key"),
        "DAGSTER_HOME": str(home),
    }
    command = ["sh", str(ROOT / "deploy" / "entrypoint.sh"), "env"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    found = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    assert found["AUTOML_DATABASE_URL"] == "postgresql+psycopg2://automl:p%40ss%2Fw%3Ard@postgres:5432/automl"
    assert found["MLFLOW_BACKEND_STORE_URI"].endswith("/mlflow")
    assert found["ANTHROPIC_API_KEY"] == "sk-test"
    assert "postgres_url" in (home / "dagster.yaml").read_text()


def test_the_image_installs_from_the_lock_with_hashes() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    assert "--require-hashes -r requirements.lock" in dockerfile
    assert "torch==2.13.0" in dockerfile
    assert "USER automl" in dockerfile


def test_the_lock_names_the_public_registry_alone() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"(?m)^(--|-i|-f)|https?://|file:", lock)
    pinned = dict(re.findall(r"(?m)^([a-z0-9._-]+)==(\S+)", lock))
    assert pinned["pandas"].startswith("3.0.")
    assert "torch" not in pinned, "torch is pinned in the Makefile: the lock would name a CUDA build"
    assert all("--hash=sha256:" in block for block in re.split(r"(?m)^(?=[a-z0-9])", lock)[1:])
    assert dg.__version__ == pinned["dagster"]
