"""What the tests of `automl reproduce` share."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.command import Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Scratch folders go below the project, where a test can look for them."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "scratch").mkdir()
    made = Project(tmp_path, {"TMPDIR": str(tmp_path / "scratch")})
    yield made
    made.close()
    shutil.rmtree(tmp_path, ignore_errors=True)


def left_behind(project: Project) -> list[Path]:
    return list((project.root / "scratch").glob("automl-reproduce-*"))


def identical(project: Project, name: str, version: str = "1") -> None:
    done = project.run("reproduce", name, version, "--json", timeout=1500)
    told = done.document
    assert (told["identical"], told["difference"], told["told"]) == (True, None, "identical"), told
    assert (done.code, told["pipeline"], told["version"], told["deterministic"]) == (0, name, version, True)
    assert told["seconds"] > 0
    assert left_behind(project) == []
