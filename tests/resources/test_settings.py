"""The environment, read once and refused where it makes no sense."""

from pathlib import Path

import pytest

from automl_assets.core.errors import ConfigError, StorageError
from resources.settings import BUNDLED_PIPELINES, HOME_FORMAT, Settings, project_root, template


def settings_of(folder: Path, **environment: str) -> Settings:
    return Settings.from_environment(environment, folder=folder)


def test_with_nothing_set_everything_lies_beside_the_nearest_pipelines_folder(tmp_path: Path) -> None:
    (tmp_path / "project" / "pipelines").mkdir(parents=True)
    deep = tmp_path / "project" / "notebooks" / "june"
    deep.mkdir(parents=True)
    settings = settings_of(deep)
    assert settings.home == tmp_path / "project" / ".automl"
    assert settings.pipelines == (tmp_path / "project" / "pipelines", BUNDLED_PIPELINES)
    assert settings.dagster_home == settings.home / "dagster"
    assert settings.mlflow_tracking_uri is None
    assert settings.executor == "in_process"


def test_a_workspace_file_marks_the_project_too(tmp_path: Path) -> None:
    (tmp_path / "workspace.yaml").touch()
    (tmp_path / "inner").mkdir()
    assert project_root(tmp_path / "inner") == tmp_path


def test_without_a_project_the_home_lies_in_the_current_folder(tmp_path: Path) -> None:
    assert settings_of(tmp_path).home == tmp_path / ".automl"


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("AUTOML_HOME", "/data/automl", "home", Path("/data/automl")),
        ("AUTOML_DATABASE_URL", "postgresql://db/x", "database_url", "postgresql://db/x"),
        ("AUTOML_EXECUTOR", "multiprocess", "executor", "multiprocess"),
        ("AUTOML_MEMORY_WARNING_MB", "1500", "memory_warning_mb", 1500.0),
        ("AUTOML_MEMORY_CRITICAL_MB", "2e3", "memory_critical_mb", 2000.0),
        ("AUTOML_BATCH_SIZE", "1000", "batch_rows", 1000),
        ("AUTOML_MAX_WORKERS", "3", "max_workers", 3),
        ("AUTOML_LOG_FORMAT", "json", "log_format", "json"),
        ("AUTOML_ACTOR", "ana", "actor", "ana"),
        ("MLFLOW_TRACKING_URI", "http://mlflow:5000", "mlflow_tracking_uri", "http://mlflow:5000"),
        ("DAGSTER_HOME", "/data/dagster", "dagster_home", Path("/data/dagster")),
    ],
)
def test_each_variable_sets_its_field(variable: str, text: str, field: str, value: object, tmp_path: Path) -> None:
    assert getattr(settings_of(tmp_path, **{variable: text}), field) == value


@pytest.mark.parametrize(
    ("variable", "text", "told"),
    [
        ("AUTOML_EXECUTOR", "ray", "Use in_process or multiprocess"),
        ("AUTOML_BATCH_SIZE", "many", "AUTOML_BATCH_SIZE is 'many'"),
        ("AUTOML_BATCH_SIZE", "0", "a number above 0"),
        ("AUTOML_MAX_WORKERS", "-1", "a number above 0"),
        ("AUTOML_MEMORY_CRITICAL_MB", "nan", "a number above 0"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_with_its_name(
    variable: str, text: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=told):
        settings_of(tmp_path, **{variable: text})


def test_preparing_the_home_writes_its_format_and_dagsters_configuration_once(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    settings.prepare_home()
    assert (settings.home / "VERSION").read_text().strip() == str(HOME_FORMAT)
    configuration = settings.dagster_home / "dagster.yaml"
    assert configuration.read_text() == template("dagster.yaml").read_text()
    configuration.write_text("telemetry: {enabled: false}\n")
    settings.prepare_home()
    assert configuration.read_text() == "telemetry: {enabled: false}\n"


@pytest.mark.parametrize(("found", "told"), [("999", "Upgrade"), ("nonsense", "another home"), ("0", "another home")])
def test_a_home_of_another_format_is_refused_with_what_to_do(found: str, told: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    settings.home.mkdir()
    (settings.home / "VERSION").write_text(found)
    with pytest.raises(StorageError, match=told):
        settings.prepare_home()


def test_a_home_that_cannot_be_made_says_how_to_choose_another(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = settings_of(tmp_path, AUTOML_HOME=str(tmp_path / "file" / "home"))
    with pytest.raises(StorageError, match="AUTOML_HOME"):
        settings.prepare_home()
