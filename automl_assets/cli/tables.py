"""The commands that take any file: init, profile, clean, drift. None of them needs Dagster."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_assets.core.errors import ConfigError, InputError, StorageError
from automl_assets.core.tables import open_tables
from automl_assets.core.values import Problem, QualityReport, RawTable
from automl_assets.ingestion.read import read_batch
from automl_assets.ingestion.sources import Source
from automl_assets.ingestion.sources import registry as sources
from automl_assets.pipeline import NAME_PATTERN

if TYPE_CHECKING:
    import pyarrow.dataset as ds

WHOLE = "all"


def source_of(path: Path) -> Source:
    """The source that reads a file: Parquet by its name or its first bytes, else delimited text."""
    located = path.expanduser().resolve()
    kind = "csv"
    if located.suffix == ".parquet" or (located.is_file() and _starts_with(located, b"PAR1")):
        kind = "parquet"
    return sources.get(kind).model_validate({"path": str(located)})


def _starts_with(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False


@contextmanager
def read_file(path: Path) -> "Iterator[tuple[RawTable, ds.Dataset]]":
    """A file as a typed table in a temporary folder.

    Raises:
        SourceError: it can't be read as a table.
    """
    with tempfile.TemporaryDirectory(prefix="automl-") as scratch:
        raw, _ = read_batch(
            source_of(path).open(WHOLE),
            batch=WHOLE,
            source_digest="",
            recorded=None,
            root=Path(scratch),
            folder="table",
        )
        yield raw, open_tables(Path(scratch), [raw.table])


def init(table: Path, target: str, name: str | None) -> dict[str, Any]:
    """Look at a file, understand the problem, and write the pipeline.

    Raises:
        ConfigError: the name is taken, or is none.
        InputError: the file or the target is not usable.
    """
    from automl_assets.pipeline_files import find_pipelines, write_pipeline
    from automl_assets.problems.config import ColumnsConfig, ProblemConfig
    from automl_assets.problems.detect import detect_problem
    from resources.settings import BUNDLED_PIPELINES, Settings

    chosen = name or slug(table)
    if not re.match(NAME_PATTERN, chosen):
        raise ConfigError(
            f"{chosen!r} is no name for a pipeline.",
            where="--name",
            remedy="Use up to 63 lower-case letters, digits and underscores, a letter first.",
        )
    settings = Settings.from_environment()
    folder = settings.pipelines[0]
    path = folder / chosen / "defs.yaml"
    taken = find_pipelines([folder, BUNDLED_PIPELINES])
    if chosen in taken:
        raise ConfigError(
            f"The pipeline {chosen!r} exists already.",
            where=str(taken[chosen]),
            remedy="Choose another name with --name, or edit that file.",
        )
    with read_file(table) as (raw, dataset):
        problem = detect_problem(dataset, name=chosen, target=target, columns=ColumnsConfig(), config=ProblemConfig())
    leaks = {leak.column: leak.reason for leak in problem.leaks if leak.certain and leak.column}
    _require_learnable(problem, leaks, where=str(table))
    source = {"type": source_of(table).type, "path": _written_path(table.expanduser().resolve(), path.parent)}
    write_pipeline(path, name=chosen, source=source, target=target, exclude=leaks)
    return {
        "pipeline": chosen,
        "path": str(path),
        "rows": raw.table.rows,
        "columns": len(raw.table.columns),
        "problem": {"kind": problem.kind, "metric": problem.metric, "classes": len(problem.classes)},
        "features": len(problem.features()) - len(leaks),
        "excluded": leaks,
        "warnings": [f"{leak.column or 'rows'}: {leak.reason}" for leak in problem.leaks if not leak.certain],
        "findings": [finding.model_dump(mode="json") for finding in (*raw.findings, *problem.findings)],
    }


def _require_learnable(problem: Problem, leaks: Mapping[str, str], *, where: str) -> None:
    """Refuse what `automl run` would refuse, once the leaks are left out.

    Raises:
        InputError: too few rows, or no feature.
    """
    failed = [
        check for check in problem.checks if check.blocking and not check.passed and check.name != "no_certain_leak"
    ]
    if failed:
        worst = min(failed, key=lambda check: check.name != "has_features")
        raise InputError(worst.description, where=where, code="check_failed")
    if not set(problem.features()) - set(leaks):
        raise InputError(
            f"No feature is left: {'; '.join(f'{column}: {reason}' for column, reason in list(leaks.items())[:5])}.",
            where=where,
            remedy="Add columns that are known before the target is.",
            code="check_failed",
        )


def _written_path(table: Path, folder: Path) -> str:
    """Relative to the YAML file where the table lies in the same project, so that both can move; else absolute."""
    project = folder.parent.parent
    return os.path.relpath(table, folder) if table.is_relative_to(project) else str(table)


def slug(table: Path) -> str:
    """A pipeline name from a file's: ``Telco-Customer-Churn.csv.gz`` gives ``telco_customer_churn``."""
    stem = table.name.split(".")[0]
    words = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")
    return (words if words[:1].isalpha() else f"p_{words}")[:63] or "pipeline"


def profile(table: Path, *, html: Path | None, contract: Path | None) -> dict[str, Any]:
    """The quality report of a file, and the page and the contract where they are asked for.

    Raises:
        InputError: the file can't be read, or an output can't be written.
    """
    from automl_assets.quality.contract import suggest_contract
    from automl_assets.quality.page import quality_page
    from automl_assets.quality.report import assess

    for out in (html, contract):
        require_writable(out)
    with read_file(table) as (raw, dataset):
        report = assess(dataset, read_findings=raw.findings)
    if html is not None:
        write_output(html, quality_page(report, title=table.name))
    if contract is not None:
        write_output(contract, suggest_contract(report))
    document = profile_document(report)
    outputs = {"html": html, "contract": contract}
    return document | {key: str(path) for key, path in outputs.items() if path is not None}


def profile_document(report: QualityReport) -> dict[str, Any]:
    """The report in the shape that `--json` promises."""
    fields = ("name", "type", "role", "missing_share", "distinct")
    return {
        "rows": report.rows,
        "columns": [{field: getattr(column, field) for field in fields} for column in report.columns],
        "score": report.score,
        "components": dict(report.components),
        "findings": [finding.model_dump(mode="json") for finding in report.findings],
    }


def require_writable(out: Path | None) -> None:
    """Check before any work that an output can be written.

    Raises:
        ConfigError: its folder is not there, or it is a folder.
    """
    if out is None:
        return
    if out.is_dir() or not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise ConfigError(
            "The output can't be written there.", where=str(out), remedy="Name a file in an existing folder of yours."
        )


def write_output(path: Path, text: str) -> None:
    """Write a text output whole or not at all.

    Raises:
        StorageError: the disk refuses.
    """
    from automl_assets.core.files import write_text

    try:
        write_text(path, text)
    except OSError as error:
        raise StorageError(f"It can't be written: {error.strerror}.", where=str(path), remedy="Free space.") from error


def clean(table: Path, out: Path, *, plan: Path | None, structural: bool) -> dict[str, Any]:
    """Repair a file; the plan is written to ``OUT.plan.json`` and every change to ``OUT.changes.parquet``.

    Raises:
        InputError: the file, the plan or the output is not usable.
    """
    from automl_assets.cleaning.repair import read_plan, repair, write_plan

    require_writable(out)
    if out.resolve() == table.expanduser().resolve():
        raise ConfigError("The output is the input.", where=str(out), remedy="Write the repaired copy elsewhere.")
    given = read_plan(plan) if plan is not None else None
    plan_path = out.with_name(out.name + ".plan.json")
    changes = out.with_name(out.name + ".changes.parquet")
    reading = source_of(table).open(WHOLE)
    with tempfile.TemporaryDirectory(prefix="automl-") as scratch:
        done = repair(reading, out, changes, plan=given, structural=structural, scratch=Path(scratch))
    write_plan(plan_path, done.plan)
    return {
        "rows": done.rows,
        "columns": done.columns,
        "changed_cells": done.changed_cells,
        "operations": [
            {
                "operation": step.operation,
                "column": ", ".join(step.columns),
                "author": step.author,
                "changed": changed,
                "confidence": step.confidence,
                "reason": step.reason,
            }
            for step, changed in zip(done.plan.steps, done.changed_by_step, strict=True)
        ],
        "flagged": [step.model_dump(mode="json") for step in done.plan.flagged],
        "out": str(out),
        "plan": str(plan_path),
        "changes": str(changes),
        "findings": [finding.model_dump(mode="json") for finding in reading.findings],
    }


def drift(reference: Path, current: Path) -> dict[str, Any]:
    """Compare two files: the features that both have, and what the newer one lacks.

    Raises:
        InputError: a file can't be read, or they have no column in common.
    """
    from automl_assets.monitoring.evidence import compare_tables
    from automl_assets.monitoring.judge import judge_drift
    from automl_assets.quality.report import assess

    with read_file(reference) as (_, before), read_file(current) as (_, now):
        roles = {column.name: column.role for column in assess(before).columns}
        missing = [name for name in roles if name not in now.schema.names]
        if len(missing) == len(roles):
            raise InputError(
                "The files have no column in common.", where=str(current), remedy="Compare files of the same table."
            )
        evidence = compare_tables(before.files, now.files, roles=roles, private=[], html=None)
    report = judge_drift(evidence, missing=missing)
    return {
        "status": report.status,
        "reasons": list(report.reasons),
        "share_drifted": report.share_drifted,
        "features": [feature.model_dump(mode="json") for feature in report.features],
        "reference_rows": report.reference_rows,
        "current_rows": report.current_rows,
    }
