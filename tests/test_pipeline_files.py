"""`defs.yaml` files: found, read, refused with the line and the nearest key, and written."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.core.errors import ConfigError, SourceError, UnknownNameError
from automl_assets.ingestion.sources.bundled import Bundled
from automl_assets.ingestion.sources.csv import Csv
from automl_assets.pipeline import PipelineConfig
from automl_assets.pipeline_files import (
    find_pipelines,
    load_all,
    load_named,
    load_pipeline,
    parse_pipeline,
    pipeline_text,
    write_pipeline,
)

TEXT = """type: automl_assets.AutoMLPipeline
attributes:
  name: churn
  source: {type: csv, path: data/churn.csv}
  target: Churn
"""


def parse(more: str = "", *, overrides: tuple[str, ...] = ()) -> PipelineConfig:
    return parse_pipeline(TEXT + more, where="defs.yaml", overrides=overrides)


def test_ten_lines_are_enough_and_the_rest_has_the_documented_defaults() -> None:
    config = parse()
    assert (config.name, config.target, config.seed, config.owner) == ("churn", "Churn", 0, None)
    assert config.source == Csv(path="data/churn.csv")
    assert config.problem.model_dump() == {
        "kind": "auto",
        "metric": "auto",
        "positive_label": None,
        "holdout_share": 0.2,
        "costs": None,
        "class_weights": None,
    }
    assert config.columns.model_dump() == {
        "exclude": [],
        "roles": {},
        "private": [],
        "sensitive": [],
        "id": [],
        "time": None,
        "group": None,
        "weight": None,
    }
    assert config.tuning.model_dump() == {
        "time_budget_seconds": 300,
        "max_trials": None,
        "families": "auto",
        "ensemble": "auto",
        "prefer": "balanced",
        "deterministic": False,
    }
    assert config.cleaning.model_dump() == {
        "mode": "hybrid",
        "missing_threshold": 0.35,
        "quality_score_threshold": 70,
        "gs1_compliance_target": 0.98,
        "max_cost_usd_per_run": 5.0,
    }
    assert (config.batches.kind, config.training_window.batches) == ("none", "all")
    assert config.quality.contract is None
    assert (config.registration.promote, config.registration.shadow_batches) == ("if_better", 0)
    assert config.schedule.model_dump() == {"retrain": None, "score": None, "timezone": "UTC"}


@pytest.mark.parametrize(
    ("more", "line", "told"),
    [
        ("  tunning: {}\n", 6, "Unknown key 'tunning'. Did you mean 'tuning'? Known here: batches, cleaning"),
        ("  seed: 1\n  tuning:\n    max_trails: 3\n", 8, "Unknown key 'tuning.max_trails'. Did you mean 'max_trials'?"),
        ("  columns: {exclud: [a]}\n", 6, "Unknown key 'columns.exclud'. Did you mean 'exclude'?"),
        ("  zzz: 1\n", 6, "Unknown key 'zzz'. Known here: batches"),
        ("  seed: many\n", 6, "seed: Input should be a valid integer"),
        ("  seed: -1\n", 6, "seed: Input should be greater than or equal to 0 (it is -1)."),
        ("  problem:\n    holdout_share: 2\n", 7, "problem.holdout_share: Input should be less than 0.9 (it is 2)."),
        ("  columns:\n    exclude:\n      - a\n      - 3\n", 9, "columns.exclude.1: Input should be a valid string"),
        ("  registration: {promote: sometimes}\n", 6, "registration.promote: Input should be 'if_better'"),
        ("  cleaning: yes please\n", 6, "cleaning: Input should be"),
        ("  labels: {source: x}\n", 6, "labels.source: Input should be a valid dictionary"),
        (
            "  columns: {time: day, group: shop}\n",
            6,
            "columns: columns.time and columns.group can't both decide the holdout",
        ),
        (
            "  features: {pipeline: tres}\n",
            6,
            "features.pipeline: Unknown features configuration 'tres'. Did you mean ",
        ),
        ("  features:\n    scaler: robsut\n", 7, "features.scaler: Unknown scaler 'robsut'. Did you mean 'robust'?"),
        ("  features:\n    scalar: robust\n", 7, "Unknown key 'features.scalar'. Did you mean 'scaler'?"),
        ("  features:\n    pairs: 5\n    custom: [os.system]\n", 8, "features.custom: 'os.system' is no import path"),
        ("  features: trees\n", 6, "features: Input should be"),
        ("  tuning: {ensemble: vote}\n", 6, "tuning.ensemble: Input should be 'auto', 'greedy', 'voting' or 'best'"),
        ("  seed: 3000000000\n", 6, "seed: Input should be less than or equal to 2000000000 (it is 3000000000)."),
        ("  seed: 1\n  seed: 2\n", 7, "The key 'seed' stands twice."),
        ("  seed: [1\n", 7, "This is not valid YAML: "),
        ("\tseed: 1\n", 6, "This is not valid YAML: "),
        ("  seed: 2024-13-45\n", 6, "This is not valid YAML: month must be in 1..12."),
        ("  owner: \x07\n", 6, "This is not valid YAML: "),
        ("  labels: &a [*a]\n", 6, "This is nested too deeply."),
        ("  owner: '{{ env.NOT_SET_ANYWHERE }}'\n", 6, "The environment variable NOT_SET_ANYWHERE is not set."),
    ],
)
def test_what_is_wrong_is_told_with_its_line(more: str, line: int, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(more)
    assert refused.value.exit_code == 2
    assert str(refused.value).startswith(f"defs.yaml:{line}: {told}")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (
            "{type: cvs, path: a}",
            "source: Unknown source type 'cvs'. Did you mean 'csv'? Known: bundled, csv, parquet, sql.",
        ),
        ("{type: csv, path: a, seperator: ';'}", "Unknown key 'source.seperator'. Did you mean 'separator'?"),
        ("{type: csv, path: a, separator: ab}", "source.separator: String should have at most 1 character"),
        ("{type: csv, path: a, quote: ab}", "source.quote: A quote is one ASCII character"),
        ("{type: csv}", "source.path is missing. Add `path:` there."),
        ("{type: bundled, name: randhi}", "source.name: Unknown bundled table 'randhi'. Did you mean 'randhie'?"),
        ("{path: a}", "source: Unknown source type ''."),
        ("churn.csv", "source: Input should be a valid dictionary"),
    ],
)
def test_a_wrong_source_is_told_with_its_line(source: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_pipeline(TEXT.replace("{type: csv, path: data/churn.csv}", source), where="defs.yaml")
    assert str(refused.value).startswith(f"defs.yaml:4: {told}")


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("", 1, "The file describes no pipeline."),
        ("- a\n", 1, "The file describes no pipeline."),
        (TEXT.replace("attributes", "atributes"), 2, "Unknown key 'atributes'. Did you mean 'attributes'?"),
        (TEXT.replace("AutoMLPipeline", "AutoML"), 1, "The component type is 'automl_assets.AutoML'. Write `type: "),
        ("type: automl_assets.AutoMLPipeline\n", 1, "There are no attributes."),
        (TEXT.replace("  target: Churn\n", ""), 2, "target is missing. Add `target:` there."),
        (TEXT.replace("name: churn", "name: Churn!"), 3, "name: String should match pattern"),
        (TEXT.replace("name: churn", "name: ../up"), 3, "name: String should match pattern"),
        (TEXT.replace("name: churn", f"name: {'a' * 64}"), 3, "name: String should match pattern"),
    ],
)
def test_a_file_that_is_no_pipeline_is_refused(text: str, line: int, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_pipeline(text, where="defs.yaml")
    assert str(refused.value).startswith(f"defs.yaml:{line}: {told}")


def test_several_errors_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"defs\.yaml:\d: .* Also: defs\.yaml:\d: "):
        parse("  seed: x\n  owner: 3\n")


def test_a_value_from_the_environment_is_taken_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_OWNER", "me@example.org")
    monkeypatch.setenv("MY_SECRET", "hunter2")
    assert parse("  owner: '{{ env.MY_OWNER }}'\n").owner == "me@example.org"
    assert parse("  columns: {private: ['x-{{env.MY_OWNER}}']}\n").columns.private == ["x-me@example.org"]
    for wrong in ("  seed: '{{ env.MY_SECRET }}'\n", "  problem: {holdout_share: 'a {{ env.MY_SECRET }}'}\n"):
        with pytest.raises(ConfigError) as refused:
            parse(wrong)
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("written", "label"), [("yes", "yes"), ("No", "No"), ("on", "on"), ("1", "1"), ("true", "True"), ("'1'", "1")]
)
def test_yes_and_no_are_words_as_in_yaml_1_2(written: str, label: str) -> None:
    assert parse(f"  problem: {{positive_label: {written}}}\n").problem.positive_label == label


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("tuning.time_budget_seconds=60", lambda c: c.tuning.time_budget_seconds == 60),
        ("target=yes", lambda c: c.target == "yes"),
        ("columns.exclude=[a, b]", lambda c: c.columns.exclude == ["a", "b"]),
        ("source.path=other.csv", lambda c: c.source.path == "other.csv"),
        ("owner=a=b", lambda c: c.owner == "a=b"),
        (" seed = 7", lambda c: c.seed == 7),
        ("training_window.batches.last=3", lambda c: c.training_window.batches.last == 3),
    ],
)
def test_a_setting_on_the_command_line_wins(override: str, read) -> None:
    assert read(parse("  seed: 1\n", overrides=(override,)))


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("seed", "--set 'seed' is not KEY=VALUE"),
        ("=3", "is not KEY=VALUE"),
        ("a..b=3", "is not KEY=VALUE"),
        ("seed=[1", "has a value that is not YAML"),
        ("seed=2024-13-45", "has a value that is not YAML"),
        ("tunning.x=3", "--set tunning.x=3: Unknown key 'tunning'. Did you mean 'tuning'?"),
        ("seed=x", "--set seed=x: seed: Input should be a valid integer"),
    ],
)
def test_a_wrong_setting_on_the_command_line_is_told_as_such(override: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(overrides=(override,))
    assert told in str(refused.value)


def put(folder: Path, name: str, text: str = TEXT) -> Path:
    path = folder / name / "defs.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_pipelines_are_found_by_folder_and_the_first_folder_wins(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    churn = put(mine, "churn")
    put(theirs, "churn")
    price = put(theirs, "price", TEXT.replace("name: churn", "name: price"))
    (mine / "notes").mkdir()
    folders = [mine, theirs, tmp_path / "nowhere"]
    assert find_pipelines(folders) == {"churn": churn, "price": price}
    assert [config.name for config in load_all(folders)] == ["churn", "price"]
    assert load_named("price", folders, ["seed=3"]).seed == 3


def test_an_unknown_pipeline_is_answered_with_the_nearest(tmp_path: Path) -> None:
    put(tmp_path, "churn")
    with pytest.raises(UnknownNameError, match=r"Unknown pipeline 'chrun'\. Did you mean 'churn'"):
        load_named("chrun", [tmp_path])


def test_two_pipelines_of_one_name_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "a")
    put(tmp_path, "b")
    with pytest.raises(ConfigError, match=r"Two pipelines are called 'churn': the other is .*a.defs\.yaml"):
        load_all([tmp_path])


@pytest.mark.parametrize("data", [None, b"\xff\xfe\xff"])
def test_a_file_that_can_t_be_read_is_refused(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "defs.yaml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigError, match="The file can't be read"):
        load_pipeline(path)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    text = TEXT.replace("data/churn.csv", "../../data/churn.csv") + "  quality: {contract: c.yaml}\n"
    config = load_pipeline(put(tmp_path / "pipelines", "churn", text))
    assert isinstance(config.source, Csv)
    assert config.source.path == str(tmp_path / "data" / "churn.csv")
    assert config.quality.contract == str(tmp_path / "pipelines" / "churn" / "c.yaml")
    assert config.located(tmp_path / "elsewhere") == config


def test_a_bundled_source_has_no_path(tmp_path: Path) -> None:
    text = TEXT.replace("{type: csv, path: data/churn.csv}", "{type: bundled, name: digits}")
    assert load_pipeline(put(tmp_path, "churn", text)).source == Bundled(name="digits")


def test_the_source_version_follows_the_bytes_and_the_contract(tmp_path: Path) -> None:
    path = put(tmp_path, "churn", TEXT.replace("data/churn.csv", "t.csv") + "  quality: {contract: c.yaml}\n")
    table, contract = path.parent / "t.csv", path.parent / "c.yaml"
    config = load_pipeline(path)
    with pytest.raises(SourceError, match="There is no such file"):
        config.source_version("all")
    table.write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match=r"c\.yaml: The contract is not there"):
        config.source_version("all")
    versions = set()
    for written, text in [(contract, "rows: {least: 1}"), (contract, "rows: {least: 2}"), (table, "a,b\n1,3\n")]:
        written.write_text(text)
        versions.add(config.source_version("all"))
    assert len(versions) == 3
    assert config.source_version("all") in versions


def test_sections_are_json_able_and_only_those_asked_for() -> None:
    config = parse("  seed: 4\n")
    assert config.section("seed", "source") == {
        "seed": 4,
        "source": {
            "type": "csv",
            "path": "data/churn.csv",
            "separator": None,
            "encoding": None,
            "quote": "auto",
            "header": None,
            "missing_tokens": None,
        },
    }


def test_the_resolved_text_is_the_same_pipeline() -> None:
    config = parse("  columns: {exclude: [a], roles: {b: id}}\n  training_window: {batches: {last: 3}}\n")
    assert parse_pipeline(pipeline_text(config), where="x") == config


def test_a_written_pipeline_is_read_back_with_the_reasons_beside_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "churn" / "defs.yaml"
    write_pipeline(
        path,
        name="churn",
        source={"type": "csv", "path": "../t.csv", "separator": ";"},
        target="any visit",
        exclude={"mdvis": "it alone predicts the target: 1.00", "yes": "a copy"},
    )
    config = load_pipeline(path)
    assert config.source == Csv(path=str(tmp_path / "t.csv"), separator=";")
    assert (config.target, config.columns.exclude) == ("any visit", ["mdvis", "yes"])
    assert "- mdvis  # it alone predicts the target: 1.00" in path.read_text()
    assert [entry.name for entry in path.parent.iterdir()] == ["defs.yaml"]


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(lambda name: "{{" not in name)


@settings(max_examples=80, deadline=None)
@given(names, st.lists(names, max_size=3, unique=True))
def test_any_column_name_survives_the_file(
    tmp_path_factory: pytest.TempPathFactory, target: str, excluded: list[str]
) -> None:
    path = tmp_path_factory.mktemp("p") / "defs.yaml"
    source = {"type": "csv", "path": "/t.csv"}
    write_pipeline(path, name="churn", source=source, target=target, exclude=dict.fromkeys(excluded, "it's # a: leak"))
    config = load_pipeline(path)
    assert (config.target, config.columns.exclude) == (target, excluded)
    assert parse_pipeline(pipeline_text(config), where="x") == config


@settings(max_examples=100, deadline=None)
@given(st.text("abctype: attributes\n -[]{}&*!|>'\"#%@`,?~", max_size=80))
def test_any_text_is_a_pipeline_or_a_readable_refusal(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_pipeline(text, where="defs.yaml")
    assert str(refused.value).startswith("defs.yaml:")
    assert refused.value.remedy
