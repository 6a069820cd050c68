"""One writer a pipeline: whoever is killed lets go, and whoever comes next cleans up."""

import signal
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest

from automl_assets.core.errors import JobError, StorageError
from resources.locks import Holder, PostgresLock, postgres_url, process_runs
from resources.pipeline_lock import PIPELINE_TAG, PROCESS_TAG, PipelineLock, end_orphans, fail_dead_runs
from tests.conftest import require_server

POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
HOLD = """
import sys, time
from resources.pipeline_lock import PipelineLock
lock = PipelineLock(home=sys.argv[1], database_url=sys.argv[2] or None)
lock.hold(sys.argv[3], "automl run elsewhere")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["file", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "postgres":
        require_server("PostgreSQL", 5432)
        return POSTGRES
    return None


@pytest.fixture
def pipeline() -> str:
    return f"p{uuid.uuid4().hex[:12]}"


@pytest.fixture
def elsewhere(tmp_path: Path, database_url: str | None, pipeline: str) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the lock until its standard input closes."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLD), str(tmp_path), database_url or "", pipeline],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def test_who_comes_second_learns_who_is_first(
    tmp_path: Path, database_url: str | None, pipeline: str, elsewhere: "subprocess.Popen[str]"
) -> None:
    lock = PipelineLock(home=str(tmp_path), database_url=database_url, wait_seconds=0.1)
    told: list[str] = []
    with pytest.raises(JobError) as caught:
        lock.hold(pipeline, "me", waiting=told.append)
    assert caught.value.code == "pipeline_busy"
    for text in (caught.value.message, told[0]):
        assert "automl run elsewhere" in text
        assert str(elsewhere.pid) in text


def test_a_killed_holder_lets_go(
    tmp_path: Path, database_url: str | None, pipeline: str, elsewhere: "subprocess.Popen[str]"
) -> None:
    elsewhere.send_signal(signal.SIGKILL)
    elsewhere.wait()
    lock = PipelineLock(home=str(tmp_path), database_url=database_url, wait_seconds=10)
    lock.hold(pipeline, "me")
    assert not lock.lock(pipeline).try_acquire(Holder.this_process("a stranger")), "it is mine now"
    lock.release_all()


def test_other_pipelines_are_not_held_up(
    tmp_path: Path, database_url: str | None, pipeline: str, elsewhere: "subprocess.Popen[str]"
) -> None:
    lock = PipelineLock(home=str(tmp_path), database_url=database_url, wait_seconds=0.1)
    lock.hold(f"{pipeline}_other", "me")
    assert not lock.lock(f"{pipeline}_other").try_acquire(Holder.this_process("a stranger")), "it is mine now"
    lock.release_all()


def test_the_parts_of_a_process_hold_it_together_and_the_last_lets_go(
    tmp_path: Path, database_url: str | None, pipeline: str
) -> None:
    one, other = (PipelineLock(home=str(tmp_path), database_url=database_url, wait_seconds=0.1) for _ in range(2))
    one.hold(pipeline, "me")
    one.hold(pipeline, "me again")
    other.hold(pipeline, "a run of mine")

    def taken() -> bool:
        free = other.lock(pipeline).try_acquire(Holder.this_process("a stranger"))
        return not free

    other.release_all()
    assert taken()
    one.release_all()
    stranger = other.lock(pipeline)
    assert stranger.try_acquire(Holder.this_process("a stranger"))
    stranger.release()


def test_who_takes_the_lock_removes_what_a_killed_run_left_half_written(tmp_path: Path) -> None:
    left = [
        tmp_path / "tables/churn/raw_table/all/.partial-1",
        tmp_path / "values/churn/problem/all/.partial-2",
        tmp_path / "studies/churn-0abc/trials/linear-0/.partial-3/model.json",
    ]
    kept = [
        tmp_path / "tables/churn/raw_table/all/0abc.parquet",
        tmp_path / "tables/churned/raw_table/all/.partial-4",
    ]
    for path in left + kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    lock = PipelineLock(home=str(tmp_path))
    lock.hold("churn", "me")
    lock.release_all()
    assert [path for path in left + kept if path.exists()] == kept


def test_a_database_that_does_not_answer_is_named() -> None:
    lock = PostgresLock("postgresql+psycopg2://postgres@127.0.0.1:1/postgres", "churn")
    with pytest.raises(StorageError, match="AUTOML_DATABASE_URL"):
        lock.try_acquire(Holder.this_process("me"))


@pytest.mark.parametrize(
    ("url", "libpq"),
    [
        ("postgresql+psycopg2://u:p+w@h/db", "postgresql://u:p+w@h/db"),
        ("postgresql://u@h/db", "postgresql://u@h/db"),
        ("postgres://u@h/db", "postgres://u@h/db"),
    ],
)
def test_the_drivers_suffix_is_removed_for_libpq(url: str, libpq: str) -> None:
    assert postgres_url(url) == libpq


def test_a_process_is_known_by_its_start_time_too() -> None:
    me = psutil.Process()
    assert process_runs(me.pid, me.create_time())
    assert not process_runs(me.pid, me.create_time() - 100)
    assert not process_runs(2**22 + 1, me.create_time())


def test_a_holder_on_another_host_is_neither_alive_nor_dead() -> None:
    assert Holder("elsewhere.example", 1, 0.0, "run").is_alive() is None
    assert Holder.this_process("run").is_alive() is True
    assert Holder.from_text(Holder.this_process("run").to_text()) == Holder.this_process("run")
    assert Holder.from_text("not json") is None


def test_orphans_are_ended_and_forgotten_but_strangers_with_their_number_are_not(tmp_path: Path) -> None:
    double_fork = "import subprocess as s; print(s.Popen(['sleep', '300'], stdout=s.DEVNULL, stderr=s.DEVNULL).pid)"
    orphan = int(subprocess.run([sys.executable, "-c", double_fork], capture_output=True, text=True, check=True).stdout)
    started = psutil.Process(orphan).create_time()
    stranger = subprocess.Popen(["sleep", "300"])
    file = tmp_path / "churn.children"
    file.write_text(f"{orphan} {started}\n{stranger.pid} {started - 1000}\nnot a line\n")
    try:
        assert end_orphans(file) == 1
        psutil.wait_procs([psutil.Process(orphan)] if psutil.pid_exists(orphan) else [], timeout=5)
        assert not process_runs(orphan, started)
        assert stranger.poll() is None
        assert not file.exists()
        assert end_orphans(file) == 0
    finally:
        stranger.kill()
        stranger.wait()


def test_the_dead_runs_of_a_pipeline_are_marked_failed_and_their_slots_freed(tmp_path: Path) -> None:
    @dg.asset(pool="training")
    def thing() -> None: ...

    job = dg.Definitions(assets=[thing], jobs=[dg.define_asset_job("job")]).resolve_job_def("job")
    here = Holder.this_process("run")
    dead = Holder(here.host, 2**22 + 1, 1.0, "run")
    far = Holder("elsewhere.example", 1, 1.0, "run")
    cases = {"dead": (dead, "churn"), "alive": (here, "churn"), "far": (far, "churn"), "other": (dead, "ames")}
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        storage = instance.event_log_storage
        storage.set_concurrency_slots("training", 2)
        runs = {
            name: instance.create_run_for_job(
                job,
                status=dg.DagsterRunStatus.STARTED,
                tags={PIPELINE_TAG: pipeline, PROCESS_TAG: holder.to_text()},
            )
            for name, (holder, pipeline) in cases.items()
        }
        for name in ("dead", "other"):
            storage.claim_concurrency_slot("training", runs[name].run_id, "thing")
        assert fail_dead_runs(instance, "churn") == [runs["dead"].run_id]
        statuses = {name: instance.get_run_by_id(run.run_id).status.value for name, run in runs.items()}
        holders = {slot.run_id for slot in storage.get_concurrency_info("training").claimed_slots}
    assert statuses == {"dead": "FAILURE", "alive": "STARTED", "far": "STARTED", "other": "STARTED"}
    assert holders == {runs["other"].run_id}
