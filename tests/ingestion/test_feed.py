"""A pipeline's batches whatever they are: keys, digests, and where a batch is read."""

import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from automl_assets.core.errors import SourceError
from automl_assets.core.records import LandedBatch
from automl_assets.ingestion.config import BatchesConfig, ScheduleConfig, source_from
from automl_assets.ingestion.feed import Feed

NOW = datetime(2024, 4, 2, 12, tzinfo=UTC)


def feed_of(folder: Path, known: dict[str, LandedBatch] | None = None, *, path: str = "t.csv", **batches: Any) -> Feed:
    config = SimpleNamespace(
        source=source_from({"type": "csv", "path": path}).located(folder),
        batches=BatchesConfig(**batches),
        schedule=ScheduleConfig(timezone="Europe/Warsaw"),
        quality=SimpleNamespace(contract=None),
    )
    return Feed.of(config, known)


def lie(path: Path, text: str, state: Any = "landed", same_as: str | None = None, digest: str = "") -> LandedBatch:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    stat = path.stat()
    return LandedBatch(
        "p", path.name, digest or f"digest of {path.name}", stat.st_size, stat.st_mtime_ns, state, same_as
    )


def cells(feed: Feed, batch: str) -> list[str]:
    return [cell for piece in feed.open(batch).batches() for cell in piece.column(1).to_pylist()]


def test_a_pipeline_without_batches_has_one(tmp_path: Path) -> None:
    lie(tmp_path / "t.csv", "a,b\n1,x\n2,y\n")
    feed = feed_of(tmp_path)
    assert feed.keys() == ["all"]
    assert feed.digest("all") == feed.source.digest("all")
    assert not feed.is_empty("all")
    assert cells(feed, "all") == ["x", "y"]


def test_batches_are_what_landed_in_natural_order_and_copies_are_none(tmp_path: Path) -> None:
    known = {
        key: LandedBatch("p", key, key, state=state, same_as=None if state == "landed" else "b2")
        for key, state in (("b10", "landed"), ("b2", "landed"), ("copy", "duplicate"), ("moved", "moved"))
    }
    assert feed_of(tmp_path, known, kind="files").keys() == ["b2", "b10"]


def test_an_unchanged_file_is_not_hashed_again_and_a_changed_one_is(tmp_path: Path) -> None:
    row = lie(tmp_path / "in" / "a.csv", "a,b\n1,x\n2,y\n")
    feed = feed_of(tmp_path, {"a.csv": row}, path="in", kind="files")
    assert feed.digest("a.csv") == "digest of a.csv"
    os.utime(tmp_path / "in" / "a.csv", ns=(1, 1))
    assert feed.digest("a.csv") == feed.source.digest("a.csv")
    lie(tmp_path / "in" / "new.csv", "a,b\n1,x\n2,y\n")
    assert feed.digest("new.csv") == feed.source.digest("new.csv")


def test_a_moved_batch_keeps_its_digest_and_is_read_where_it_lies(tmp_path: Path) -> None:
    here = lie(tmp_path / "in" / "moved.csv", "a,b\n1,x\n2,y\n", "moved", "a.csv", "d")
    known = {"a.csv": LandedBatch("p", "a.csv", "d"), "moved.csv": here, "lost.csv": LandedBatch("p", "lost.csv", "e")}
    feed = feed_of(tmp_path, known, path="in", kind="files")
    assert feed.digest("a.csv") == "d"
    assert cells(feed, "a.csv") == ["x", "y"]
    assert feed.digest("lost.csv") == "e", "what was read of a file that is gone can still be used"
    with pytest.raises(SourceError, match="There is no such file"):
        feed.open("lost.csv")


def test_windows_are_read_by_their_column_and_an_empty_one_is_an_answer(tmp_path: Path) -> None:
    lie(tmp_path / "t.csv", "at,n\n2024-03-30,1\n2024-03-31T22:30,2\n2024-04-02,3\n")
    feed = feed_of(tmp_path, kind="daily", start="2024-03-30", time_column="at")
    keys = [window.key for window in feed.windows(NOW)]
    assert keys == ["2024-03-30", "2024-03-31", "2024-04-01"]
    assert [feed.is_empty(key) for key in keys] == [False, False, True]
    assert [cells(feed, key) for key in keys[:2]] == [["1"], ["2"]]
    before = {key: feed.digest(key) for key in keys}
    lie(tmp_path / "t.csv", "at,n\n2024-03-30,1\n2024-03-31T22:30,2\n2024-04-02,3\n2024-04-01,4\n")
    assert [feed.digest(key) == before[key] for key in keys] == [True, True, False]
    assert not feed.is_empty("2024-04-01")


def test_a_query_s_empty_window_is_found_and_what_was_asked_is_not_asked_again(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "t.db") as connection:
        connection.execute("CREATE TABLE t (at text, n int)")
        connection.execute("INSERT INTO t VALUES ('2024-03-30', 1)")
    query = "SELECT at, n FROM t WHERE at >= :start AND at < :end"
    source = source_from({"type": "sql", "url": f"sqlite:///{tmp_path / 't.db'}", "query": query})
    feed = Feed(source, BatchesConfig(kind="daily", start="2024-03-30"), "UTC")
    assert feed.is_empty("2024-03-31")
    assert not feed.is_empty("2024-03-30")
    connection.execute("DELETE FROM t")
    connection.commit()
    connection.close()
    assert cells(feed, "2024-03-30") == [1]
    assert cells(feed, "2024-03-30") == []
