"""The PostgreSQL instance, for real: Dagster's storage, the platform's records and the lock in one database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import ROOT, postgres_database
from tests.end_to_end.command import Project


@pytest.fixture
def url() -> Iterator[str]:
    with postgres_database() as url:
        yield url


def test_a_run_on_postgresql(url: str, tmp_path: Path) -> None:
    project = Project(tmp_path, {"AUTOML_DATABASE_URL": url})
    project.write("served")
    instance = project.home / "dagster" / "dagster.yaml"
    instance.parent.mkdir(parents=True)
    instance.write_text((ROOT / "deploy" / "dagster.postgres.yaml").read_text())
    assert project.ok("run", "served")["model"]["alias"] == "champion"
    assert project.ok("run", "served")["status"] == "up_to_date"
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        tables = set(sa.inspect(connection).get_table_names())
        acts = connection.execute(sa.text("SELECT what, actor FROM automl_act")).all()
        runs = connection.execute(sa.text("SELECT status FROM runs")).scalars().all()
        held = connection.execute(sa.text("SELECT count(*) FROM pending_steps")).scalar()
    engine.dispose()
    assert {"runs", "event_logs", "automl_act"} <= tables
    assert [tuple(act) for act in acts] == [("promote", "the gate")]
    assert set(runs) == {"SUCCESS"}
    assert held == 0
    assert not list(project.home.rglob("runs.db")), "nothing of Dagster's went to SQLite"
    assert not (project.home / "locks" / "served.lock").exists()
