"""drift_report and performance_report."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from automl_assets.cleaning.apply import apply_in_batches, schema_after
from automl_assets.core.fingerprint import digest_of
from automl_assets.core.steps import CheckSpec
from automl_assets.core.tables import iterate, write_table
from automl_assets.core.values import (
    Champion,
    CheckOutcome,
    DriftReport,
    PerformanceReport,
    Predictions,
    RawTable,
)
from automl_assets.monitoring.decide import decide, judge_drift
from automl_assets.monitoring.performance import judge_performance
from automl_assets.monitoring.steps import DRIFT_REPORT, PERFORMANCE_REPORT
from automl_assets.pipeline import PipelineConfig
from automl_assets.training.model import ModelCard
from resources.fit_runner import FitRunner
from resources.model_registry import ModelRegistry
from resources.steps import Steps, inputs_of, step_asset
from resources.table_store import folder_name

DRIFT_CHECKS = (
    CheckSpec("no_drift", False, "No feature differs from the champion's training rows in a way that matters."),
)
COMPARE_SECONDS = 600.0


def build(config: PipelineConfig) -> list[dg.AssetsDefinition]:
    """The assets of this stage for one pipeline."""
    return [_drift_report(config), _performance_report(config)]


def _drift_report(config: PipelineConfig) -> dg.AssetsDefinition:
    @step_asset(
        config, DRIFT_REPORT, kinds={"evidently"}, checks=DRIFT_CHECKS, ins=inputs_of(config, "raw_table", "champion")
    )
    def drift_report(
        context: dg.AssetExecutionContext,
        steps: Steps,
        fits: FitRunner,
        registry: ModelRegistry,
        raw_table: RawTable,
        champion: Champion,
    ):
        """The batch against the champion's training rows: effect size and corrected significance for each feature."""
        return steps.run(
            context,
            config,
            DRIFT_REPORT,
            {"raw_table": raw_table, "champion": champion},
            lambda: _compare(config, steps, fits, registry, raw_table, champion),
            lambda report: _describe_drift(report, steps),
            checks=drift_checks,
            check_metadata=lambda report: {
                "action": report.action,
                "share": report.importance_drifted,
                "finding": finding_id(config.name, raw_table, champion),
                "batch": raw_table.batch,
            },
        )

    return drift_report


def finding_id(pipeline: str, raw: RawTable, champion: Champion) -> str:
    """What a drift finding is about: this batch's content against this champion. Re-executions find the same."""
    return digest_of({"pipeline": pipeline, "batch": raw.table.digest, "champion": champion.version})


def drift_checks(report: DriftReport) -> Sequence[CheckOutcome]:
    """One check: it passes when nothing drifted, and says what the finding asks for."""
    told = {"none": "No feature drifted.", "insufficient_data": "Too few rows to tell."}
    description = told.get(report.status) or f"{report.action}: {'; '.join(report.reasons[:6])}"
    return [
        CheckOutcome(
            name="no_drift",
            passed=report.status in ("none", "insufficient_data"),
            blocking=False,
            description=description,
        )
    ]


def _compare(
    config: PipelineConfig, steps: Steps, fits: FitRunner, registry: ModelRegistry, raw: RawTable, champion: Champion
) -> DriftReport:
    info = registry.version(config.name, champion.version)
    card = ModelCard.read(registry.folder(info, "model"))
    html = steps.store.report_path(config.name, f"drift/{folder_name(raw.batch)}-{raw.table.digest[:12]}.html")
    html.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="automl-drift-") as scratch:
        current = _clean_batch(steps, raw, card, Path(scratch))
        outcome = fits.runner().run(
            "automl_assets.monitoring.evidence:compare_tables",
            {
                "reference": [str(steps.store.tables_root / card.reference)],
                "current": [current],
                "roles": dict(card.roles),
                "private": list(config.columns.private),
                "html": str(html),
                "seed": config.seed,
            },
            deadline_seconds=COMPARE_SECONDS,
            memory_mb=steps.memory.fit_mb(),
        )
    evidence = outcome.value_or_raise("Comparing the batch with the reference")
    missing = [column.name for column in card.columns if column.name not in raw.table.names()]
    path = str(html.relative_to(steps.store.root)) if html.exists() else None
    report = judge_drift(evidence, missing=missing, html_path=path)
    importances = json.loads(registry.folder(info, "evaluation.json").read_text())["importances"]
    verdict = decide(report, importances, config.monitoring.thresholds)
    return report.model_copy(update={"action": verdict.action, "importance_drifted": verdict.share})


def _clean_batch(steps: Steps, raw: RawTable, card: ModelCard, scratch: Path) -> str:
    """The batch after the champion's plan, as a Parquet file."""
    dataset = steps.store.open([raw.table])
    handle = write_table(
        apply_in_batches(card.plan, iterate(dataset, size=steps.batch_size())),
        schema_after(card.plan, dataset.schema),
        scratch,
        "current",
    )
    return str(scratch / handle.path)


def _describe_drift(report: DriftReport, steps: Steps) -> dict[str, Any]:
    ranked = sorted(report.features, key=lambda f: (not f.drifted, -(f.effect or 0.0)))
    rows = [
        f"| {f.name} | {f.test} | {_number(f.effect)} | {_number(f.psi)} | {_number(f.q_value)} | {f.reason} |"
        for f in ranked[:100]
    ]
    header = ["| feature | test | effect | PSI | q | |", "|-|-|-|-|-|-|"]
    page = dg.MetadataValue.path(str(steps.store.root / report.html_path)) if report.html_path else None
    return {
        "status": report.status,
        "action": report.action,
        "share_drifted": report.share_drifted,
        "importance_drifted": report.importance_drifted,
        "drifted_features": sum(feature.drifted for feature in report.features),
        "reference_rows": report.reference_rows,
        "current_rows": report.current_rows,
        "features": dg.MetadataValue.md("\n".join([*header, *rows])),
        **({"page": page} if page else {}),
    }


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.4g}"


def _performance_report(config: PipelineConfig) -> dg.AssetsDefinition:
    @step_asset(
        config, PERFORMANCE_REPORT, kinds={"arrow"}, ins=inputs_of(config, "raw_table", "champion", "predictions")
    )
    def performance_report(
        context: dg.AssetExecutionContext,
        steps: Steps,
        registry: ModelRegistry,
        raw_table: RawTable,
        champion: Champion,
        predictions: Predictions,
    ) -> dg.MaterializeResult[PerformanceReport]:
        """The champion's metric on the batch's labelled rows that it was not trained on, with its interval."""
        store = steps.store
        return steps.run(
            context,
            config,
            PERFORMANCE_REPORT,
            {"raw_table": raw_table, "champion": champion, "predictions": predictions},
            lambda: judge_performance(
                store.open([raw_table.table]),
                raw_table.table.digest,
                store.open([predictions.table]),
                ModelCard.read(registry.folder(registry.version(config.name, champion.version), "model")),
                seed=config.seed,
            ),
            _describe_performance,
        )

    return performance_report


def _describe_performance(report: PerformanceReport) -> dict[str, Any]:
    value = report.value
    measured = (
        {report.metric: value.value, f"{report.metric}_low": value.low, f"{report.metric}_high": value.high}
        if value
        else {}
    )
    return {**measured, "labelled_rows": report.rows, "judged_on": report.reason}
