"""raw_table and training_window as plain functions: a schema is fixed once, breaks stay out of the training."""

from pathlib import Path

import pytest

from automl_assets.core.errors import SourceError
from automl_assets.core.values import RawTable
from automl_assets.ingestion.assets import ingest, window_of
from automl_assets.ingestion.steps import RAW_TABLE
from automl_assets.ingestion.window import window_checks
from automl_assets.pipeline import PipelineConfig
from resources.table_store import TableStore


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
