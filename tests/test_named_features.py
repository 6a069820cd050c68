"""Named configurations of features: found beside the pipelines, shared by them, and seen by the fingerprints."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from automl_assets.cli.app import run
from automl_assets.cli.features import list_features
from automl_assets.cli.pipelines import check
from automl_assets.component import AutoMLPipeline
from automl_assets.core.errors import ConfigError, UnknownNameError
from automl_assets.learn.features import Recipe
from automl_assets.pipeline import PipelineConfig
from automl_assets.pipeline_files import load_all, load_named, load_pipeline, parse_pipeline, pipeline_text
from automl_assets.steps import ALL
from tests.learn.features.test_custom import MODULE
from tests.test_definitions import COUNT, OWN_DEFINITIONS, OWN_PROJECTS, OWN_PYPROJECT

TEXT = """type: automl_assets.AutoMLPipeline
attributes:
  name: {name}
  source: {{type: csv, path: t.csv}}
  target: y
"""
HOUSE = "features:\n  house: {scaler: robust, pairs: 3}\n  other: {encoder: count}\n"


def write(folder: Path, name: str, features: str) -> Path:
    path = folder / name / "defs.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TEXT.format(name=name) + (f"  features: {features}\n" if features else ""))
    (path.parent / "t.csv").write_text("x,y\n1,2\n")
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three pipelines beside a platform.yaml."""
    folder = tmp_path / "pipelines"
    write(folder, "plain", "")
    write(folder, "mine", "{pipeline: house, imputer: knn}")
    write(folder, "stock", "{pipeline: trees}")
    (folder / "platform.yaml").write_text(HOUSE)
    monkeypatch.setenv("AUTOML_PIPELINES", str(folder))
    return folder


def fingerprints(folder: Path) -> dict[str, dict[str, str]]:
    """Each pipeline's steps and their fingerprints, their inputs unchanged."""
    return {
        config.name: {step.name: step.fingerprint(config, dict.fromkeys(step.inputs, "same")) for step in ALL}
        for config in load_all([folder])
    }


def changed(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> set[tuple[str, str]]:
    return {(name, step) for name, steps in before.items() for step in steps if steps[step] != after[name][step]}


def test_a_pipeline_finds_its_configuration_whichever_way_it_is_read(folder: Path) -> None:
    recipe = Recipe(scaler="robust", pairs=3, imputer="knn")
    path = folder / "mine" / "defs.yaml"
    assert load_pipeline(path).features.recipe() == recipe
    assert load_named("mine", [folder]).features.recipe() == recipe
    assert {config.name: config.features.recipe() for config in load_all([folder])}["mine"] == recipe
    overridden = load_named("plain", [folder], ["features.pipeline=house", "features.imputer=knn"])
    assert overridden.features.recipe() == recipe
    assert AutoMLPipeline.from_file(path).config.features.recipe() == recipe
    of_no_folder = PipelineConfig.model_validate(yaml.safe_load(path.read_text())["attributes"])
    with pytest.raises(UnknownNameError, match="Unknown features configuration 'house'"):
        AutoMLPipeline(of_no_folder).build_defs()


@pytest.mark.parametrize(("name", "loads"), [("house", True), ("trees", True), ("hause", False)])
def test_someone_elses_project_has_its_own_configurations(name: str, loads: bool, tmp_path: Path) -> None:
    defs = tmp_path / "mine" / "defs"
    write(defs, "churn", f"{{pipeline: {name}}}")
    (defs / "platform.yaml").write_text(HOUSE)
    (tmp_path / "mine" / "__init__.py").touch()
    (tmp_path / "pyproject.toml").write_text(OWN_PYPROJECT)
    program = OWN_DEFINITIONS + OWN_PROJECTS["a dg project"] + COUNT
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is loads, done.stderr
    assert loads or "Unknown features configuration 'hause'. Did you mean 'house'? Known: auto, house" in done.stderr


def test_the_resolved_text_needs_no_platform_file(folder: Path) -> None:
    config = load_named("mine", [folder])
    again = parse_pipeline(pipeline_text(config), where="resolved.yaml")
    assert again.features.pipeline == "house"
    assert again.features.recipe() == config.features.recipe()


def test_a_changed_configuration_makes_the_search_of_those_that_use_it_stale_and_nothing_else(folder: Path) -> None:
    before = fingerprints(folder)
    (folder / "platform.yaml").write_text(HOUSE.replace("pairs: 3", "pairs: 4"))
    assert changed(before, fingerprints(folder)) == {("mine", "tuning_study")}
    (folder / "platform.yaml").write_text(HOUSE.replace("count", "target"))
    assert changed(before, fingerprints(folder)) == set()
    (folder / "platform.yaml").write_text(HOUSE.replace("house", "home"))
    write(folder, "mine", "{pipeline: home, imputer: knn}")
    assert changed(before, fingerprints(folder)) == set()


def test_changed_code_of_a_transformer_makes_the_search_stale(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(folder)
    module = folder / "users_code.py"
    module.write_text(MODULE.format(value=1))
    write(folder, "mine", "{custom: [users_code:Mine]}")
    before = fingerprints(folder)
    module.write_text(MODULE.format(value=2))
    assert changed(before, fingerprints(folder)) == {("mine", "tuning_study")}
    assert "users_code" not in sys.modules


def test_a_fault_is_told_where_it_stands(folder: Path) -> None:
    path = write(folder, "mine", "{pipeline: hause}")
    with pytest.raises(ConfigError) as refused:
        load_named("mine", [folder])
    assert str(refused.value) == (
        f"{path}:6: features.pipeline: Unknown features configuration 'hause'. Did you mean 'house'? "
        "Known: auto, house, interactions, linear, other, robust, selected, target_means, trees."
    )
    (folder / "platform.yaml").write_text("features:\n  hause: {pair: 3}\n")
    with pytest.raises(
        ConfigError, match=r"platform.yaml:2: Unknown key 'features.hause.pair'. Did you mean 'pairs'\?"
    ):
        load_named("mine", [folder])
    assert load_named("plain", [folder]).features.recipe() == Recipe()


def test_the_list_says_what_each_is_and_who_uses_it(folder: Path) -> None:
    listed = {found["name"]: found for found in list_features()["configurations"]}
    assert json.loads(json.dumps(listed)) == listed
    assert listed["house"] == {
        "name": "house", "from": "platform.yaml", "told": "", "recipe": {"scaler": "robust", "pairs": 3},
        "used_by": ["mine"],
    }  # fmt: skip
    assert listed["trees"]["used_by"] == ["stock"]
    assert "plain" in listed["auto"]["used_by"]
    assert listed["interactions"]["recipe"] == {"pairs": 10, "crosses": 5}


def test_the_command_prints_a_line_a_configuration(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["features"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "house scaler: robust, platform.yaml mine pairs: 3" in said


@pytest.mark.parametrize(
    ("features", "ok", "told"),
    [
        ("", True, "target 'y' present; a budget"),
        ("{pipeline: house}", True, "target 'y' present; features 'house'; a budget"),
        (
            "{custom: [nowhere_to_be_found:X]}",
            False,
            "features.custom: The module of 'nowhere_to_be_found:X' can't be ",
        ),
        ("{custom: ['json:dumps']}", False, "features.custom: 'json' has no class 'dumps'."),
        ("{custom: ['json.decoder:JSONDecoder']}", False, "has no method fit, transform, to_json, from_json."),
    ],
)
def test_a_check_tells_what_is_used_and_what_does_not_work(folder: Path, features: str, ok: bool, told: str) -> None:
    write(folder, "mine", features)
    (found,) = check("mine")["pipelines"]
    assert found["ok"] is ok
    assert told in found["message"]


def test_the_schema_of_the_yaml_describes_every_field() -> None:
    schema = PipelineConfig.model_json_schema()["$defs"]["FeaturesConfig"]["properties"]
    assert set(schema) == {"pipeline", *Recipe.model_fields}
    assert all(field.get("description") for field in schema.values())
