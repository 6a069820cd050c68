"""The environment, read here and nowhere else; and the folder in which everything that lasts is kept."""

import getpass
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from automl_assets.core.errors import ConfigError, StorageError
from automl_assets.core.files import write_text

HOME_FORMAT = 1
HOME_FOLDER = ".automl"
PIPELINES_FOLDER = "pipelines"
PACKAGE = Path(__file__).resolve().parent.parent
BUNDLED_PIPELINES = PACKAGE / "automl_assets" / "defs"
EXECUTORS = ("in_process", "multiprocess")


class Settings(BaseModel):
    """This machine's settings. Every field but the first two comes from the variable that its description names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(description="AUTOML_HOME, else .automl beside the nearest workspace.yaml or pipelines folder.")
    pipelines: tuple[Path, ...] = Field(description="AUTOML_PIPELINES, else ./pipelines; the bundled ones come last.")
    database_url: str | None = Field(default=None, description="AUTOML_DATABASE_URL")
    executor: str = Field(default="in_process", description="AUTOML_EXECUTOR: in_process or multiprocess.")
    memory_warning_mb: float | None = Field(default=None, description="AUTOML_MEMORY_WARNING_MB")
    memory_critical_mb: float | None = Field(default=None, description="AUTOML_MEMORY_CRITICAL_MB")
    batch_rows: int = Field(default=65_536, ge=1, description="AUTOML_BATCH_SIZE, in rows.")
    max_workers: int | None = Field(default=None, ge=1, description="AUTOML_MAX_WORKERS")
    sensor_seconds: int = Field(default=30, ge=1, description="AUTOML_SENSOR_SECONDS: how often sensors look.")
    log_format: str = Field(default="text", description="AUTOML_LOG_FORMAT: text or json.")
    actor: str = Field(description="AUTOML_ACTOR, else the system's user.")
    mlflow_tracking_uri: str | None = Field(default=None, description="MLFLOW_TRACKING_URI")
    dagster_home: Path = Field(description="DAGSTER_HOME, else the folder dagster in the home.")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, *, folder: Path | None = None) -> Self:
        """The settings of this process.

        Raises:
            ConfigError: a variable has a value that it can't have.
        """
        env = os.environ if environment is None else environment
        folder = (folder or Path.cwd()).resolve()
        root = project_root(folder)
        home = Path(env["AUTOML_HOME"]).expanduser().resolve() if env.get("AUTOML_HOME") else root / HOME_FOLDER
        own = Path(env["AUTOML_PIPELINES"]).expanduser() if env.get("AUTOML_PIPELINES") else root / PIPELINES_FOLDER
        executor = env.get("AUTOML_EXECUTOR") or "in_process"
        if executor not in EXECUTORS:
            raise ConfigError(
                f"AUTOML_EXECUTOR is {executor!r}.", where="environment", remedy=f"Use {' or '.join(EXECUTORS)}."
            )
        return cls(
            home=home,
            pipelines=(own.resolve(), BUNDLED_PIPELINES),
            database_url=env.get("AUTOML_DATABASE_URL") or None,
            executor=executor,
            memory_warning_mb=_number(env, "AUTOML_MEMORY_WARNING_MB"),
            memory_critical_mb=_number(env, "AUTOML_MEMORY_CRITICAL_MB"),
            batch_rows=int(_number(env, "AUTOML_BATCH_SIZE") or 65_536),
            max_workers=int(workers) if (workers := _number(env, "AUTOML_MAX_WORKERS")) else None,
            sensor_seconds=int(_number(env, "AUTOML_SENSOR_SECONDS") or 30),
            log_format=env.get("AUTOML_LOG_FORMAT") or "text",
            actor=env.get("AUTOML_ACTOR") or _user(),
            mlflow_tracking_uri=env.get("MLFLOW_TRACKING_URI") or None,
            dagster_home=Path(env["DAGSTER_HOME"]) if env.get("DAGSTER_HOME") else home / "dagster",
        )

    def prepare_home(self) -> None:
        """Create the home and the Dagster instance's configuration, and check the home's format.

        Raises:
            StorageError: the home was written by a newer version, or can't be written.
        """
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            _check_format(self.home)
            self.dagster_home.mkdir(parents=True, exist_ok=True)
            configuration = self.dagster_home / "dagster.yaml"
            if not configuration.exists():
                write_text(configuration, template("dagster.yaml").read_text())
        except OSError as error:
            raise StorageError(
                f"The home can't be written: {error.strerror or error}.",
                where=str(self.home),
                remedy="Set AUTOML_HOME to a folder of yours.",
            ) from error


def project_root(folder: Path) -> Path:
    """The nearest folder, this one or above, with a workspace.yaml or a pipelines folder; else this one."""
    for candidate in (folder, *folder.parents):
        if (candidate / "workspace.yaml").is_file() or (candidate / PIPELINES_FOLDER).is_dir():
            return candidate
    return folder


def template(name: str) -> Path:
    """A configuration file of the repository, or the copy that the wheel carries."""
    places = (PACKAGE / "automl_assets" / "templates" / name, PACKAGE / name, PACKAGE / "deploy" / name)
    return next((place for place in places if place.is_file()), places[0])


def _check_format(home: Path) -> None:
    file = home / "VERSION"
    if not file.exists():
        write_text(file, f"{HOME_FORMAT}\n")
        return
    try:
        found = int(file.read_text())
    except ValueError:
        found = -1
    if found != HOME_FORMAT:
        newer = found > HOME_FORMAT
        raise StorageError(
            f"The home is of format {file.read_text().strip()!r}; this version writes {HOME_FORMAT}.",
            where=str(file),
            remedy="Upgrade automl-assets." if newer else "Choose another home with AUTOML_HOME.",
        )


def _number(env: Mapping[str, str], name: str) -> float | None:
    text = env.get(name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value > 0:
        raise ConfigError(f"{name} is {text!r}.", where="environment", remedy="Set it to a number above 0.")
    return value


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
