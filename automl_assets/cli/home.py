"""What commands open of the home: the Dagster instance, the model registry, and a pipeline's lock."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import dagster as dg

from automl_assets.core.progress import tell_waiting
from resources.model_registry import ModelRegistry
from resources.pipeline_lock import PipelineLock
from resources.settings import Settings


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance, its databases there before anything that is started afterwards looks for them.

    Two processes that make its SQLite databases at once spoil them; here one waits.
    """
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    with (settings.dagster_home / "making.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        instance = dg.DagsterInstance.get()
    with instance:
        yield instance


def registry_of(settings: Settings) -> ModelRegistry:
    """The model registry that the settings name."""
    return ModelRegistry(home=str(settings.home), tracking_uri=settings.mlflow_tracking_uri)


@contextmanager
def locked(settings: Settings, pipeline: str, command: str) -> Iterator[None]:
    """A pipeline's lock, held for an `automl` command; whoever waits for it says for whom.

    Raises:
        StorageError: the home can't be used.
    """
    settings.prepare_home()
    lock = PipelineLock(home=str(settings.home), database_url=settings.database_url)
    with lock.holding(pipeline, f"automl {command} {pipeline}", partial(tell_waiting, pipeline)):
        yield
