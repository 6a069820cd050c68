"""The documents are true as far as a machine can tell."""

import re
from pathlib import Path

import pytest
import yaml

from automl_assets.cli.app import app
from automl_assets.learn.features.configurations import registry as configurations
from automl_assets.pipeline import PipelineConfig
from automl_assets.pipeline_files import load_pipeline
from tests.conftest import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", document.read_text())
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_is_named_is_there(document: Path) -> None:
    named = re.findall(
        r"`((?:automl_assets|tests|resources|sensors|deploy|docs|benchmarks)/[\w./-]+)`", document.read_text()
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_yaml_in_full_is_what_the_defaults_are(tmp_path: Path) -> None:
    block = next(
        b for b in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "everything below has a default" in b
    )
    path = tmp_path / "churn" / "defs.yaml"
    path.parent.mkdir()
    path.write_text(block)
    stated = load_pipeline(path)
    head = yaml.safe_load(block)["attributes"]
    defaults = PipelineConfig.model_validate({key: head[key] for key in ("name", "source", "target")})
    assert stated.model_dump(exclude={"source"}) == defaults.model_dump(exclude={"source"})


def test_the_yaml_of_features_by_name_is_read(tmp_path: Path) -> None:
    features, shared = re.findall(r"```yaml\n(.*?)```", README.split("### Features by name")[1], re.DOTALL)[:2]
    path = tmp_path / "churn" / "defs.yaml"
    path.parent.mkdir()
    source = "source: {type: csv, path: a}"
    head = f"type: automl_assets.AutoMLPipeline\nattributes:\n  name: churn\n  {source}\n  target: y\n"
    path.write_text(head + features)
    (tmp_path / "platform.yaml").write_text(shared)
    recipe = load_pipeline(path).features.recipe()
    assert (recipe.scaler, recipe.encoder, recipe.pairs) == ("robust_smooth", "one_hot", 5)
    path.write_text(head + features.replace("pipeline: robust ", "pipeline: house "))
    assert load_pipeline(path).features.recipe().crosses == 3
    listed = re.findall(r"pipeline: robust +# (.*)", features)[0].split(" | ")
    assert listed == ["auto", *configurations.names(), "one of your own"]


def test_the_commands_are_those_that_there_are() -> None:
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    listed = README.split("## Commands")[1].split("```")[1]
    named = set(re.findall(r"automl (\w+)", listed)) | set(re.findall(r"\| (\w+)", listed))
    assert named == known


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):.*##", (ROOT / "Makefile").read_text()))
    for document in DOCUMENTS:
        assert set(re.findall(r"`make ([a-z-]+)`", document.read_text())) <= targets, document


def test_nothing_is_left_to_fill_in() -> None:
    for document in DOCUMENTS:
        assert not re.search(r"(?m)^@[A-Z]+@$|TODO|FIXME", document.read_text()), document
