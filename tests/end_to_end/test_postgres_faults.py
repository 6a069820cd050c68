"""PostgreSQL as Dagster's storage and the platform's database, for real, and the way to it cut for a while.

Here the sensors look in this process; by `make fault-test` a real daemon and its runs live through it.
"""

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from automl_assets.core.errors import StorageError
from automl_assets.core.records import Action
from automl_assets.definitions import definitions_of
from automl_assets.pipeline_files import load_pipeline
from resources import platform_database
from resources.platform_database import PlatformDatabase, close_all
from resources.records.actions import Actions
from resources.records.verdicts import Verdicts
from resources.settings import Settings, template
from tests.conftest import postgres_database
from tests.end_to_end.command import Project, table_text, wait_until
from tests.end_to_end.daemon import Sensors, Server, ticks, write_tiny
from tests.end_to_end.proxy import Proxy

NAME = "landed"
MORE = "  batches: {kind: files, glob: '*.csv'}\n"
GONE_SECONDS = 60.0


@pytest.fixture
def url() -> Iterator[str]:
    with postgres_database() as url:
        yield url
        close_all()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy(5432)
    yield made
    made.close()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    (tmp_path / "landing").mkdir()
    write_tiny(made, NAME, "../../landing", MORE)
    yield made
    made.close()


def by(proxy: Proxy, url: str) -> str:
    return url.replace(":5432/", f":{proxy.port}/")


def instance_on(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    """An instance as deploy/dagster.postgres.yaml states it."""
    monkeypatch.setenv("AUTOML_DATABASE_URL", url)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dagster.yaml").write_text(template("dagster.postgres.yaml").read_text())
    return dg.DagsterInstance.from_config(str(folder))


def test_ticks_on_postgresql_fail_with_a_sentence_while_it_is_gone_and_lose_nothing(
    url: str, proxy: Proxy, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    through = {"AUTOML_HOME": str(project.home), "AUTOML_DATABASE_URL": by(proxy, url)}
    settings = Settings.from_environment(through, folder=project.root)
    pipeline = load_pipeline(project.root / "pipelines" / NAME / "defs.yaml")
    landing = project.root / "landing"
    with instance_on(url, settings.dagster_home, monkeypatch) as instance:
        sensors = Sensors(definitions_of([pipeline], settings), instance)
        for key in ("a", "b"):
            (landing / f"{key}.csv").write_text(key)
        asked = [sensors.tick("new_batches").run_requests for _ in range(2)][1]
        assert [one.partition_key for one in asked] == ["a.csv", "b.csv"]
        assert set(instance.get_dynamic_partitions(f"{NAME}_batches")) == {"a.csv", "b.csv"}
        actions = Actions(PlatformDatabase.of(settings.home, settings.database_url))
        actions.add(Action(NAME, "retrain", "retrain-f1", "it drifted", finding="f1"))
        (retrain,) = sensors.tick("drift_retraining", remember=False).run_requests

        proxy.close()
        (landing / "c.csv").write_text("c")
        for name in ("new_batches", "drift_retraining", "alerts"):
            with pytest.raises(StorageError, match=r"The platform's database refused: .*AUTOML_DATABASE_URL") as failed:
                sensors.tick(name)
            assert "\n" not in str(failed.value)
        proxy.open()

        asked = [one for _ in range(3) for one in sensors.tick("new_batches").run_requests]
        assert [one.partition_key for one in asked] == ["c.csv"]
        (again,) = sensors.tick("drift_retraining").run_requests
        assert again.run_key == retrain.run_key
        assert sensors.tick("alerts").skip_message == "No message is due."


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform_database, "CONNECT_SECONDS", 2)  # the least that PostgreSQL's library takes
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        begun = time.monotonic()
        with pytest.raises(StorageError, match="timeout expired"):
            Actions(PlatformDatabase(f"postgresql://127.0.0.1:{silent.getsockname()[1]}/x")).unfinished("retrain")
    assert time.monotonic() - begun < 10


@pytest.mark.slow
def test_a_real_daemon_on_postgresql_goes_on_after_a_minute_without_it(
    url: str, proxy: Proxy, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.environment["AUTOML_DATABASE_URL"] = by(proxy, url)
    landing = project.root / "landing"
    server = Server(project)
    server.prepare(template("dagster.postgres.yaml").read_text())
    platform = PlatformDatabase(url)

    def judged(key: str) -> bool:
        return any(row.verdict.batch == key for row in Verdicts(platform).of(NAME))

    def land(key: str, seed: int) -> None:
        (landing / key).write_text(table_text(300, seed=seed))

    try:
        land("a.csv", 1)
        server.start_code(wait=False)
        assert project.ok("run", NAME)["model"]["alias"] == "champion"
        assert judged("a.csv")
        server.wait_for_code()
        with instance_on(url, project.root / "beside", monkeypatch) as instance:
            server.start_daemon()
            server.switch_on(instance, ["new_batches", "drift_retraining"])
            land("b.csv", 2)
            assert wait_until(lambda: judged("b.csv"), 240, poll=1), server.log("daemon") + server.log("code")
            looked = len(ticks(instance, "new_batches"))

            proxy.close()
            land("c.csv", 3)
            time.sleep(GONE_SECONDS)
            proxy.open()
            assert server.daemon is not None
            print("the daemon", "ended" if server.daemon.poll() is not None else "lives on")
            if server.daemon.poll() is not None:
                server.start_daemon()  # as docker-compose.yml does: restart: unless-stopped
            assert wait_until(lambda: judged("c.csv"), 240, poll=1), server.log("daemon") + server.log("code")
            assert len(ticks(instance, "new_batches")) > looked
            runs = instance.get_runs(dg.RunsFilter(job_name=f"{NAME}_score", tags={"automl/trigger": "arrival"}))
            assert sorted(run.tags["dagster/partition"] for run in runs) == ["b.csv", "c.csv"]
            succeeded = dg.RunsFilter(run_ids=[r.run_id for r in runs], statuses=[dg.DagsterRunStatus.SUCCESS])
            assert wait_until(lambda: instance.get_runs_count(succeeded) == len(runs), 60)
        found = [(row.verdict.batch, row.verdict.champion) for row in Verdicts(platform).of(NAME)]
        assert len(found) == len(set(found))
        assert set(instance_keys(url)) == {"a.csv", "b.csv", "c.csv"}
    finally:
        server.close()


def instance_keys(url: str) -> list[str]:
    """The dynamic partitions that PostgreSQL holds."""
    import sqlalchemy as sa

    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT partition FROM dynamic_partitions")).scalars().all()
    engine.dispose()
    return [str(key) for key in found]
