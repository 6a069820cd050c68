"""predictions."""

from pathlib import Path
from typing import Any

import dagster as dg

from automl_assets.core.errors import AutoMLError
from automl_assets.core.memory import usable_cores
from automl_assets.core.progress import Progress, tell
from automl_assets.core.values import Champion, Predictions, RawTable, TableHandle
from automl_assets.pipeline import PipelineConfig
from automl_assets.serving.steps import PREDICTIONS
from resources.fit_runner import FitRunner
from resources.model_registry import ModelRegistry
from resources.steps import Steps, as_failure, inputs_of, step_asset, table_metadata

PREDICT_SECONDS = 3600.0


def build(config: PipelineConfig) -> list[dg.AssetsDefinition]:
    """The assets of this stage for one pipeline."""

    @step_asset(config, PREDICTIONS, kinds={"parquet"}, ins=inputs_of(config, "raw_table", "champion"))
    def predictions(
        context: dg.AssetExecutionContext,
        steps: Steps,
        fits: FitRunner,
        registry: ModelRegistry,
        raw_table: RawTable,
        champion: Champion,
    ) -> dg.MaterializeResult[Predictions]:
        """Every row of the batch scored by the champion, with the champion's own cleaning plan."""
        result = steps.run(
            context,
            config,
            PREDICTIONS,
            {"raw_table": raw_table, "champion": champion},
            lambda: _predict(config, steps, fits, registry, raw_table, champion),
            _describe,
            final=lambda _: config.predictions.sink is None,
        )
        return deliver(config, steps, result)

    return [predictions]


def deliver(config: PipelineConfig, steps: Steps, result: dg.MaterializeResult) -> dg.MaterializeResult:
    """Write the predictions, scored now or reused, to the sink; they count as done only then, so a kill loses nothing.

    Raises:
        dagster.Failure: the sink did not take them; they stay stored, and the next run tries again.
    """
    sink, found = config.predictions.sink, result.value
    if sink is None or not isinstance(found, Predictions):
        return result
    store, step, batch = steps.store, PREDICTIONS.name, found.batch
    fingerprint = str(dict(result.metadata or {})["fingerprint"])
    try:
        rows = store.open([found.table])
        receipt = sink.write(rows, pipeline=config.name, batch=batch, version=found.model_version)
        store.save(config.name, step, batch, found, fingerprint)
    except AutoMLError as error:
        tell(Progress(config.name, step, "failed", str(error)))
        raise as_failure(error) from error
    return dg.MaterializeResult(
        value=found,
        data_version=result.data_version,
        metadata={**dict(result.metadata or {}), "sink": receipt.where, "sink_rows": receipt.rows},
        check_results=result.check_results,
    )


def _predict(
    config: PipelineConfig, steps: Steps, fits: FitRunner, registry: ModelRegistry, raw: RawTable, champion: Champion
) -> Predictions:
    store = steps.store
    answer = score_tables(
        registry.folder(registry.version(config.name, champion.version), "model"),
        champion,
        store.paths([raw.table]),
        fits,
        root=store.tables_root,
        folder=store.table_folder(config.name, PREDICTIONS.name, raw.batch),
        batch=raw.batch,
        batch_rows=steps.rows_a_batch,
        memory_mb=steps.memory.fit_mb(),
    )
    return Predictions(
        pipeline=config.name,
        model_version=champion.version,
        batch=raw.batch,
        table=TableHandle.model_validate(answer["table"]),
        missing_columns=tuple(answer["missing_columns"]),
        extra_columns=tuple(answer["extra_columns"]),
        unseen=answer["unseen"],
        raw_digest=raw.table.digest,
    )


def score_tables(
    model: Path,
    champion: Champion,
    tables: list[str],
    fits: FitRunner,
    *,
    root: Path,
    folder: str,
    batch: str,
    batch_rows: int,
    memory_mb: float,
) -> dict[str, Any]:
    """Score Parquet files in a child process; what `predict_table` returns.

    Raises:
        BudgetError: it took more than an hour, or more memory than there is.
        FitError: it failed.
    """
    arguments = {
        "model": str(model),
        "digest": champion.digest or None,
        "tables": tables,
        "root": str(root),
        "folder": folder,
        "pipeline": champion.name,
        "version": champion.version,
        "batch": batch,
        "batch_rows": batch_rows,
        "memory_mb": memory_mb,
        "threads": usable_cores(),
    }
    outcome = fits.runner().run(
        "automl_assets.serving.predict:predict_table",
        arguments,
        deadline_seconds=PREDICT_SECONDS,
        memory_mb=memory_mb,
    )
    return outcome.value_or_raise("Scoring the batch")


def _describe(found: Predictions) -> dict[str, Any]:
    unseen = ", ".join(f"{name}: {count}" for name, count in found.unseen.items())
    return {
        **table_metadata(found.table),
        "model_version": found.model_version,
        **({"missing_columns": ", ".join(found.missing_columns)} if found.missing_columns else {}),
        **({"extra_columns": ", ".join(found.extra_columns)} if found.extra_columns else {}),
        **({"unseen_categories": unseen} if unseen else {}),
    }
