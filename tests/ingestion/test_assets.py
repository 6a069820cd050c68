"""raw_table and training_window as plain functions: a schema is fixed once, breaks stay out of the training."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from automl_assets.cli.arrivals import receive_files
from automl_assets.core.errors import SourceError
from automl_assets.core.records import Quarantined, now
from automl_assets.core.values import RawTable, TrainingWindow
from automl_assets.ingestion.assets import (
    accepted_by,
    build,
    ingest,
    put_aside,
    window_of,
)
from automl_assets.ingestion.feed import Feed
from automl_assets.ingestion.steps import RAW_TABLE
from automl_assets.ingestion.window import window_checks
from automl_assets.pipeline import PipelineConfig
from resources.memory_monitor import MemoryMonitor
from resources.pipeline_lock import PipelineLock
from resources.platform_database import PlatformDatabase, PlatformRecords
from resources.records.notices import Notices
from resources.records.quarantine import Quarantine
from resources.steps import Steps, partitions_of
from resources.table_store import TableStore, ValueIOManager


@pytest.fixture
def store(tmp_path: Path) -> TableStore:
    return TableStore(home=str(tmp_path / "home"))


def pipeline(folder: Path, **sections) -> PipelineConfig:
    document = {
        "name": "churn",
        "source": {"type": "csv", "path": "landing"},
        "target": "b",
        "batches": {"kind": "files"},
        **sections,
    }
    return PipelineConfig.model_validate(document).located(folder)


def land(folder: Path, **files: str) -> None:
    (folder / "landing").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "landing" / f"{name}.csv").write_text(text)


def failed(raw: RawTable) -> list[str]:
    return [check.name for check in raw.checks if not check.passed]


def many(*cells: str) -> str:
    return "a,b\n" + "\n".join(f"{cell},x" for cell in cells) + "\n"


def test_the_first_batch_fixes_the_schema_and_a_break_stays_out(tmp_path: Path, store: TableStore) -> None:
    land(tmp_path, one=many(*"123"), two=many("4.5", "6"), three=many("word", "2"), four=many("7", "8"))
    config = pipeline(tmp_path)
    keys = ["one.csv", "two.csv", "three.csv", "four.csv"]
    raws = {key: ingest(config, key, store) for key in keys}
    assert [failed(raw) for raw in raws.values()] == [[], [], ["schema_matches"], []]
    assert raws["two.csv"].schema_changes == ("Column 'a' widened from integer to number.",)
    assert raws["four.csv"].table.columns[0].type == "number"
    assert all(raw.table.path.startswith(f"churn/{RAW_TABLE.name}/") for raw in raws.values())
    window = window_of(raws, config)
    assert sorted(batch.key for batch in window.batches) == ["four.csv", "one.csv", "two.csv"]
    assert [key for key, _ in window.excluded] == ["three.csv"]
    assert window.rows == 7
    assert [check.passed for check in window_checks(window)] == [False, False]
    assert store.open([raws[key].table for key in ("one.csv", "two.csv")]).to_table().column("a").to_pylist() == [
        1.0,
        2.0,
        3.0,
        4.5,
        6.0,
    ]


def test_a_batch_read_twice_is_the_same_value(tmp_path: Path, store: TableStore) -> None:
    land(tmp_path, one=many(*"123"))
    config = pipeline(tmp_path)
    assert ingest(config, "one.csv", store) == ingest(config, "one.csv", store)


def test_another_source_section_is_another_recorded_schema(tmp_path: Path, store: TableStore) -> None:
    land(tmp_path, one=many(*"123"), two=many("word"))
    ingest(pipeline(tmp_path), "one.csv", store)
    assert failed(ingest(pipeline(tmp_path), "two.csv", store)) == ["schema_matches"]
    stated = pipeline(tmp_path, source={"type": "csv", "path": "landing", "header": True})
    assert failed(ingest(stated, "two.csv", store)) == []


def test_a_batch_of_many_ragged_rows_is_quarantined_and_they_are_kept_aside(tmp_path: Path, store: TableStore) -> None:
    land(tmp_path, one="a,b\n" + "1,x\n" * 8 + "2\n" * 2)
    raw = ingest(pipeline(tmp_path), "one.csv", store)
    assert failed(raw) == ["rows_readable"]
    assert raw.table.rows == 8
    assert raw.rejected_path is not None
    assert (store.tables_root / raw.rejected_path).read_text() == "2\n2\n"


@pytest.mark.parametrize(("least", "broken"), [(3, []), (4, ["contract"])])
def test_a_contract_is_a_blocking_check_of_each_batch(
    tmp_path: Path, store: TableStore, least: int, broken: list[str]
) -> None:
    land(tmp_path, one=many(*"123"))
    (tmp_path / "contract.yaml").write_text(f"rows: {{least: {least}}}\n")
    raw = ingest(pipeline(tmp_path, quality={"contract": "contract.yaml"}), "one.csv", store)
    assert failed(raw) == broken
    assert [check.name for check in raw.checks] == ["schema_matches", "rows_readable", "contract"]


def test_a_batch_that_can_t_be_read_leaves_nothing(tmp_path: Path, store: TableStore) -> None:
    land(tmp_path, one="a,b\n")
    with pytest.raises(SourceError):
        ingest(pipeline(tmp_path), "one.csv", store)
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []


def test_a_window_asked_for_the_last_batches_has_those(tmp_path: Path, store: TableStore) -> None:
    land(tmp_path, one=many("1"), two=many("2"), three=many("3"))
    config = pipeline(tmp_path, training_window={"batches": {"last": 1}})
    raws = {key: ingest(config, key, store) for key in config.source.landed(None)}
    assert [batch.key for batch in window_of(raws, config).batches] == ["two.csv"]


def test_an_accepted_batch_joins_the_others_and_its_checks_say_who_accepted_it(
    tmp_path: Path, store: TableStore
) -> None:
    land(tmp_path, one=many(*"123"), two="a,b\nword,x\n5,x\n7\n")
    config = pipeline(tmp_path)
    first = ingest(config, "one.csv", store)
    assert failed(ingest(config, "two.csv", store)) == ["schema_matches", "rows_readable"]
    accepted = ingest(config, "two.csv", store, accepted="ada")
    assert failed(accepted) == []
    told = {check.name: check.description for check in accepted.checks}
    assert "Accepted by ada" in told["schema_matches"]
    assert told["rows_readable"].startswith("Accepted by ada: 1 rows (33.3%)")
    rows = store.open([first.table, accepted.table]).to_table()
    assert rows.column("a").to_pylist() == [1, 2, 3, None, 5]
    window = window_of({"one.csv": first, "two.csv": accepted}, config, {"two.csv": "accepted"})
    assert len(window.batches) == 2
    assert window_of({"one.csv": first, "two.csv": accepted}, config, {"two.csv": "rejected"}).rows == 3


# ---- as Dagster runs -------------------------------------------------------------------------------------------


class Runs:
    """raw_table and training_window of one pipeline on an instance of their own."""

    def __init__(self, config: PipelineConfig, store: TableStore, folder: Path):
        self.instance = dg.DagsterInstance.ephemeral()
        self.config, self.store = config, store
        self.records = PlatformRecords(home=str(folder))
        self.database = PlatformDatabase.of(folder, None)
        self.assets = build(config)
        self.resources: dict[str, Any] = {
            "values": ValueIOManager(home=store.home),
            "steps": Steps(store=store, lock=PipelineLock(home=store.home), memory=MemoryMonitor()),
            "records": self.records,
        }

    def read(self, *batches: str) -> list[dg.ExecuteInProcessResult]:
        partitions = partitions_of(self.config)
        if isinstance(partitions, dg.DynamicPartitionsDefinition):
            self.instance.add_dynamic_partitions(str(partitions.name), list(batches))
        return [self._run("raw_table", batch) for batch in batches]

    def window(self) -> TrainingWindow:
        self._run("training_window", None)  # too few rows fail its check; what it chose is stored all the same
        value = self.store.latest(self.config.name, "training_window")
        assert isinstance(value, TrainingWindow)
        return value

    def _run(self, asset: str, partition: str | None) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            self.assets,
            instance=self.instance,
            selection=[dg.AssetKey([self.config.name, asset])],
            partition_key=partition,
            resources=self.resources,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )


@pytest.fixture
def runs(tmp_path: Path, store: TableStore):
    made: list[Runs] = []

    def make(config: PipelineConfig) -> Runs:
        made.append(Runs(config, store, tmp_path))
        return made[-1]

    yield make
    for one in made:
        one.instance.dispose()


def test_a_window_without_rows_is_skipped_with_a_reason_and_training_reads_the_others(tmp_path: Path, runs) -> None:
    days = ["2024-03-30", "2024-03-31T22:30", "2024-04-02T00:00", "2024-04-02T23:59"]
    land(tmp_path, table="at,a,b\n" + "".join(f"{day},{n},x\n" for n, day in enumerate(days) for _ in range(10)))
    one = runs(
        pipeline(
            tmp_path,
            source={"type": "csv", "path": "landing/table.csv"},
            batches={"kind": "daily", "start": "2024-03-30", "time_column": "at"},
            schedule={"timezone": "Europe/Warsaw"},
        )
    )
    done = one.read("2024-03-30", "2024-03-31", "2024-04-01", "2024-04-02")
    assert [result.success for result in done] == [True] * 4
    assert [len(result.asset_materializations_for_node("churn__raw_table")) for result in done] == [1, 1, 0, 1]
    (observed,) = done[2].get_asset_observation_events()
    reason = observed.asset_observation_data.asset_observation.metadata["skipped"].value
    assert reason == "No row of churn lies in the window 2024-04-01."
    window = one.window()
    assert [(batch.key, batch.table.rows) for batch in window.batches] == [
        ("2024-03-30", 10), ("2024-03-31", 10), ("2024-04-02", 20),
    ]  # fmt: skip


def test_a_moved_batch_is_still_its_partition_and_a_gone_one_is_used_as_it_was_read(tmp_path: Path, runs) -> None:
    land(tmp_path, one=many("1", "2"), two=many("3", "4"))
    one = runs(pipeline(tmp_path))
    receive_files(one.config, one.database, lambda _: None)
    assert all(result.success for result in one.read("one.csv", "two.csv"))
    (tmp_path / "landing" / "one.csv").rename(tmp_path / "landing" / "moved.csv")
    known, told = receive_files(one.config, one.database, lambda _: None)
    assert told == ["moved.csv has the content of one.csv"]
    assert Feed.of(one.config, known).keys() == ["one.csv", "two.csv"]
    (tmp_path / "landing" / "two.csv").unlink()
    assert all(result.success for result in one.read("one.csv", "two.csv"))
    assert one.window().rows == 4


def test_a_person_s_answer_reads_a_batch_again_and_changes_the_window(tmp_path: Path, runs) -> None:
    land(tmp_path, one=many(*"123"), two=many("word", "5"))
    one = runs(pipeline(tmp_path))
    known, _ = receive_files(one.config, one.database, lambda _: None)
    assert [result.success for result in one.read("one.csv", "two.csv")] == [True, False]
    assert one.window().rows == 3
    quarantine = Quarantine(one.database)
    (waiting,) = quarantine.of("churn")
    assert (waiting.batch, waiting.digest, waiting.answer) == ("two.csv", known["two.csv"].digest, "waiting")
    assert waiting.reasons == ("schema_matches: Column 'a' was recorded as integer; this batch holds text.",)
    quarantine.answer(waiting, "accepted", actor="ada", why="it was the supplier", at=now())
    assert [result.success for result in one.read("two.csv")] == [True]
    assert one.window().rows == 5
    quarantine.answer(waiting, "rejected", actor="ada", why="after all", at=now())
    window = one.window()
    assert (window.rows, [key for key, _ in window.excluded]) == (3, ["two.csv"])


def test_a_batch_in_quarantine_is_told_once_and_one_that_was_left_out_not_again(
    tmp_path: Path, store: TableStore
) -> None:
    land(tmp_path, one=many(*"123"), two=many("word", "5"))
    config, records = pipeline(tmp_path), PlatformRecords(home=str(tmp_path))
    good, broken = (ingest(config, key, store) for key in ("one.csv", "two.csv"))
    for raw in (good, broken, broken):
        assert put_aside(config, raw, records) == raw
    notices, quarantine = Notices(records.database()), Quarantine(records.database())
    (notice,) = notices.of("churn")
    assert (notice.severity, notice.title) == (
        "critical", "Batch two.csv is in quarantine and waits for an answer: automl review",
    )  # fmt: skip
    assert notice.body == "schema_matches: Column 'a' was recorded as integer; this batch holds text."
    (waiting,) = quarantine.of("churn")
    quarantine.answer(waiting, "rejected", actor="ada", why="rubbish", at=now())
    notices.settle(replace(notice, state="sent"))
    assert notices.purge(now() + timedelta(days=1)) == 1
    put_aside(config, broken, records)
    assert (notices.of("churn"), len(quarantine.of("churn"))) == ([], 1)


def test_content_that_was_accepted_stays_so_when_a_file_is_written_back(tmp_path: Path, store: TableStore) -> None:
    land(tmp_path, two=many("word", "5"))
    config, records = pipeline(tmp_path), PlatformRecords(home=str(tmp_path))
    quarantine = Quarantine(records.database())
    mine = Feed.of(config).digest("two.csv")
    for digest, answer in ((mine, "accepted"), ("another content", "rejected")):
        quarantine.put(Quarantined("churn", "two.csv", digest, ("broken",)))
        quarantine.answer(quarantine.of("churn")[0], answer, actor="ada", why="w", at=now())  # type: ignore[arg-type]

    assert accepted_by(config, records, "two.csv", Feed.of(config)) == "ada"
    land(tmp_path, two=many("word", "6"))
    assert accepted_by(config, records, "two.csv", Feed.of(config)) is None
    assert accepted_by(config, records, "one.csv", Feed.of(config)) is None
