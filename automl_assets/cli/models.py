"""The commands about registered models: predict, promote, rollback."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from automl_assets.cli.tables import read_file, require_writable
from automl_assets.core.errors import ConfigError, InputError
from automl_assets.core.files import atomic_file
from automl_assets.core.memory import BatchSize, read_memory
from automl_assets.core.ports import VersionInfo
from automl_assets.core.values import Champion
from automl_assets.pipeline_files import load_named
from automl_assets.registration.assets import current_champion
from automl_assets.registration.steps import CHAMPION
from automl_assets.serving.predict import Scorer
from automl_assets.training.model import Model
from resources.model_registry import ModelRegistry
from resources.pipeline_lock import PipelineLock
from resources.platform_database import Act, PlatformDatabase, now
from resources.settings import Settings
from resources.steps import asset_key
from resources.table_store import TableStore

if TYPE_CHECKING:
    import pyarrow as pa

MIB = 2**20
SUFFIXES = (".csv", ".tsv", ".parquet")


def predict(name: str, table: Path, out: Path) -> dict[str, Any]:
    """Score a file with the champion.

    Raises:
        SchemaError: the file has none of the model's columns.
        RegistryError: there is no champion.
    """
    require_writable(out)
    if out.suffix not in SUFFIXES:
        raise ConfigError(
            f"{out.suffix or 'No suffix'} is no output format.", where=str(out), remedy=f"Use {', '.join(SUFFIXES)}."
        )
    settings = Settings.from_environment()
    config = load_named(name, settings.pipelines)
    registry = registry_of(settings)
    champion = current_champion(config.name, registry)
    with read_file(table) as (raw, dataset):
        model = Model.load(
            registry.folder(registry.version(name, champion.version), "model"), digest=champion.digest or None
        )
        columns = model.require_columns(raw.table.names(), where=str(table))
        scorer = Scorer(model, pipeline=name, version=champion.version, batch=table.name)
        size = BatchSize(settings.batch_rows, budget_mb=read_memory().available / MIB)
        with atomic_file(out) as partial:
            _write(partial, out.suffix, scorer.schema(dataset.schema), scorer.score(dataset, size))
    return {
        "pipeline": name,
        "version": champion.version,
        "rows": raw.table.rows,
        "out": str(out),
        "missing_columns": list(columns.missing),
        "extra_columns": list(columns.extra),
        "unseen": dict(scorer.unseen),
    }


def _write(path: Path, suffix: str, schema: "pa.Schema", batches: "Iterator[pa.RecordBatch]") -> None:
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        with pq.ParquetWriter(path, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return
    from automl_assets.cleaning.repair import write_delimited

    write_delimited(path, schema, batches, separator="\t" if suffix == ".tsv" else ",")


def registry_of(settings: Settings) -> ModelRegistry:
    """The model registry that the settings name."""
    return ModelRegistry(home=str(settings.home), tracking_uri=settings.mlflow_tracking_uri)


def promote(name: str, version: str, reason: str) -> dict[str, Any]:
    """Make a version the champion and write down who did it, why, before and after.

    Raises:
        UnknownNameError: there is no such pipeline or version.
        InputError: it is the champion already.
    """
    settings = Settings.from_environment()
    load_named(name, settings.pipelines)
    registry = registry_of(settings)
    before, target = registry.aliased(name), registry.version(name, version)
    if before is not None and before.version == target.version:
        raise InputError(f"Version {version} of {name} is the champion already.", where=name)
    return _move(settings, registry, before, target, "promote", reason)


def rollback(name: str, reason: str) -> dict[str, Any]:
    """Make the champion before this one the champion again.

    Raises:
        InputError: there was none before.
    """
    settings = Settings.from_environment()
    load_named(name, settings.pipelines)
    registry = registry_of(settings)
    current = current_champion(name, registry)
    database = PlatformDatabase.of(settings.home, settings.database_url)
    earlier = next((act.before for act in database.acts(name) if act.after == current.version and act.before), None)
    if earlier is None:
        raise InputError(
            f"{name} had no champion before version {current.version}.",
            where=name,
            remedy="Promote a version with `automl promote`.",
        )
    return _move(settings, registry, registry.aliased(name), registry.version(name, earlier), "rollback", reason)


def _move(
    settings: Settings, registry: ModelRegistry, before: VersionInfo | None, target: VersionInfo, what: str, reason: str
) -> dict[str, Any]:
    """Move the alias, record it, and tell Dagster, so that predictions become stale."""
    name = target.name
    lock = PipelineLock(home=str(settings.home), database_url=settings.database_url)
    with lock.holding(name, f"automl {what} {name}"):
        act = Act(name, what, settings.actor, reason, before.version if before else None, target.version, now())
        PlatformDatabase.of(settings.home, settings.database_url).record(act)
        registry.set_alias(name, "champion", target.version)
        _tell_dagster(settings, registry, target, act)
    return {
        "pipeline": name,
        "what": what,
        "before": act.before,
        "after": act.after,
        "actor": act.actor,
        "reason": act.reason,
        "at": act.at.isoformat(),
    }


def _tell_dagster(settings: Settings, registry: ModelRegistry, target: VersionInfo, act: Act) -> None:
    settings.prepare_home()
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    champion: Champion = current_champion(target.name, registry)
    config = load_named(target.name, settings.pipelines)
    fingerprint = CHAMPION.fingerprint(config, {"alias": champion.version})
    TableStore(home=str(settings.home)).save(target.name, CHAMPION.name, "all", champion, fingerprint)
    with dg.DagsterInstance.get() as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                asset_key(config, CHAMPION.name),
                description=f"{act.what} by {act.actor}: {act.reason}",
                metadata={
                    "version": champion.version,
                    "before": act.before or "",
                    "actor": act.actor,
                    "reason": act.reason,
                },
                tags={"dagster/data_version": champion.data_version()},
            )
        )
