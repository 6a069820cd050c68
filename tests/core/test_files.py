"""Files and folders that are whole or absent."""

from pathlib import Path

import pytest

from automl_assets.core.files import (
    PARTIAL,
    atomic_file,
    atomic_folder,
    folder_size,
    partial_file,
    remove_partials,
    write_text,
)


def fail_after(path: Path) -> None:
    path.write_text("half")
    raise RuntimeError("half way")


def test_a_file_appears_only_when_its_writer_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    with atomic_file(path) as partial:
        partial.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


def test_a_writer_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError, match="half way"), atomic_file(path) as partial:
        fail_after(partial)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_partial_file_that_nobody_named_goes_away(tmp_path: Path) -> None:
    with partial_file(tmp_path) as partial:
        partial.write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "model") as partial:
        (partial / "a").write_text("1")
        assert not (tmp_path / "model").exists()
    with pytest.raises(RuntimeError, match="half way"), atomic_folder(tmp_path / "other") as partial:
        fail_after(partial / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / "a").read_text() == "1"


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with atomic_folder(tmp_path / "model") as partial:
            (partial / "a").write_text(text)
    assert (tmp_path / "model" / "a").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a" / f"{PARTIAL}1").mkdir(parents=True)
    (tmp_path / "a" / f"{PARTIAL}1" / f"{PARTIAL}2").write_text("x")
    (tmp_path / "b.parquet").write_text("x")
    (tmp_path / f"{PARTIAL}3").write_text("x")
    assert remove_partials(tmp_path) == 3
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b.parquet"]
    assert remove_partials(tmp_path) == 0
    assert remove_partials(tmp_path / "nowhere") == 0


def test_a_folder_is_as_large_as_its_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"12345")
    (tmp_path / "y").write_bytes(b"123")
    assert folder_size(tmp_path) == 8
