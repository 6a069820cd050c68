"""The command `reproduce`: a version made again in a scratch folder and compared with what is recorded of it."""

import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from automl_assets.cli.display import RunDisplay, out
from automl_assets.cli.edge import INTERRUPTED
from automl_assets.cli.home import registry_of
from automl_assets.core.errors import AutoMLError, InputError, RegistryError
from automl_assets.core.memory import BatchSize
from automl_assets.core.ports import VersionInfo
from automl_assets.core.progress import Progress, listening, tell
from automl_assets.core.values import CleaningPlan, Problem, Value
from automl_assets.learn.runner import Runner
from automl_assets.pipeline_files import load_named
from automl_assets.registration.record import RECORD_FILE, MadeWith, VersionRecord
from automl_assets.registration.remake import StoredVersion, Workshop
from automl_assets.registration.reproduce import reproduce
from automl_assets.tuning.assets import progress_line
from automl_assets.tuning.steps import TUNING_STUDY
from resources.memory_monitor import MemoryMonitor
from resources.model_registry import ModelRegistry
from resources.settings import Settings
from resources.table_store import TableStore

Stored = TypeVar("Stored", bound=Value)


def reproduce_command(name: str, version: str, *, as_json: bool) -> int:
    """Make a version again and say how it compares; the exit code: 0 identical, 1 different.

    Raises:
        UnknownNameError: there is no such pipeline or version.
        InputError: something that it was made from is gone, or was never recorded.
    """
    settings = Settings.from_environment()
    begun = time.monotonic()
    stored = stored_version(settings, name, version)
    try:
        with RunDisplay(name, quiet=as_json or settings.log_format == "json") as display, listening(display):
            document = _reproduced(settings, stored)
    except KeyboardInterrupt:
        error = AutoMLError("Stopped by Ctrl-C.", code="interrupted", remedy="Nothing was changed or left behind.")
        error.exit_code = INTERRUPTED
        raise error from None
    document["seconds"] = round(time.monotonic() - begun, 3)
    print(json.dumps(document, ensure_ascii=False)) if as_json else print_reproduction(document)
    return 0 if document["identical"] else 1


def _reproduced(settings: Settings, stored: StoredVersion) -> dict[str, Any]:
    """Everything happens in a folder that is removed and in processes that end, however this ends."""
    memory = MemoryMonitor(warning_mb=settings.memory_warning_mb, critical_mb=settings.memory_critical_mb)
    with (
        tempfile.TemporaryDirectory(prefix="automl-reproduce-", ignore_cleanup_errors=True) as scratch,
        Runner(packages=("numpy", "pyarrow.compute"), log=settings.home / "logs" / "fits.log") as runner,
    ):
        workshop = Workshop(
            Path(scratch),
            runner,
            BatchSize(settings.batch_rows, budget_mb=memory.available_mb()),
            lambda told: tell(Progress(stored.name, TUNING_STUDY.name, "working", progress_line(told))),
        )
        found = reproduce(stored, workshop)
    difference = found.difference
    return {
        "pipeline": stored.name,
        "version": stored.version,
        "identical": difference is None,
        "difference": asdict(difference) if difference else None,
        "told": difference.told() if difference else "identical",
        "deterministic": stored.record.deterministic,
        "notes": list(found.notes),
    }


def stored_version(settings: Settings, name: str, version: str) -> StoredVersion:
    """What the registry and this machine's store hold of a version.

    Raises:
        UnknownNameError: there is no such pipeline or version.
        InputError: it is not recorded what the version was made from.
    """
    registry = registry_of(settings)
    if not settings.home.is_dir() or not registry.versions(name):
        load_named(name, settings.pipelines)
        raise InputError(
            f"{name} has no registered version yet.", where=registry.uri, remedy=f"Train it with `automl run {name}`."
        )
    info = registry.version(name, version)
    record = VersionRecord.read(_record_file(registry, info))
    return StoredVersion(
        name=name,
        version=info.version,
        tags=info.tags,
        made_with=_made_with(registry, info),
        record=record,
        problem=_stored(registry, info, "problem.json", Problem),
        plan=_stored(registry, info, "plan.json", CleaningPlan),
        folder=registry.folder(info, "model"),
        tables_root=TableStore(home=str(settings.home)).tables_root,
    )


def _record_file(registry: ModelRegistry, info: VersionInfo) -> Path:
    try:
        return registry.folder(info, RECORD_FILE)
    except RegistryError as error:
        raise InputError(
            f"Version {info.version} has no {RECORD_FILE}: what its search tried, on which tables and on how many "
            "processors was not recorded.",
            where=error.where,
            remedy=f"`automl run {info.name} --force` trains a version that records it.",
            code="missing_data",
        ) from error


def _made_with(registry: ModelRegistry, info: VersionInfo) -> MadeWith:
    import yaml

    file = registry.folder(info, "pipeline.yaml")
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(
            "The recorded configuration is no YAML.", where=str(file), remedy="Restore the file."
        ) from error
    return MadeWith.of(document if isinstance(document, dict) else {}, where=str(file))


def _stored(registry: ModelRegistry, info: VersionInfo, path: str, kind: type[Stored]) -> Stored:
    file = registry.folder(info, path)
    try:
        return kind.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except (ValidationError, ValueError) as error:
        raise InputError(
            f"{path} of version {info.version} has another shape than this version of automl-assets reads.",
            where=str(file),
            remedy="Install the version that wrote it (the tag code_version), or train again.",
        ) from error


def print_reproduction(document: dict[str, Any]) -> None:
    """What explains a difference, then the difference, or that there is none."""
    from rich.markup import escape

    console = out()
    for note in document["notes"]:
        console.print(f"[yellow]Note:[/] {escape(note)}")
    which = f"{document['pipeline']} version {document['version']}"
    if document["identical"]:
        console.print(f"{which}, made again in {document['seconds']:.0f} s: [green]identical[/].")
    else:
        console.print(f"{which}, made again, is different. {escape(document['told'])}")
