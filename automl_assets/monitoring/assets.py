"""drift_report and performance_report."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from automl_assets.cleaning.apply import apply_in_batches, schema_after
from automl_assets.core.errors import RegistryError
from automl_assets.core.evidence import DriftReport, PerformanceReport, RivalScore
from automl_assets.core.files import atomic_folder
from automl_assets.core.ports import VersionInfo
from automl_assets.core.records import Act, VerdictRow
from automl_assets.core.steps import CheckSpec
from automl_assets.core.tables import iterate, open_files, write_table
from automl_assets.core.values import Batch, Champion, CheckOutcome, Interval, Predictions, RawTable
from automl_assets.evaluation.assets import picture
from automl_assets.evaluation.expectations import FILE as EXPECTATIONS_FILE
from automl_assets.evaluation.expectations import Expectations, load_expectations
from automl_assets.evaluation.reference import build_reference
from automl_assets.ingestion.assets import labels_table, labels_version, matures_on, predictions_of_content
from automl_assets.ingestion.labels import MatchedLabels, match_labels
from automl_assets.monitoring.judge import STAYS_ON, judge_drift
from automl_assets.monitoring.labels import judged_rows
from automl_assets.monitoring.pages import drawn_today, remove_surplus
from automl_assets.monitoring.performance import WatchedBatch, judge_performance, predictions_of
from automl_assets.monitoring.steps import DRIFT_REPORT, PERFORMANCE_REPORT
from automl_assets.pipeline import PipelineConfig
from automl_assets.registration.assets import batch_rows, contender
from automl_assets.registration.register import REMEMBERED
from automl_assets.registration.rivals import rivals_of
from automl_assets.registration.shadow import shadow_batch
from automl_assets.training.losses import losses_of_raw
from automl_assets.training.model import ModelCard
from resources.fit_runner import FitRunner
from resources.model_registry import CHALLENGER, ModelRegistry
from resources.platform_database import PlatformRecords
from resources.records.actions import Actions
from resources.records.acts import Acts
from resources.records.verdicts import Verdicts
from resources.steps import Steps, inputs_of, neat, step_asset
from resources.table_store import folder_name

DRIFT_CHECKS = (
    CheckSpec("no_drift", False, "No feature differs from the champion's training rows in a way that matters."),
)
COMPARE_SECONDS = 600.0
LOOKED_BACK = 60


def build(config: PipelineConfig) -> list[dg.AssetsDefinition]:
    """The assets of this stage for one pipeline."""
    return [_drift_report(config), _performance_report(config)]


def _drift_report(config: PipelineConfig) -> dg.AssetsDefinition:
    @step_asset(
        config,
        DRIFT_REPORT,
        kinds={"evidently" if config.monitoring.engine == "evidently" else "numpy"},
        checks=DRIFT_CHECKS,
        ins=inputs_of(config, "raw_table", "champion"),
    )
    def drift_report(
        context: dg.AssetExecutionContext,
        steps: Steps,
        fits: FitRunner,
        registry: ModelRegistry,
        records: PlatformRecords,
        raw_table: RawTable,
        champion: Champion,
    ):
        """The batch against the champion's training rows: effect size and corrected significance for each feature."""
        watching = Watching(config, steps, fits, registry, records)
        return steps.run(
            context,
            config,
            DRIFT_REPORT,
            {"raw_table": raw_table, "champion": champion},
            lambda: watching.compare(raw_table, champion),
            lambda report: _describe_drift(report, steps),
            checks=drift_checks,
            check_metadata=lambda report: {"share": report.importance_drifted, "batch": raw_table.batch},
        )

    return drift_report


def drift_checks(report: DriftReport) -> Sequence[CheckOutcome]:
    """One check: it passes when nothing drifted."""
    told = {"none": "No feature drifted.", "insufficient_data": "Too few rows to tell."}
    return [
        CheckOutcome(
            name="no_drift",
            passed=report.status in told,
            blocking=False,
            description=told.get(report.status) or "; ".join(report.reasons[:6]),
        )
    ]


@dataclass(frozen=True)
class Watching:
    """What comparing a batch with a version needs."""

    config: PipelineConfig
    steps: Steps
    fits: FitRunner
    registry: ModelRegistry
    records: PlatformRecords

    def compare(self, raw: RawTable, champion: Champion) -> DriftReport:
        """The drift report of a batch; Evidently's page is kept where something drifted, or once a day."""
        config, store = self.config, self.steps.store
        info = self.registry.version(config.name, champion.version)
        version = self._compared_with(info)
        card = ModelCard.read(self.registry.folder(version, "model"))
        table = store.tables_root / card.reference
        name = f"drift/{folder_name(raw.batch)}-{raw.table.digest[:12]}"
        html, figure = (store.report_path(config.name, f"{name}.{suffix}") for suffix in ("html", "png"))
        html.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="automl-drift-") as scratch:
            outcome = self.fits.runner().run(
                "automl_assets.monitoring.evidence:compare_with_reference",
                {
                    "reference": str(self._reference(version, card)),
                    "current": [self._clean_batch(raw, card, Path(scratch))],
                    "engine": config.monitoring.engine,
                    "importances": self._importances(info),
                    "importance_share": STAYS_ON * config.monitoring.thresholds.importance_share,
                    "html": str(html),
                    "render": self._render(html.parent),
                    "figure": str(figure),
                    "reference_tables": [str(table)] if table.is_file() else None,
                    "seed": config.seed,
                },
                deadline_seconds=COMPARE_SECONDS,
                memory_mb=self.steps.memory.fit_mb(),
            )
        evidence = outcome.value_or_raise("Comparing the batch with the reference")
        url = self.registry.attach(info, html, "drift") if evidence["html"] else None
        for page in remove_surplus(html.parent):
            self.registry.detach(info, page, "drift")
        return judge_drift(
            evidence,
            schema_breaks=raw.schema_breaks,
            html_path=str(html.relative_to(store.root)) if evidence["html"] else None,
            html_url=url,
            figure_path=str(figure.relative_to(store.root)) if evidence["figure"] else None,
        )

    def _render(self, folder: Path) -> str:
        """When Evidently draws its page: on drift; where it compares anyway, once a day too."""
        daily = self.config.monitoring.engine == "evidently" and not drawn_today(folder)
        return "always" if daily else "when_drifted"

    def _compared_with(self, champion: VersionInfo) -> VersionInfo:
        """The champion, or the version of a later retrain that found nothing better: that drift has been answered."""
        retrains = Actions(self.records.database()).of(self.config.name, kinds=["retrain"], most=10)
        answered = [str(a.payload["version"]) for a in retrains if a.payload.get("promoted") is False]
        newest = max((*answered, champion.version), key=int)
        return champion if newest == champion.version else self.registry.version(self.config.name, newest)

    def _reference(self, version: VersionInfo, card: ModelCard) -> Path:
        """The version's reference; made from its training rows, once, where it was registered without."""
        try:
            return self.registry.folder(version, REMEMBERED)
        except RegistryError:
            folder = self.steps.store.root / "cache" / "references" / f"{self.config.name}-{version.version}"
        if not folder.is_dir():
            with atomic_folder(folder) as partial:
                rows = open_files([self.steps.store.tables_root / card.reference])
                build_reference(rows, card.roles, partial, private=self.config.columns.private, seed=self.config.seed)
        return folder

    def _clean_batch(self, raw: RawTable, card: ModelCard, scratch: Path) -> str:
        """The batch after a version's plan, as a Parquet file."""
        dataset = self.steps.store.open([raw.table])
        handle = write_table(
            apply_in_batches(card.plan, iterate(dataset, size=self.steps.batch_size())),
            schema_after(card.plan, dataset.schema),
            scratch,
            "current",
        )
        return str(scratch / handle.path)

    def _importances(self, info: VersionInfo) -> dict[str, float]:
        return json.loads(self.registry.folder(info, "evaluation.json").read_text())["importances"]

    def judge(self, raw: RawTable, champion: Champion, predictions: Predictions) -> PerformanceReport:
        """The performance report of a batch, with the scores of versions that run beside the champion."""
        config, store = self.config, self.steps.store
        info = self.registry.version(config.name, champion.version)
        folder = self.registry.folder(info, "model")
        losses = losses_of_raw(
            folder,
            champion.digest or None,
            store.paths([raw.table]),
            store.paths([predictions.table])[0],
            self.fits.runner(),
            memory_mb=self.steps.memory.fit_mb(),
        )
        own = config.target in raw.table.names()
        batch = WatchedBatch(
            raw=store.open([raw.table]),
            digest=raw.table.digest,
            predictions=store.open([predictions.table]),
            card=ModelCard.read(folder),
            expectations=self._expectations(info),
            labels=self._labels(raw, predictions),
            matures_on=None if own else matures_on(config, raw.batch, self.records),
            losses=losses.values,
            no_losses=losses.why,
            weight=config.columns.weight,
        )
        report = judge_performance(
            batch,
            tolerance=config.monitoring.thresholds.performance_tolerance,
            slices=[name for name in config.columns.sensitive if name not in config.columns.private],
            seed=config.seed,
        )
        return report.model_copy(update={"rivals": tuple(self._rivals(raw, champion, batch))})

    def _expectations(self, info: VersionInfo) -> Expectations | None:
        """What the champion did on its holdout; None for a version that was registered without."""
        try:
            return load_expectations(self.registry.folder(info, REMEMBERED) / EXPECTATIONS_FILE)
        except RegistryError:
            return None

    def _labels(self, raw: RawTable, predictions: Predictions) -> MatchedLabels | None:
        """The labels that came later, matched with the batch's rows; None where the batch brings its own target."""
        section, store = self.config.labels, self.steps.store
        labels = labels_table(self.config, store)
        if section is None or labels is None:
            return None
        return match_labels(
            store.open([raw.table]),
            labels,
            target=self.config.target,
            key=section.key,
            predictions=predictions_of_content(self.config.name, store, raw.batch, raw.table.digest)
            or [store.open([predictions.table])],
        )

    def _rivals(self, raw: RawTable, champion: Champion, batch: WatchedBatch) -> Iterator[RivalScore]:
        """A challenger in its shadow and a champion's predecessor in its probation score the batch too."""
        store, name, database = self.steps.store, self.config.name, self.records.database()
        challenger = self.registry.aliased(name, CHALLENGER)
        acts = Acts(database).of(name, most=1)
        past = Verdicts(database).looked_back_at(name, champion.version, most=LOOKED_BACK)
        rivals = rivals_of(
            acts,
            champion=champion.version,
            challenger=challenger.version if challenger else None,
            scores=rival_scores(past, champion.version, acts),
        )
        if not rivals:
            return
        known = judged_rows(batch.raw, batch.digest, batch.card, batch.labels, matures_on=batch.matures_on)
        labelled = known.usable & (not known.waits)
        for rival in rivals:
            if rival.role == "previous" and not labelled.any():
                continue
            yield shadow_batch(
                rival,
                contender(self.registry, self.registry.version(name, rival.version)),
                batch_rows(store, Batch(key=raw.batch, table=raw.table)),
                store.paths([raw.table]),
                (known.y, labelled),
                predictions_of(batch.predictions, batch.card),
                batch.card,
                self.fits.runner(),
                batch_rows=self.steps.rows_a_batch,
                memory_mb=self.steps.memory.fit_mb(),
                seed=self.config.seed,
            )


def rival_scores(past: Sequence[VerdictRow], champion: str, acts: Sequence[Act]) -> list[RivalScore]:
    """The scores of earlier batches since the champion last changed, a batch's newest counting, oldest batch first.

    A batch is known by its place: whole tables that came one after another are all called the same.
    """
    rows = [row for row in past if row.verdict.champion == champion and (not acts or row.at >= acts[0].at)]
    newest = {row.verdict.sequence: row for row in sorted(rows, key=lambda row: row.id)}
    return [score for sequence in sorted(newest) for score in newest[sequence].verdict.rivals]


def _describe_drift(report: DriftReport, steps: Steps) -> dict[str, Any]:
    ranked = sorted(report.features, key=lambda f: (not f.drifted, -(f.effect or 0.0)))
    rows = [
        f"| {f.name} | {f.aspect} | {f.test} | {_number(f.effect)} | {_number(f.psi)} | {_number(f.q_value)} "
        f"| {f.importance:.0%} | {f.reason} |"
        for f in ranked[:100]
    ]
    header = ["| feature | what | test | effect | PSI | q | importance | |", "|-|-|-|-|-|-|-|-|"]
    domain = report.domain
    return {
        "status": report.status,
        "share_drifted": report.share_drifted,
        "importance_drifted": report.importance_drifted,
        "drifted_features": len({feature.name for feature in report.features if feature.drifted}),
        "reference_rows": report.reference_rows,
        "current_rows": report.current_rows,
        **({"domain_auc": neat(domain.auc), "domain_auc_low": neat(domain.low)} if domain else {}),
        **({"causes": picture(steps.store.root / report.figure_path)} if report.figure_path else {}),
        "features": dg.MetadataValue.md("\n".join([*header, *rows])),
        **({"evidently": dg.MetadataValue.url(report.html_url)} if report.html_url else {}),
        **({"page": dg.MetadataValue.path(str(steps.store.root / report.html_path))} if report.html_path else {}),
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
        fits: FitRunner,
        registry: ModelRegistry,
        records: PlatformRecords,
        raw_table: RawTable,
        champion: Champion,
        predictions: Predictions,
    ) -> dg.MaterializeResult[PerformanceReport]:
        """The champion's metric on the batch: measured where there are labels, estimated where there are none."""
        watching = Watching(config, steps, fits, registry, records)
        return steps.run(
            context,
            config,
            PERFORMANCE_REPORT,
            {"raw_table": raw_table, "champion": champion, "predictions": predictions},
            lambda: watching.judge(raw_table, champion, predictions),
            _describe_performance,
            extra_versions=lambda: {"labels": labels_version(config, raw_table.batch, records)},
        )

    return performance_report


def _describe_performance(report: PerformanceReport) -> dict[str, Any]:
    slices = [f"| {s.column} | {s.group} | {s.rows:,} | {_number(s.score)} | {_number(s.low)} … {_number(s.high)} |"
              for s in report.slices]  # fmt: skip
    header = ["| column | group | rows | score | 95% interval |", "|-|-|-|-|-|"]
    alarms = [alarm.reason for alarm in report.concept if alarm.alarmed]
    shifts = {row.aspect: row.reason for row in (report.predictions, report.target) if row is not None}
    labels = report.labels.model_dump() if report.labels else {}
    return {
        **_interval(report.metric, report.value),
        **_interval(f"estimated_{report.metric}", report.estimated),
        **({"drop": neat(report.drop.value)} if report.drop else {}),
        **({"estimated_drop": neat(report.estimated_drop.value)} if report.estimated_drop else {}),
        "labelled_rows": report.rows,
        "judged_on": report.reason,
        "estimate": report.estimate_reason,
        **shifts,
        **({"concept": "; ".join(alarms)} if alarms else {}),
        **{f"labels_{name}": value for name, value in labels.items()},
        **({"slices": dg.MetadataValue.md("\n".join([*header, *slices]))} if slices else {}),
        **{f"gain of version {r.version} ({r.role})": neat(r.gain.value) for r in report.rivals},
    }


def _interval(name: str, interval: Interval | None) -> dict[str, float]:
    if interval is None:
        return {}
    return {name: neat(interval.value), f"{name}_low": neat(interval.low), f"{name}_high": neat(interval.high)}
