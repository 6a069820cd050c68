"""The code location: what it loads, how fast, and what it must not import to do so."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from automl_assets.definitions import definitions_of
from automl_assets.pipeline_files import load_all, load_pipeline
from automl_assets.steps import BATCH_SIDE, MODEL_SIDE
from resources.settings import BUNDLED_PIPELINES, Settings
from tests.conftest import ROOT

HEAVY = ("torch", "sklearn", "xgboost", "lightgbm", "mlflow", "evidently", "pandas", "shap", "optuna", "matplotlib")
LOAD = f"""
import json, resource, sys
from automl_assets.definitions import defs
repository = defs().get_repository_def()
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({{
    "cpu_seconds": used.ru_utime + used.ru_stime,
    "assets": len(repository.assets_defs_by_key),
    "heavy": sorted(set({HEAVY!r}) & set(sys.modules)),
}}))
"""
CALIBRATE = """
import dagster, json, resource
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"cpu_seconds": used.ru_utime + used.ru_stime}))
"""
MOST_IMPORTS_OF_DAGSTER = 5.5  # 3 s of CPU where `import dagster` takes 0.55; they load in about 4.2 of them
MINIMAL = """type: automl_assets.AutoMLPipeline
attributes:
  name: {name}
  source: {{type: csv, path: table.csv}}
  target: y
"""


def definitions_for(*paths: Path) -> dg.Definitions:
    return definitions_of([load_pipeline(path) for path in paths], Settings.from_environment())


def write(folder: Path, name: str, more: str = "") -> Path:
    path = folder / name / "defs.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(MINIMAL.format(name=name) + more)
    return path


def test_fifty_pipelines_load_in_three_seconds_of_cpu_and_import_nothing_heavy(tmp_path: Path) -> None:
    for number in range(50):
        write(tmp_path, f"pipeline_{number}", "  schedule: {retrain: '0 3 * * 1'}\n  batches: {kind: files}\n")
    environment = {**os.environ, "AUTOML_PIPELINES": str(tmp_path), "PYTHONWARNINGS": "ignore"}

    def told_by(program: str) -> dict[str, Any]:
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    pairs = [(told_by(CALIBRATE), told_by(LOAD)) for _ in range(2)]
    dagster, loads = zip(*pairs, strict=True)
    bundled = len(list(BUNDLED_PIPELINES.glob("*/defs.yaml")))
    assert loads[0]["assets"] == (50 + bundled) * len(MODEL_SIDE + BATCH_SIDE)
    assert loads[0]["heavy"] == []
    unit, used = (min(told["cpu_seconds"] for told in of) for of in (dagster, loads))
    assert used < MOST_IMPORTS_OF_DAGSTER * unit, f"{used:.2f} s of CPU; `import dagster` takes {unit:.2f}"


def specs_of(definitions: dg.Definitions) -> dict[str, dict[str, object]]:
    graph = definitions.resolve_asset_graph()
    checks: dict[str, list[str]] = {}
    for key in graph.asset_check_keys:
        blocking = graph.get_check_spec(key).blocking
        checks.setdefault(key.asset_key.path[-1], []).append(key.name + (" (blocking)" if blocking else ""))
    return {
        spec.key.path[-1]: {
            "from": sorted(dep.asset_key.path[-1] for dep in spec.deps),
            "checks": sorted(checks.get(spec.key.path[-1], [])),
            "partitioned": spec.partitions_def is not None,
            "kinds": sorted(spec.kinds),
        }
        for spec in definitions.resolve_all_asset_specs()
    }


def test_the_graph_is_the_one_that_was_looked_at(tmp_path: Path) -> None:
    """A snapshot: a changed edge, check or partition shows in a review as a changed line."""
    snapshot = Path(__file__).parent / "asset_specs.json"
    found = {
        "none": specs_of(definitions_for(write(tmp_path / "a", "plain"))),
        "files": specs_of(definitions_for(write(tmp_path / "b", "landing", "  batches: {kind: files}\n"))),
    }
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    if not snapshot.exists():
        snapshot.write_text(text)
        pytest.fail("There was no snapshot; it was written. Look at it and commit it.")
    assert json.loads(snapshot.read_text()) == found, "Delete the snapshot and run again if the change is meant."


def test_every_asset_check_and_job_says_what_it_is(tmp_path: Path) -> None:
    definitions = definitions_for(write(tmp_path, "plain", "  owner: team:risk\n"))
    for spec in definitions.resolve_all_asset_specs():
        assert spec.description, spec.key
        assert spec.group_name == "plain"
        assert spec.code_version, spec.key
        assert list(spec.owners) == ["team:risk"]
    graph = definitions.resolve_asset_graph()
    for key in graph.asset_check_keys:
        assert graph.get_check_spec(key).description, key
    for name in ("plain_train", "plain_score"):
        assert definitions.resolve_job_def(name).description


def test_no_job_mixes_the_two_sides(tmp_path: Path) -> None:
    definitions = definitions_for(write(tmp_path, "plain"))
    for name, steps in (("plain_train", MODEL_SIDE), ("plain_score", BATCH_SIDE)):
        keys = definitions.resolve_job_def(name).asset_layer.executable_asset_keys
        assert {key.path[-1] for key in keys} == {step.name for step in steps}


def test_only_the_batch_side_has_partitions_and_training_waits_for_its_slot(tmp_path: Path) -> None:
    definitions = definitions_for(write(tmp_path, "landing", "  batches: {kind: files}\n"))
    partitioned = {s.key.path[-1] for s in definitions.resolve_all_asset_specs() if s.partitions_def is not None}
    assert partitioned == {step.name for step in BATCH_SIDE}
    pools = {
        asset.key.path[-1]: asset.op.pool
        for asset in definitions.assets or ()
        if isinstance(asset, dg.AssetsDefinition) and asset.op.pool
    }
    assert pools == {"tuning_study": "training", "trained_model": "training"}


@pytest.mark.parametrize(
    ("schedule", "names"),
    [
        ("", []),
        ("  schedule: {retrain: '0 3 * * 1', timezone: Europe/Berlin}\n", ["plain_retrain"]),
        ("  schedule: {retrain: '0 3 * * 1', score: '@daily'}\n", ["plain_retrain", "plain_score"]),
    ],
)
def test_a_cron_expression_becomes_a_schedule_that_is_off_at_first(
    schedule: str, names: list[str], tmp_path: Path
) -> None:
    definitions = definitions_for(write(tmp_path, "plain", schedule))
    schedules = {s.name: s for s in definitions.schedules or () if isinstance(s, dg.ScheduleDefinition)}
    assert sorted(schedules) == names
    for found in schedules.values():
        assert found.default_status == dg.DefaultScheduleStatus.STOPPED
        assert found.execution_timezone == ("Europe/Berlin" if "Berlin" in schedule else "UTC")


def test_the_bundled_pipelines_are_in_order() -> None:
    pipelines = load_all([BUNDLED_PIPELINES])
    assert sorted(pipeline.name for pipeline in pipelines) == ["diabetes", "digits", "doctor_visits"]
    dg.Definitions.validate_loadable(definitions_of(pipelines, Settings.from_environment()))


OWN_DEFINITIONS = """
import dagster as dg
from automl_assets import AutoMLPipeline
from automl_assets.definitions import resources_of
from resources.settings import Settings

resources = dg.Definitions(resources=resources_of(Settings.from_environment()))
"""
OWN_PROJECTS = {
    "the text of a file": """
text = open("mine/defs/churn/defs.yaml").read()
own = AutoMLPipeline.resolve_from_yaml(text).build_defs()
""",
    "a file": 'own = AutoMLPipeline.from_file("mine/defs/churn/defs.yaml").build_defs()',
    "a dg project": """
from pathlib import Path
own = dg.load_from_defs_folder(path_within_project=Path("mine").resolve())
""",
}
COUNT = """
defs = dg.Definitions.merge(own, resources)
dg.Definitions.validate_loadable(defs)
print(len(list(defs.resolve_all_asset_specs())))
"""
OWN_PYPROJECT = """
[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "mine"
"""


@pytest.mark.parametrize("way", OWN_PROJECTS)
def test_the_component_loads_in_someone_elses_project(way: str, tmp_path: Path) -> None:
    write(tmp_path / "mine" / "defs", "churn")
    (tmp_path / "mine" / "__init__.py").touch()
    (tmp_path / "pyproject.toml").write_text(OWN_PYPROJECT)
    program = OWN_DEFINITIONS + OWN_PROJECTS[way] + COUNT
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(MODEL_SIDE + BATCH_SIDE)


def test_the_repository_is_a_dg_project() -> None:
    """`dg check yaml` and `dg list components` read these."""
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    workspace = (ROOT / "workspace.yaml").read_text()
    assert f"location_name: {settings['tool']['dg']['project']['code_location_name']}" in workspace
