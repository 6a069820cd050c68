"""Values by what they were made from, and tables that are never overwritten."""

from pathlib import Path

import pyarrow as pa
import pytest

from automl_assets.core.errors import StorageError
from automl_assets.core.tables import write_table
from automl_assets.core.values import Champion, CleaningPlan, PlanStep, RawTable
from resources.table_store import TableStore, folder_name


@pytest.fixture
def store(tmp_path: Path) -> TableStore:
    return TableStore(home=str(tmp_path))


def champion(version: str) -> Champion:
    return Champion(name="churn", version=version, run_id="r", digest="d")


def test_a_value_is_found_by_its_fingerprint_and_as_the_latest(store: TableStore) -> None:
    store.save("churn", "champion", "all", champion("1"), "f1")
    store.save("churn", "champion", "all", champion("2"), "f2")
    assert store.find("churn", "champion", "all", "f1") == champion("1")
    assert store.find("churn", "champion", "all", "f3") is None
    assert store.latest("churn", "champion") == champion("2")
    assert store.latest_fingerprint("churn", "champion") == "f2"


def test_a_provisional_value_is_the_latest_but_stands_for_no_fingerprint(store: TableStore) -> None:
    store.save("churn", "champion", "all", champion("1"), None)
    assert store.latest("churn", "champion") == champion("1")
    assert store.latest_fingerprint("churn", "champion") is None


def test_what_was_never_stored_is_none(store: TableStore) -> None:
    assert store.latest("churn", "champion") is None
    assert store.latest_fingerprint("churn", "champion") is None
    assert store.kept("churn", "schema") is None
    assert store.batches("churn", "raw_table") == []


def test_a_result_whose_table_is_gone_does_not_count(store: TableStore) -> None:
    schema = pa.schema([("x", pa.int64())])
    batch = pa.RecordBatch.from_pydict({"x": [1, 2]}, schema=schema)
    handle = write_table([batch], schema, store.tables_root, store.table_folder("churn", "raw_table"))
    raw = RawTable(batch="all", source_digest="s", table=handle)
    store.save("churn", "raw_table", "all", raw, "f")
    assert store.find("churn", "raw_table", "all", "f") == raw
    (store.tables_root / handle.path).unlink()
    assert store.find("churn", "raw_table", "all", "f") is None
    with pytest.raises(StorageError, match="--force"):
        store.open([handle])


def test_kept_values_are_apart_from_results(store: TableStore) -> None:
    plan = CleaningPlan(steps=(PlanStep(operation="trim", columns=("a",), params={}, reason="spaces"),))
    store.keep("churn", "plan", plan)
    assert store.kept("churn", "plan") == plan
    assert store.latest("churn", "plan") is None


def test_a_damaged_value_names_its_file(store: TableStore, tmp_path: Path) -> None:
    store.save("churn", "champion", "all", champion("1"), "f")
    file = next(tmp_path.glob("values/churn/champion/all/latest.json"))
    file.write_text(file.read_text()[:20])
    with pytest.raises(StorageError, match=r"latest\.json.*damaged"):
        store.latest("churn", "champion")


@pytest.mark.parametrize(
    ("batch", "folder"),
    [
        ("all", "all"),
        ("2026-01-05.csv", "2026-01-05.csv"),
        ("north/jan.csv", "north%2Fjan.csv"),
        ("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("a b%c", "a%20b%25c"),
    ],
)
def test_no_batch_key_becomes_a_path(batch: str, folder: str) -> None:
    assert folder_name(batch) == folder
    assert "/" not in folder_name(batch)
