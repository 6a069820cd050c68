"""What lies in a folder."""

import os
from pathlib import Path

import pytest

from automl_assets.core.errors import SourceError
from automl_assets.core.records import LandedBatch
from automl_assets.ingestion.landing import LyingFile, files_in, hash_file, listing_digest, where_it_lies


def lay(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


@pytest.mark.parametrize(
    ("names", "glob", "marker", "keys"),
    [
        (["a.csv", ".b.csv", "c.txt"], "*.csv", None, {"a.csv": True}),
        (["a.csv", "b.csv", "_SUCCESS"], "*", "_SUCCESS", {"a.csv": True, "b.csv": True}),
        (["a.csv", "b.csv"], "*", "_SUCCESS", {"a.csv": False, "b.csv": False}),
        (["a.csv", "a.csv.done", "b.csv"], "*.csv*", "{name}.done", {"a.csv": True, "b.csv": False}),
        (["c.csv.done"], "*", "{name}.done", {}),
        (["a.csv.gz", "a.ok", "b.csv", "c.csv", "c.ok"], "*.csv*", "{stem}.ok",
         {"a.csv.gz": True, "b.csv": False, "c.csv": True}),
        (["x/a.csv", "x/_SUCCESS", "y/a.csv"], "*/*.csv", "_SUCCESS", {"x/a.csv": True, "y/a.csv": False}),
        (["x/a.csv", "b.csv"], "**/*.csv", None, {"x/a.csv": True, "b.csv": True}),
        (["a, b.csv"], "*.csv", None, {"a%2C b.csv": True}),
    ],
)  # fmt: skip
def test_files_are_found_with_their_markers(
    tmp_path: Path, names: list[str], glob: str, marker: str | None, keys: dict[str, bool]
) -> None:
    lay(tmp_path, *names)
    assert {file.key: file.marked for file in files_in(tmp_path, glob, marker)} == keys


@pytest.mark.parametrize("glob", ["*.csv", "**/*.csv"])
def test_a_folder_that_is_not_there_is_said(tmp_path: Path, glob: str) -> None:
    with pytest.raises(SourceError, match=r"The folder in which files should land is not there\. Create it"):
        files_in(tmp_path / "nowhere", glob)


def test_a_listing_is_the_same_until_a_file_changes(tmp_path: Path) -> None:
    lay(tmp_path, "a.csv", "b.csv")
    before = listing_digest(files_in(tmp_path, "*.csv"))
    assert listing_digest(list(reversed(files_in(tmp_path, "*.csv")))) == before
    os.utime(tmp_path / "a.csv", ns=(1, 1))
    assert listing_digest(files_in(tmp_path, "*.csv")) != before


def test_a_file_that_changes_while_it_is_hashed_has_no_digest(tmp_path: Path) -> None:
    lay(tmp_path, "a.csv")
    (file,) = files_in(tmp_path, "*.csv")
    assert hash_file(tmp_path, file) is not None
    assert hash_file(tmp_path, file._replace(size=file.size - 1)) is None
    assert hash_file(tmp_path, LyingFile("gone.csv", 1, 1)) is None


def test_a_moved_batch_is_read_where_it_lies_now(tmp_path: Path) -> None:
    lay(tmp_path, "there.csv", "moved.csv", "other.csv")
    known = {
        "there.csv": LandedBatch("p", "there.csv", "a"),
        "gone.csv": LandedBatch("p", "gone.csv", "b"),
        "moved.csv": LandedBatch("p", "moved.csv", "b", state="moved", same_as="gone.csv"),
        "lost.csv": LandedBatch("p", "lost.csv", "c"),
        "other.csv": LandedBatch("p", "other.csv", "d", state="moved", same_as="lost.csv"),
    }
    found = {key: where_it_lies(tmp_path, key, known) for key in ("there.csv", "gone.csv", "lost.csv", "new.csv")}
    assert found == {
        "there.csv": "there.csv",
        "gone.csv": "moved.csv",
        "lost.csv": "lost.csv",
        "new.csv": "new.csv",
    }
