"""The model registry: MLflow, on SQLite and files by default, on a server where MLFLOW_TRACKING_URI names one."""

import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import dagster as dg

from automl_assets.core.errors import RegistryError, unknown_name
from automl_assets.core.files import atomic_folder
from automl_assets.core.ports import Publication, Registry, VersionInfo

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
CHALLENGER = "challenger"
LOCAL_UI = "http://127.0.0.1:5000"
PUBLISHED_TAG = "automl.published"
FINGERPRINT_TAG = "fingerprint"
RETRIES = 5  # over a minute: a server that is started again is waited for; MLflow's own 7 take four minutes
UNANSWERED = ("failed with exception", "failed with timeout exception")  # as MLflow tells of every HTTP request
_clients: dict[str, "MlflowClient"] = {}


class ModelRegistry(dg.ConfigurableResource):
    """Versions, aliases and artifacts. Experiment and registered model are named after the pipeline."""

    home: str
    tracking_uri: str | None = None

    @property
    def uri(self) -> str:
        """Where MLflow keeps its records."""
        return self.tracking_uri or f"sqlite:///{self._file}"

    @property
    def _file(self) -> Path:
        return Path(self.home) / "mlflow.db"

    @property
    def is_server(self) -> bool:
        """Whether artifacts are fetched over the network."""
        return urlparse(self.uri).scheme in ("http", "https")

    def client(self) -> "MlflowClient":
        """An MLflow client; the first of a process imports MLflow, which takes seconds."""
        if self.uri not in _clients:
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
            os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
            os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
            os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(RETRIES))
            os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # `--json` prints one object and no more
            logging.getLogger("mlflow").setLevel(logging.ERROR)
            logging.getLogger("alembic").setLevel(logging.ERROR)
            Path(self.home).mkdir(parents=True, exist_ok=True)
            from mlflow import MlflowClient

            with _explained(self.uri):
                _clients[self.uri] = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        return _clients[self.uri]

    # ---- reading -----------------------------------------------------------------------------------------------

    def aliased(self, name: str, alias: str = CHAMPION) -> VersionInfo | None:
        """The version that an alias points at, or None. No database is made for the question, which takes seconds."""
        if self.tracking_uri is None and not self._file.exists():
            return None
        from mlflow.exceptions import MlflowException

        try:
            return _info(self.client().get_model_version_by_alias(name, alias), (alias,))
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise _as_registry_error(error, self.uri) from error

    def versions(self, name: str) -> Sequence[VersionInfo]:
        """All versions, newest first."""
        client = self.client()
        with _explained(self.uri):
            found = client.search_model_versions(f"name='{name}'", max_results=1000)
            aliases: dict[str, list[str]] = {}
            if found:
                for alias, version in client.get_registered_model(name).aliases.items():
                    aliases.setdefault(str(version), []).append(alias)
        infos = [_info(version, tuple(aliases.get(str(version.version), ()))) for version in found]
        return sorted(infos, key=lambda info: -int(info.version))

    def version(self, name: str, version: str) -> VersionInfo:
        """One version.

        Raises:
            UnknownNameError: there is no such version.
        """
        known = {info.version: info for info in self.versions(name)}
        if version not in known:
            raise unknown_name(f"version of {name}", version, known)
        return known[version]

    def find(self, name: str, tag: str, value: str) -> VersionInfo | None:
        """The newest version with this tag, or None."""
        return next((info for info in self.versions(name) if info.tags.get(tag) == value), None)

    def metrics(self, info: VersionInfo) -> dict[str, float]:
        """What was measured of a version."""
        with _explained(self.uri):
            return dict(self.client().get_run(info.run_id).data.metrics)

    def folder(self, info: VersionInfo, path: str) -> Path:
        """A local copy of one of the version's artifacts; the files themselves where they are on this machine.

        Raises:
            RegistryError: the artifact is gone, or the server does not answer.
        """
        client = self.client()
        with _explained(self.uri):
            base = client.get_run(info.run_id).info.artifact_uri
        parsed = urlparse(base)
        if parsed.scheme in ("", "file"):
            local = Path(str(parsed.path)) / path
        else:
            local = Path(self.home) / "cache" / "artifacts" / info.run_id / path
            if not local.exists():
                self._download(client, info, path, local)
        if not local.exists():
            raise RegistryError(
                f"Version {info.version} of {info.name} has no {path}.", where=str(local), remedy="Train again."
            )
        return local

    def _download(self, client: "MlflowClient", info: VersionInfo, path: str, local: Path) -> None:
        with _explained(self.uri), atomic_folder(local.parent / f".{local.name}.whole") as partial:
            fetched = Path(str(client.download_artifacts(info.run_id, path, str(partial))))
            local.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(fetched, local)

    def url(self, info: VersionInfo) -> str:
        """The page of the version's run in MLflow's UI."""
        base = self.uri.rstrip("/") if self.is_server else self._local_ui()
        with _explained(self.uri):
            experiment = self.client().get_run(info.run_id).info.experiment_id
        return f"{base}/#/experiments/{experiment}/runs/{info.run_id}"

    def _local_ui(self) -> str:
        """Where `automl ui` serves MLflow now, else where it does by default."""
        with suppress(OSError, ValueError, KeyError):
            return json.loads((Path(self.home) / "ui.json").read_text())["mlflow"]
        return LOCAL_UI

    # ---- writing -----------------------------------------------------------------------------------------------

    def publish(self, publication: Publication) -> VersionInfo:
        """A run with everything that is known, and a version of it.

        A kill in between leaves no version, and the next attempt removes the unfinished run.

        Raises:
            RegistryError: the registry refused, or does not answer.
        """
        client = self.client()
        with _explained(self.uri):
            experiment = self._experiment(client, publication.name)
            self._remove_unfinished(client, experiment, publication)
            run = client.create_run(
                experiment,
                run_name=publication.run_tags.get("mlflow.runName"),
                tags={**publication.run_tags, FINGERPRINT_TAG: publication.version_tags.get(FINGERPRINT_TAG, "")},
            )
            self._log(client, run, publication)
            version = self._create_version(client, run, publication)
            client.set_terminated(run.info.run_id)
        return _info(version)

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Point an alias at a version."""
        with _explained(self.uri):
            self.client().set_registered_model_alias(name, alias, version)

    def remove_alias(self, name: str, alias: str) -> None:
        """Let an alias point at nothing; it may do so already."""
        if self.aliased(name, alias) is not None:
            with _explained(self.uri):
                self.client().delete_registered_model_alias(name, alias)

    def tag(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        """Add tags to a version."""
        with _explained(self.uri):
            for key, value in tags.items():
                self.client().set_model_version_tag(name, version, key, value)

    def attach(self, info: VersionInfo, file: Path, folder: str) -> str:
        """Add a file to a version's run; the address at which MLflow's UI shows it."""
        with _explained(self.uri):
            self.client().log_artifact(info.run_id, str(file), folder)
        return f"{self.url(info)}/artifacts/{folder}/{file.name}"

    def detach(self, info: VersionInfo, name: str, folder: str) -> None:
        """Remove what was attached to a version's run; that it is not there, or can't be removed, is no error."""
        from mlflow.exceptions import MlflowException
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        with suppress(MlflowException, OSError):
            location = self.client().get_run(info.run_id).info.artifact_uri or ""
            get_artifact_repository(location, tracking_uri=self.uri).delete_artifacts(f"{folder}/{name}")

    def _experiment(self, client: "MlflowClient", name: str) -> str:
        found = client.get_experiment_by_name(name)
        if found is not None:
            return found.experiment_id
        location = None if self.is_server else (Path(self.home) / "mlartifacts" / name).as_uri()
        return client.create_experiment(name, artifact_location=location)

    def _remove_unfinished(self, client: "MlflowClient", experiment: str, publication: Publication) -> None:
        """Delete what a killed attempt at the same version left: its run, and a version that never got finished."""
        fingerprint = publication.version_tags.get(FINGERPRINT_TAG, "")
        if not fingerprint:
            return
        for run in client.search_runs([experiment], f"tags.{FINGERPRINT_TAG} = '{fingerprint}'", max_results=50):
            client.delete_run(run.info.run_id)

    def _log(self, client: "MlflowClient", run: "Run", publication: Publication) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        client.log_batch(
            run.info.run_id,
            metrics=[Metric(key, float(value), now, 0) for key, value in publication.metrics.items()],
            params=[Param(key, str(value)[:500]) for key, value in publication.params.items()],
        )
        for path, source in publication.files.items():
            if source.is_dir():
                client.log_artifacts(run.info.run_id, str(source), path)
            else:
                client.log_artifact(run.info.run_id, str(source), path or None)

    def _create_version(self, client: "MlflowClient", run: "Run", publication: Publication) -> "ModelVersion":
        from mlflow.exceptions import MlflowException

        try:
            client.create_registered_model(publication.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        return client.create_model_version(
            publication.name,
            source=f"runs:/{run.info.run_id}/model",
            run_id=run.info.run_id,
            tags=dict(publication.version_tags),
            description=publication.description,
        )


def _info(version: Any, aliases: tuple[str, ...] = ()) -> VersionInfo:
    return VersionInfo(
        name=version.name,
        version=str(version.version),
        run_id=version.run_id,
        tags=dict(version.tags),
        aliases=aliases or tuple(getattr(version, "aliases", ()) or ()),
        created=version.creation_timestamp / 1000,
    )


@contextmanager
def _explained(uri: str) -> Iterator[None]:
    """MLflow's and the network's errors as ours."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        raise _as_registry_error(error, uri) from error


def _as_registry_error(error: Exception, uri: str) -> RegistryError:
    message = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
    where = uri if "@" not in uri else f"{uri.split('://')[0]}://…@{uri.rsplit('@', 1)[1]}"
    if any(told in message for told in UNANSWERED) or isinstance(error, ConnectionError):
        return RegistryError(
            "The model registry does not answer.", where=where, remedy="Check MLFLOW_TRACKING_URI and that it runs."
        )
    return RegistryError(
        f"The model registry refused: {message}", where=where, remedy="Check MLFLOW_TRACKING_URI and that it runs."
    )


if TYPE_CHECKING:
    _: Registry = ModelRegistry(home="")
