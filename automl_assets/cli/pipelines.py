"""The commands about pipelines: list, show, check, doctor."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg

from automl_assets.cli.home import open_instance, registry_of
from automl_assets.core.errors import AutoMLError
from automl_assets.core.memory import read_memory, usable_cores
from automl_assets.core.ports import VersionInfo
from automl_assets.ingestion.feed import Feed
from automl_assets.learn.features.columns.custom import imported
from automl_assets.pipeline import PipelineConfig
from automl_assets.pipeline_files import find_pipelines, load_all, load_named, load_pipeline
from automl_assets.problems.detect import require_columns
from automl_assets.quality.contract import read_contract
from automl_assets.tuning.config import AUTO
from resources.model_registry import ModelRegistry
from resources.pipeline_lock import PIPELINE_TAG
from resources.platform_database import PlatformDatabase
from resources.records.acts import Acts
from resources.settings import Settings
from resources.steps import neat

MIB = 2**20
WHOLE = "all"


def list_pipelines() -> dict[str, Any]:
    """Every pipeline with its last run and its champion."""
    settings = Settings.from_environment()
    configs = load_all(settings.pipelines)
    registry = registry_of(settings)
    return {"pipelines": [_line(config, settings, registry) for config in configs]}


def _line(config: PipelineConfig, settings: Settings, registry: ModelRegistry) -> dict[str, Any]:
    champion = registry.aliased(config.name)
    run = _last_run(settings, config.name)
    score = champion and _holdout(registry, champion)
    return {
        "name": config.name,
        "target": config.target,
        "source": config.source.type,
        "champion": champion.version if champion else None,
        "score": score,
        "last_run": run.get("started"),
        "last_status": run.get("status"),
    }


def _last_run(settings: Settings, pipeline: str) -> dict[str, Any]:
    if not (settings.dagster_home / "dagster.yaml").exists():
        return {}
    with open_instance(settings) as instance:
        records = instance.get_run_records(dg.RunsFilter(tags={PIPELINE_TAG: pipeline}), limit=1)
    if not records:
        return {}
    record = records[0]
    started = datetime.fromtimestamp(record.start_time).isoformat(" ", "minutes") if record.start_time else None
    return {"run_id": record.dagster_run.run_id, "started": started, "status": record.dagster_run.status.value.lower()}


def _holdout(registry: ModelRegistry, info: VersionInfo) -> str:
    metrics = registry.metrics(info)
    found = next((key for key in metrics if key.startswith("holdout_") and not key.endswith(("_low", "_high"))), None)
    return f"{found.removeprefix('holdout_')} {metrics[found]:.5g}" if found else ""


def show(name: str, version: str | None) -> dict[str, Any]:
    """One pipeline with its versions, or one version in full."""
    settings = Settings.from_environment()
    config = load_named(name, settings.pipelines)
    registry = registry_of(settings)
    champion = registry.aliased(name)
    if version is None and champion is None:
        return {
            "pipeline": name,
            "path": str(find_pipelines(settings.pipelines)[name]),
            "target": config.target,
            "source": config.source.model_dump(mode="json"),
            "features": config.features.model_dump(mode="json"),
            "champion": None,
            "last_run": _last_run(settings, name),
        }
    info = registry.version(name, version) if version else champion
    assert info is not None
    evaluation = json.loads(registry.folder(info, "evaluation.json").read_text())
    acts = Acts(PlatformDatabase.of(settings.home, settings.database_url)).of(name)
    return {
        "pipeline": name,
        "version": info.version,
        "champion": champion.version if champion else None,
        "path": str(find_pipelines(settings.pipelines)[name]),
        "target": config.target,
        "features": config.features.model_dump(mode="json"),
        "mlflow": registry.url(info),
        "metrics": {key: round(value, 6) for key, value in registry.metrics(info).items()},
        "importances": {key: neat(value, 4) for key, value in list(evaluation["importances"].items())[:15]},
        "tags": dict(info.tags),
        "last_run": _last_run(settings, name),
        "versions": [_version_line(registry, other) for other in registry.versions(name)],
        "acts": [
            {"at": act.at.isoformat(timespec="seconds"), "what": act.what, "who": act.actor,
             "before": act.before or "", "after": act.after or "", "why": act.reason}
            for act in acts[:20]
        ],
    }  # fmt: skip


def _version_line(registry: ModelRegistry, info: VersionInfo) -> dict[str, Any]:
    made = datetime.fromtimestamp(info.created).isoformat(" ", "minutes")
    return {
        "version": info.version,
        "made": made,
        "holdout": _holdout(registry, info),
        "alias": ", ".join(info.aliases),
        "gate": info.tags.get("gate", ""),
    }


# ---- check -----------------------------------------------------------------------------------------------------


def check(name: str | None) -> dict[str, Any]:
    """Each pipeline's YAML, source, columns and budget, without running anything."""
    settings = Settings.from_environment()
    if name is not None:
        return {"pipelines": [_checked(name, lambda: load_named(name, settings.pipelines))]}
    found = find_pipelines(settings.pipelines)
    return {"pipelines": [_checked(key, lambda path=path: load_pipeline(path)) for key, path in found.items()]}


def _checked(name: str, load: Callable[[], PipelineConfig]) -> dict[str, Any]:
    try:
        config = load()
        return {"name": config.name, "ok": True, "message": _dry_run(config)}
    except AutoMLError as error:
        return {"name": name, "ok": False, "message": str(error), "error": error.as_json()}


def _dry_run(config: PipelineConfig) -> str:
    """What a run would find: the first batch opened, the columns and the transformers that the YAML names looked for.

    Raises:
        InputError: something is not there.
    """
    if config.quality.contract is not None:
        read_contract(Path(config.quality.contract))
    for path in config.features.recipe().custom:
        imported(path)
    feed = Feed.of(config)
    batches = config.source.landed(config.batches.glob) if config.batches.kind == "files" else feed.keys()
    told = f"{len(batches)} batches, " if config.batches.kind != "none" else ""
    if not batches:
        return "no batch has landed yet"
    reading = feed.open(batches[0])
    require_columns(reading.columns, {config.target: "target", **config.columns.named()}, where=reading.where)
    available = read_memory().available / MIB
    features = "" if config.features.pipeline == AUTO else f"features {config.features.pipeline!r}; "
    return (
        f"{told}{len(reading.columns)} columns, target {config.target!r} present; {features}"
        f"a budget of {config.tuning.time_budget_seconds:g} s on {usable_cores()} cores with {available:,.0f} MiB free"
    )


# ---- doctor ----------------------------------------------------------------------------------------------------


def doctor() -> dict[str, Any]:
    """What this installation consists of and whether each part answers."""
    settings = Settings.from_environment()
    checks: Sequence[tuple[str, Callable[[], str]]] = (
        ("Python and packages", _packages),
        ("home", lambda: _home(settings)),
        ("pipelines", lambda: _pipelines(settings)),
        ("Dagster instance", lambda: _instance(settings)),
        ("model registry", lambda: _registry(registry_of(settings))),
        ("platform database", lambda: _database(settings)),
        ("fits in a child", lambda: _fits(settings)),
        ("memory", _memory),
        ("device", _device),
    )  # fmt: skip
    return {"checks": [_examined(what, look) for what, look in checks]}


def _examined(what: str, look: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"what": what, "ok": True, "message": look()}
    except Exception as error:  # whatever is wrong with a part is the finding
        return {"what": what, "ok": False, "message": str(error).strip().splitlines()[0][:300]}


def _packages() -> str:
    import platform
    from importlib.metadata import version

    names = (
        "automl-assets",
        "dagster",
        "mlflow",
        "optuna",
        "evidently",
        "scikit-learn",
        "xgboost",
        "lightgbm",
        "torch",
    )
    return f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in names)


def _home(settings: Settings) -> str:
    import shutil

    settings.prepare_home()
    return f"{settings.home}, {shutil.disk_usage(settings.home).free / 2**30:,.0f} GiB free"


def _pipelines(settings: Settings) -> str:
    return f"{len(load_all(settings.pipelines))} in {', '.join(str(folder) for folder in settings.pipelines)}"


def _instance(settings: Settings) -> str:
    with open_instance(settings) as instance:
        return f"{Path(settings.dagster_home)}, {instance.get_runs_count()} runs"


def _registry(registry: ModelRegistry) -> str:
    registry.versions("doctor")
    return registry.uri


def _database(settings: Settings) -> str:
    database = PlatformDatabase.of(settings.home, settings.database_url)
    Acts(database).of("doctor")
    return settings.database_url.partition("://")[0] if settings.database_url else "SQLite in the home"


def _fits(settings: Settings) -> str:
    from resources.fit_runner import shared_runner

    runner = shared_runner(settings.home / "logs" / "fits.log")
    outcome = runner.run("builtins:dict", {"answer": 1}, deadline_seconds=30, memory_mb=2_000)
    return f"a child answered in {outcome.seconds:.2f} s"


def _memory() -> str:
    reading = read_memory()
    return f"{reading.available / MIB:,.0f} of {reading.limit / MIB:,.0f} MiB free, {usable_cores()} cores"


def _device() -> str:
    from resources.gpu_device import GpuDevice

    return GpuDevice().device()
