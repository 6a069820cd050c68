"""Fixtures that every folder may use. Servers and data that a machine may lack skip with a reason, except in CI."""

import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from automl_assets.learn.runner import Runner

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
IN_CI = os.environ.get("CI") == "true"
MEMORY_DISK = Path("/dev/shm")
LEAST_FREE_BYTES = 4 * 2**30

if os.access(MEMORY_DISK, os.W_OK) and shutil.disk_usage(MEMORY_DISK).free > LEAST_FREE_BYTES:
    # a small run is over 1,000 writes to SQLite, and waiting for the disk is half of its time
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY_DISK))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--kill-points N`: how many kills test_kill.py makes."""
    parser.addoption("--kill-points", type=int, default=1)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees this machine's settings, or writes outside its own folder."""
    for name in [name for name in os.environ if name.startswith(("AUTOML_", "MLFLOW_", "DAGSTER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AUTOML_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("DO_NOT_TRACK", "1")


@pytest.fixture(scope="session")
def runner() -> Iterator[Runner]:
    """A zygote with every family imported, shared by a session."""
    from automl_assets.learn.families import registry

    packages = sorted({package for family in registry.all().values() for package in family.packages})
    with Runner(packages=("numpy", "pyarrow.compute", *packages)) as shared:
        yield shared


def shared_file(relative: str) -> Path:
    """A file of ../shared/data. Where the folder is not there the test is skipped; in CI, if any of it is, it fails."""
    path = SHARED / relative
    if not path.exists():
        message = f"{relative} is not in ../shared/data"
        if IN_CI and SHARED.is_dir():
            pytest.fail(message)
        pytest.skip(message)
    return path


@contextmanager
def postgres_database() -> Iterator[str]:
    """A database of its own on the local server, as SQLAlchemy's URL for psycopg2; dropped again."""
    import sqlalchemy as sa

    require_server("PostgreSQL", 5432)
    server = "postgresql+psycopg2://postgres@127.0.0.1:5432"
    name = f"automl_test_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    yield f"{server}/{name}"
    with admin.connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.dispose()


def require_server(name: str, port: int) -> None:
    """Skip, or fail in CI, unless something listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return
    message = f"no {name} listens on 127.0.0.1:{port}"
    if IN_CI:
        pytest.fail(message)
    pytest.skip(message)
