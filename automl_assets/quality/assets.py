"""quality_report."""

from typing import Any

import dagster as dg

from automl_assets.core.steps import CheckSpec
from automl_assets.core.values import QualityReport, RawTable
from automl_assets.pipeline import PipelineConfig
from automl_assets.quality.report import assess, score_check
from automl_assets.quality.steps import QUALITY_REPORT
from resources.steps import Steps, findings_table, inputs_of, step_asset

CHECKS = (CheckSpec("quality_score", False, "The score is at least cleaning.quality_score_threshold."),)


def build(config: PipelineConfig) -> list[dg.AssetsDefinition]:
    """The assets of this stage for one pipeline."""

    @step_asset(config, QUALITY_REPORT, kinds={"arrow"}, checks=CHECKS, ins=inputs_of(config, "raw_table"))
    def quality_report(context: dg.AssetExecutionContext, steps: Steps, raw_table: RawTable):
        """Completeness, validity, consistency and uniqueness, 0 to 100, their mean, and the findings behind them."""
        return steps.run(
            context,
            config,
            QUALITY_REPORT,
            {"raw_table": raw_table},
            lambda: assess(
                steps.store.open([raw_table.table]),
                read_findings=raw_table.findings,
                private=config.columns.private,
                roles=dict(config.columns.roles),
            ),
            _describe,
            checks=lambda report: (score_check(report, config.cleaning.quality_score_threshold),),
        )

    return [quality_report]


def _describe(report: QualityReport) -> dict[str, Any]:
    rows = [
        f"| {c.name} | {c.type} | {c.role} | {c.missing_share:.1%} | {c.distinct:,} |" for c in report.columns[:200]
    ]
    profile = "\n".join(["| column | type | role | missing | distinct |", "|-|-|-|-|-|", *rows])
    return {
        "quality_score": report.score,
        **report.components,
        "findings": findings_table(report.findings),
        "columns": dg.MetadataValue.md(profile),
    }
