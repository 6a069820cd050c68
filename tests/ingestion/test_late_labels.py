"""Labels that come later, as training meets them: joined once they are there and mature, once for each row."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from automl_assets.core.errors import SchemaError
from automl_assets.core.records import LandedBatch, now
from automl_assets.core.values import TrainingWindow
from automl_assets.ingestion.assets import (
    ingest,
    labels_table,
    labels_version,
    labels_versions,
    matures_on,
    window_of,
    with_labels,
)
from automl_assets.pipeline import PipelineConfig
from resources.platform_database import PlatformRecords
from resources.records.batches import Batches
from resources.table_store import TableStore
from tests.ingestion.test_assets import land, pipeline, store

__all__ = ["store"]


def late(folder: Path, **sections: Any) -> PipelineConfig:
    """A pipeline whose labels stand in a table of their own, by `a`."""
    labels = {"source": {"type": "csv", "path": "labels.csv"}, "key": ["a"], "matures_after_days": 0}
    return pipeline(folder, labels={**labels, **sections.pop("labels", {})}, **sections)


def unlabelled(*cells: str) -> str:
    return "a,c\n" + "\n".join(f"{cell},0" for cell in cells) + "\n"


class Late:
    """What training reads of some files that landed, as labels come."""

    def __init__(self, folder: Path, store: TableStore, config: PipelineConfig):
        self.folder, self.store, self.config = folder, store, config
        self.records = PlatformRecords(home=str(folder))
        keys = config.source.landed(None)
        Batches(self.records.database()).land([LandedBatch("churn", key, key) for key in keys])
        self.raws = {key: ingest(config, key, store) for key in keys}

    def window(self, labels: str | None = None) -> TrainingWindow:
        if labels is not None:
            (self.folder / "labels.csv").write_text(labels)
        return with_labels(window_of(self.raws, self.config), self.config, self.store, self.records)

    def rows(self, window: TrainingWindow) -> list[tuple[object, object]]:
        table = self.store.open([batch.table for batch in window.batches]).to_table()
        return list(zip(table.column("a").to_pylist(), table.column("b").to_pylist(), strict=True))


def chosen(window: TrainingWindow) -> tuple[dict[str, int], dict[str, str]]:
    """Rows by batch, and why the others are left out."""
    return {batch.key: batch.table.rows for batch in window.batches}, dict(window.excluded)


def test_training_reads_the_labels_that_have_come_and_counts_no_row_twice(tmp_path: Path, store: TableStore) -> None:
    land(tmp_path, one=unlabelled("1", "2"), two=unlabelled("3", "4"))
    arrived = Late(tmp_path, store, late(tmp_path))
    absent = "no labels have come yet"
    assert chosen(arrived.window()) == ({}, {"one.csv": absent, "two.csv": absent})
    window = arrived.window("a,b\n1,x\n1,x\n99,z\n2,x\n2,y\n")
    assert chosen(window) == ({"one.csv": 2}, {"two.csv": "no row has a label"})
    assert arrived.rows(window) == [(1, "x"), (2, "y")], "twice is once, the last one counts, 99 is nobody"
    again = arrived.window("a,b\n1,x\n2,y\n4,x\n")
    assert chosen(again) == ({"one.csv": 2, "two.csv": 1}, {})
    assert again.batches[0].table.digest == window.batches[0].table.digest, "what did not change is the same table"
    assert again.batches[0].raw_digest == arrived.raws["one.csv"].table.digest


def test_a_batch_that_brings_its_target_needs_no_labels_and_takes_those_that_come(
    tmp_path: Path, store: TableStore
) -> None:
    land(tmp_path, one="a,b\n1,x\n2,\n", two=unlabelled("3"))
    arrived = Late(tmp_path, store, late(tmp_path, labels={"matures_after_days": 30}))
    assert chosen(arrived.window())[0] == {"one.csv": 2}
    window = arrived.window("a,b\n2,y\n3,y\n")
    rows, why = chosen(window)
    assert rows == {"one.csv": 2}
    assert why["two.csv"].startswith("its labels mature on 2")
    assert arrived.rows(window) == [(1, "x"), (2, "y")]


@pytest.mark.parametrize(
    ("batches", "batch", "days_ago", "waits"),
    [
        ({"kind": "files"}, "one.csv", 29, True),
        ({"kind": "files"}, "one.csv", 31, False),
        ({"kind": "files"}, "unknown.csv", 31, True),
        ({"kind": "daily", "start": "2024-01-01"}, "2024-01-01", 0, False),
        ({"kind": "monthly", "start": "2024-01-01"}, f"{now().date().replace(day=1)}", 0, True),
        ({"kind": "none"}, "all", 0, False),
    ],
)
def test_labels_mature_days_after_a_batch_landed_or_a_window_ended(
    tmp_path: Path, batches: dict[str, Any], batch: str, days_ago: int, waits: bool
) -> None:
    config = late(tmp_path, batches=batches, labels={"matures_after_days": 30})
    records = PlatformRecords(home=str(tmp_path))
    landed = LandedBatch("churn", "one.csv", "d", at=now() - timedelta(days=days_ago))
    Batches(records.database()).land([landed])

    until = matures_on(config, batch, records)

    assert (until is not None) is waits
    assert labels_version(config, batch, records) == f"absent {'waits' if waits else 'mature'}"
    if until is not None and batch == "one.csv":
        assert until - now() < timedelta(days=1)


def test_the_labels_of_many_batches_are_hashed_once_and_read_once(
    tmp_path: Path, store: TableStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, records = late(tmp_path), PlatformRecords(home=str(tmp_path))
    (tmp_path / "labels.csv").write_text("a,b\n1,x\n2,y\n")
    read: list[str] = []
    kind = type(config.source)
    digest, opened = kind.digest, kind.open
    monkeypatch.setattr(kind, "digest", lambda self, batch: (read.append("hashed"), digest(self, batch))[1])
    monkeypatch.setattr(kind, "open", lambda self, batch: (read.append("read"), opened(self, batch))[1])

    versions = labels_versions(config, [f"b{number}" for number in range(200)], records)

    assert (len(versions), len(set(versions.values())), read) == (200, 1, ["hashed"])
    tables = [labels_table(config, store) for _ in range(2)]
    assert [table.count_rows() for table in tables if table is not None] == [2, 2]
    assert read.count("read") == 1
    assert labels_versions(pipeline(tmp_path), ["b1"], records) == {"b1": "none"}


def test_a_labels_table_without_the_key_is_refused_with_what_it_has(tmp_path: Path, store: TableStore) -> None:
    land(tmp_path, one=unlabelled("1"))
    with pytest.raises(SchemaError, match=r"the labels: The table has no column a\. .*customer"):
        Late(tmp_path, store, late(tmp_path)).window("customer,b\n1,x\n")
