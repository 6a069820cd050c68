"""The command `report`: what was stored of a registered version, on one page."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from automl_assets.cli.home import registry_of
from automl_assets.cli.tables import require_writable, write_output
from automl_assets.core.errors import RegistryError, StorageError
from automl_assets.core.ports import VersionInfo
from automl_assets.core.values import (
    CleaningPlan,
    Evaluation,
    Problem,
    QualityReport,
    Study,
    TrainedModel,
    TrainingWindow,
    Value,
)
from automl_assets.evaluation.expectations import FILE as EXPECTATIONS_FILE
from automl_assets.evaluation.expectations import load_expectations
from automl_assets.evaluation.page import model_page
from automl_assets.evaluation.page_facts import PageFacts
from automl_assets.evaluation.stored_reference import Reference
from automl_assets.pipeline import PipelineConfig
from automl_assets.pipeline_files import load_named
from automl_assets.registration.register import REMEMBERED
from automl_assets.training.model import ModelCard
from resources.model_registry import ModelRegistry
from resources.settings import Settings
from resources.table_store import TableStore

MOST_TAG_CHARACTERS = 5_000  # what `register` keeps of the hashes
Stored = TypeVar("Stored", bound=Value)


def write_report(name: str, version: str | None, out: Path | None) -> dict[str, Any]:
    """Write the page about a version, the champion by default; nothing is computed anew.

    Raises:
        UnknownNameError: there is no such pipeline or version.
        RegistryError: no version is registered yet, or none is the champion.
        StorageError: what was stored of it can't be read.
    """
    settings = Settings.from_environment()
    config = load_named(name, settings.pipelines)
    require_writable(out)
    registry = registry_of(settings)
    champion = registry.aliased(name)
    info = registry.version(name, version) if version is not None else champion
    if info is None:
        raise _nothing_to_report(registry, settings, name)
    facts = gather(config, registry, TableStore(home=str(settings.home)), info, champion)
    path = out or Path(f"{name}-{info.version}.html")
    require_writable(path)
    write_output(path, model_page(facts))
    return {
        "pipeline": name,
        "version": info.version,
        "out": str(path),
        "size_bytes": path.stat().st_size,
        "missing": facts.missing(),
    }


def _nothing_to_report(registry: ModelRegistry, settings: Settings, name: str) -> RegistryError:
    known = [info.version for info in registry.versions(name)] if settings.home.is_dir() else []
    if known:
        remedy = f"Name a version ({', '.join(known[:5])}), or promote one with `automl promote`."
        return RegistryError(f"{name} has no champion.", where=registry.uri, remedy=remedy)
    return RegistryError(
        f"{name} has no registered version yet.", where=registry.uri, remedy=f"Train it with `automl run {name}`."
    )


def gather(
    config: PipelineConfig, registry: ModelRegistry, store: TableStore, info: VersionInfo, champion: VersionInfo | None
) -> PageFacts:
    """What the registry and this machine's store hold of a version."""
    window = _first(store, config.name, "training_window", TrainingWindow, lambda found: _hashes(found) == _data(info))
    trained = _first(
        store, config.name, "trained_model", TrainedModel, lambda found: found.digest == info.tags.get("model_sha256")
    )
    made_with, remembered = _configuration(registry, info), _remembered(registry, info)
    reference = expectations = None
    if remembered is not None:
        reference = Reference.load(remembered)
        expectations = load_expectations(remembered / EXPECTATIONS_FILE)
    return PageFacts(
        info=info,
        evaluation=_artifact(registry, info, "evaluation.json", Evaluation),
        problem=_artifact(registry, info, "problem.json", Problem),
        plan=_artifact(registry, info, "plan.json", CleaningPlan),
        card=ModelCard.read(registry.folder(info, "model")),
        private=frozenset(config.columns.private).union((made_with.get("columns") or {}).get("private") or ()),
        watching=_watching(made_with),
        champion=champion.version if champion is not None else None,
        url=registry.url(info),
        trained=trained,
        study=_first(store, config.name, "tuning_study", Study, lambda found: _is_study_of(found, trained)),
        window=window,
        quality=_quality(store, config.name, window),
        reference=reference,
        expectations=expectations,
    )


def _artifact(registry: ModelRegistry, info: VersionInfo, path: str, kind: type[Stored]) -> Stored:
    file = registry.folder(info, path)
    try:
        return kind.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except (ValidationError, ValueError) as error:
        raise StorageError(
            f"{path} of version {info.version} has another shape than this version of automl-assets reads.",
            where=str(file),
            remedy=f"Train again with `automl run {info.name} --force`.",
        ) from error


def _configuration(registry: ModelRegistry, info: VersionInfo) -> dict[str, Any]:
    """The configuration that the version was made with; empty where it can't be read."""
    import yaml

    with suppress(RegistryError, yaml.YAMLError, OSError):
        document = yaml.safe_load(registry.folder(info, "pipeline.yaml").read_text(encoding="utf-8"))
        found = document.get("attributes") if isinstance(document, dict) else None
        return found if isinstance(found, dict) else {}
    return {}


def _watching(configuration: dict[str, Any]) -> dict[str, str]:
    """What monitoring goes by."""
    monitoring = configuration.get("monitoring") or {}
    found = {"engine": monitoring.get("engine"), **(monitoring.get("thresholds") or {})}
    return {name: str(value) for name, value in found.items() if value is not None}


def _remembered(registry: ModelRegistry, info: VersionInfo) -> Path | None:
    with suppress(RegistryError):
        return registry.folder(info, REMEMBERED)
    return None


def _first(
    store: TableStore, pipeline: str, asset: str, kind: type[Stored], fits: Callable[[Stored], bool]
) -> Stored | None:
    """The newest stored result of a step that belongs to the version; none where they can't be read any more."""
    with suppress(StorageError):
        latest = store.latest(pipeline, asset)
        found = [*([latest] if latest is not None else []), *store.every(pipeline, asset)]
        return next((value for value in found if isinstance(value, kind) and fits(value)), None)
    return None


def _hashes(window: TrainingWindow) -> str:
    return ",".join(batch.table.digest for batch in window.batches)[:MOST_TAG_CHARACTERS]


def _data(info: VersionInfo) -> str:
    return info.tags.get("data_hashes", "")


def _is_study_of(study: Study, trained: TrainedModel | None) -> bool:
    """Whether the study holds every candidate of the leaderboard, at the same cost."""
    if trained is None:
        return False
    costs = {trial.id: trial.fit_seconds for trial in study.trials}
    return all(
        costs.get(member.name) == member.fit_seconds for member in trained.leaderboard if member.family != "ensemble"
    )


def _quality(store: TableStore, pipeline: str, window: TrainingWindow | None) -> dict[str, QualityReport]:
    """The quality reports of the window's batches, where they are still those of the same rows."""
    reports: dict[str, QualityReport] = {}
    for batch in window.batches if window is not None else ():
        with suppress(StorageError):
            found = store.latest(pipeline, "quality_report", batch.key)
            if isinstance(found, QualityReport) and found.rows == batch.table.rows:
                reports[batch.key] = found
    return reports
