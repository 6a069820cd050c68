"""The wheel: what it holds, and that it works in an environment of its own, far from the repository."""

import json
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.end_to_end.command import clean_environment


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_the_three_packages_their_data_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"automl_assets", "resources", "sensors"}
    for needed in (
        "automl_assets/templates/dagster.yaml",
        "automl_assets/templates/workspace.yaml",
        "automl_assets/templates/dagster.postgres.yaml",
        "automl_assets/defs/doctor_visits/defs.yaml",
        "automl_assets/py.typed",
        "resources/migrations/versions/0001_act.py",
    ):
        assert needed in names, needed
    assert not [name for name in names if name.endswith((".pyc", ".parquet", ".db"))]


def test_the_wheel_works_in_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    """The dependencies are this environment's: installing them again would take minutes and gigabytes."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    environment = clean_environment(PYTHONPATH=sysconfig.get_paths()["purelib"])
    work = tmp_path / "work"
    work.mkdir()

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = run(str(python), "-c", "import automl_assets, resources; print(automl_assets.__file__, resources.__file__)")
    assert all(path.startswith(str(home)) for path in where.split())
    automl = str(home / "bin" / "automl")
    assert run(automl, "--version").strip()
    listed = json.loads(run(automl, "list", "--json"))
    assert {p["name"] for p in listed["pipelines"]} == {"diabetes", "digits", "doctor_visits"}
    done = json.loads(run(automl, "run", "diabetes", "--until", "quality_report", "--json"))
    assert done["status"] == "success"
    assert (work / ".automl" / "dagster" / "dagster.yaml").is_file()
