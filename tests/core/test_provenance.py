"""Which code made a result."""

import re
import subprocess
from pathlib import Path

import pytest

from automl_assets.core.provenance import git_commit, lock_hash, package_version


@pytest.fixture(autouse=True)
def _fresh():
    git_commit.cache_clear()
    yield
    git_commit.cache_clear()


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_commit_is_named_and_changes_are_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-qm", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert git_commit() == commit
    (tmp_path / "a").write_text("2")
    git_commit.cache_clear()
    assert git_commit() == f"{commit}+changes"


def test_outside_of_a_repository_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit() == ""


def test_the_package_and_its_environment_have_versions() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", package_version())
    assert re.fullmatch("[0-9a-f]{32}", lock_hash())
    assert lock_hash() == lock_hash()
