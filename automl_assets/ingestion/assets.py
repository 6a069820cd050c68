"""raw_table and training_window."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from automl_assets.core.fingerprint import digest_of
from automl_assets.core.steps import CheckSpec
from automl_assets.core.values import RawTable, TrainingWindow
from automl_assets.ingestion.read import RecordedSchema, read_batch
from automl_assets.ingestion.steps import RAW_TABLE, TRAINING_WINDOW
from automl_assets.ingestion.window import choose_batches, window_checks
from automl_assets.pipeline import PipelineConfig
from automl_assets.quality.contract import check_contract, read_contract
from automl_assets.quality.report import batch_checks, quarantine_reasons
from resources.steps import Steps, asset_key, findings_table, partitions_of, step_asset, table_metadata
from resources.table_store import WHOLE, TableStore

RAW_CHECKS = (
    CheckSpec("schema_matches", True, "The columns and types are those that the first batch fixed, or wider."),
    CheckSpec("rows_readable", True, "At most 10% of the rows don't fit the header."),
)
CONTRACT_CHECK = CheckSpec("contract", True, "The batch keeps the data contract that quality.contract names.")
WINDOW_CHECKS = (
    CheckSpec("enough_rows", True, "The window has at least 25 rows."),
    CheckSpec("no_batch_in_quarantine", False, "No batch was left out because a blocking check on it failed."),
)


def build(config: PipelineConfig) -> list[dg.AssetsDefinition]:
    """The assets of this stage for one pipeline."""
    return [_raw_table(config), _training_window(config)]


def _raw_table(config: PipelineConfig) -> dg.AssetsDefinition:
    checks = (*RAW_CHECKS, CONTRACT_CHECK) if config.quality.contract else RAW_CHECKS

    @step_asset(config, RAW_TABLE, kinds={config.source.type, "parquet"}, checks=checks)
    def raw_table(context: dg.AssetExecutionContext, steps: Steps):
        """The rows as they arrived, typed: types are inferred from the first batch, recorded, and enforced since."""
        batch = context.partition_key if context.has_partition_key else WHOLE
        return steps.run(
            context,
            config,
            RAW_TABLE,
            {},
            lambda: ingest(config, batch, steps.store),
            _describe_raw,
            checks=lambda raw: raw.checks,
            extra_versions=lambda: {"source": config.source_version(batch)},
        )

    return raw_table


def ingest(config: PipelineConfig, batch: str, store: TableStore) -> RawTable:
    """Read one batch into the store and record the schema that it fixes."""
    kept_name = f"schema-{digest_of(config.section('source'))}"
    recorded = store.kept(config.name, kept_name)
    assert recorded is None or isinstance(recorded, RecordedSchema)
    raw, record = read_batch(
        config.source.open(batch),
        batch=batch,
        source_digest=config.source.digest(batch),
        recorded=recorded,
        root=store.tables_root,
        folder=store.table_folder(config.name, RAW_TABLE.name, batch),
    )
    if record != recorded:
        store.keep(config.name, kept_name, record)
    checks = batch_checks(raw)
    if config.quality.contract is not None:
        contract = read_contract(Path(config.quality.contract))
        checks = (*checks, check_contract(contract, store.open([raw.table])))
    return raw.model_copy(update={"checks": checks})


def _describe_raw(raw: RawTable) -> dict[str, Any]:
    dialect = raw.dialect.model_dump() if raw.dialect else {}
    return {
        **table_metadata(raw.table),
        **({"dialect": dg.MetadataValue.json(dialect)} if dialect else {}),
        **({"findings": findings_table(raw.findings)} if raw.findings else {}),
        **({"schema_changes": "; ".join(raw.schema_changes)} if raw.schema_changes else {}),
        **({"rejected_rows": dg.MetadataValue.path(raw.rejected_path)} if raw.rejected_path else {}),
    }


def _training_window(config: PipelineConfig) -> dg.AssetsDefinition:
    mapping = dg.AllPartitionMapping() if partitions_of(config) else None
    raw = dg.AssetIn(key=asset_key(config, RAW_TABLE.name), partition_mapping=mapping)

    @step_asset(config, TRAINING_WINDOW, kinds={"parquet"}, checks=WINDOW_CHECKS, ins={"raw_table": raw})
    def training_window(context: dg.AssetExecutionContext, steps: Steps, raw_table: Any):
        """The batches that training reads; those that failed a blocking check are left out."""
        tables: dict[str, RawTable] = raw_table if isinstance(raw_table, dict) else {raw_table.batch: raw_table}
        return steps.run(
            context,
            config,
            TRAINING_WINDOW,
            {"raw_table": tables},
            lambda: window_of(tables, config),
            _describe_window,
            checks=window_checks,
        )

    return training_window


def window_of(tables: Mapping[str, RawTable], config: PipelineConfig) -> TrainingWindow:
    """The window that the configuration asks for, without the batches in quarantine."""
    quarantined = {key: quarantine_reasons(raw.checks) for key, raw in tables.items()}
    return choose_batches(tables, quarantined, config.training_window)


def _describe_window(window: TrainingWindow) -> dict[str, Any]:
    rows = [f"| {batch.key} | {batch.table.rows:,} | {batch.table.digest[:12]} |" for batch in window.batches[:100]]
    return {
        "dagster/row_count": window.rows,
        "batches": len(window.batches),
        "excluded_batches": len(window.excluded),
        "window": dg.MetadataValue.md("\n".join(["| batch | rows | digest |", "|-|-|-|", *rows])),
    }
