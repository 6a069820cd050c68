"""raw_table and training_window."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from automl_assets.core.errors import AutoMLError, SourceError
from automl_assets.core.fingerprint import digest_of
from automl_assets.core.progress import Progress, tell
from automl_assets.core.records import Answer, LandedBatch, Notice, Quarantined, now
from automl_assets.core.steps import CheckSpec
from automl_assets.core.tables import write_table
from automl_assets.core.values import Batch, CheckOutcome, Predictions, RawTable, TrainingWindow
from automl_assets.ingestion.feed import Feed
from automl_assets.ingestion.labels import PREDICTION_ID, labelled_schema, labelled_table, match_labels
from automl_assets.ingestion.maturity import labelled_window, maturing
from automl_assets.ingestion.read import RecordedSchema, read_batch
from automl_assets.ingestion.sources._base import EMPTY_TABLE
from automl_assets.ingestion.steps import RAW_TABLE, TRAINING_WINDOW
from automl_assets.ingestion.window import answers_about, choose_batches, window_checks
from automl_assets.pipeline import PipelineConfig
from automl_assets.quality.contract import check_contract, read_contract
from automl_assets.quality.report import batch_checks, quarantine_reasons
from resources.platform_database import PlatformRecords
from resources.records.batches import Batches
from resources.records.notices import Notices
from resources.records.quarantine import Quarantine
from resources.steps import Steps, as_failure, asset_key, findings_table, partitions_of, step_asset, table_metadata
from resources.table_store import WHOLE, TableStore

if TYPE_CHECKING:
    import pyarrow.dataset as ds

LABELS = "labels"
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

    @step_asset(
        config, RAW_TABLE, kinds={config.source.type, "parquet"}, checks=checks, required=not config.batches.is_windows
    )
    def raw_table(context: dg.AssetExecutionContext, steps: Steps, records: PlatformRecords):
        """The rows as they arrived, typed: types are inferred from the first batch, recorded, and enforced since."""
        batch = context.partition_key if context.has_partition_key else WHOLE
        feed = Feed.of(config, known_files(config, records))
        if is_empty(feed, batch):
            yield from _skipped(context, config, batch, checks)
            return
        accepted = accepted_by(config, records, batch, feed)
        yield steps.run(
            context,
            config,
            RAW_TABLE,
            {},
            lambda: put_aside(config, ingest(config, batch, steps.store, feed=feed, accepted=accepted), records),
            _describe_raw,
            checks=lambda raw: raw.checks,
            extra_versions=lambda: {"source": feed.version(batch, accepted)},
        )

    return raw_table


def known_files(config: PipelineConfig, records: PlatformRecords) -> dict[str, LandedBatch]:
    """What was written down about the files of a pipeline that has some."""
    return Batches(records.database()).known(config.name) if config.batches.kind == "files" else {}


def is_empty(feed: Feed, batch: str) -> bool:
    """Whether a window of time has no rows.

    Raises:
        dagster.Failure: the source can't be read.
    """
    try:
        return feed.is_empty(batch)
    except AutoMLError as error:
        raise as_failure(error) from error


def accepted_by(config: PipelineConfig, records: PlatformRecords, batch: str, feed: Feed) -> str | None:
    """Who accepted the batch's content, or None; whole tables are never in quarantine.

    Raises:
        dagster.Failure: the batch is missing or can't be read.
    """
    if config.batches.kind == "none":
        return None
    answered = Quarantine(records.database()).of(config.name)
    accepted = {row.digest: row.actor for row in answered if row.batch == batch and row.answer == "accepted"}
    try:
        return accepted.get(feed.digest(batch)) if accepted else None
    except AutoMLError as error:
        raise as_failure(error) from error


def put_aside(config: PipelineConfig, raw: RawTable, records: PlatformRecords) -> RawTable:
    """The batch; where a blocking check failed, it was written down that it waits for a person's answer.

    A batch that a person has left out already asks nobody again.
    """
    reasons = quarantine_reasons(raw.checks)
    if not reasons or config.batches.kind == "none":
        return raw
    quarantine = Quarantine(records.database())
    quarantine.put(Quarantined(config.name, raw.batch, raw.source_digest, tuple(reasons)))
    if answers_about({raw.batch: raw.source_digest}, quarantine.of(config.name)).get(raw.batch) == "waiting":
        Notices(records.database()).add(
            Notice(
                pipeline=config.name,
                severity="critical",
                title=f"Batch {raw.batch} is in quarantine and waits for an answer: automl review",
                body="\n".join(reasons),
                key=f"quarantine-{raw.batch}-{raw.source_digest[:24]}",
            )
        )
    return raw


def _skipped(
    context: dg.AssetExecutionContext, config: PipelineConfig, batch: str, checks: Sequence[CheckSpec]
) -> Iterator[dg.AssetCheckResult]:
    """Nothing is materialised for a window without rows, so what comes next is skipped; the reason is recorded."""
    reason = f"No row of {config.name} lies in the window {batch}."
    context.log.info(reason)
    tell(Progress(config.name, RAW_TABLE.name, "done", reason))
    key = asset_key(config, RAW_TABLE.name)
    context.log_event(dg.AssetObservation(asset_key=key, partition=batch, metadata={"skipped": reason}))
    for check in checks:
        yield dg.AssetCheckResult(check_name=check.name, asset_key=key, passed=True, description=reason)


def ingest(
    config: PipelineConfig, batch: str, store: TableStore, *, feed: Feed | None = None, accepted: str | None = None
) -> RawTable:
    """Read one batch into the store and record the schema that it fixes.

    Args:
        accepted: who accepted the batch although a blocking check on it failed: those checks then pass, and say so.
    """
    feed = feed or Feed.of(config)
    kept_name = f"schema-{digest_of(config.section('source'))}"
    recorded = store.kept(config.name, kept_name)
    assert recorded is None or isinstance(recorded, RecordedSchema)
    raw, record = read_batch(
        feed.open(batch),
        batch=batch,
        source_digest=feed.digest(batch),
        recorded=recorded,
        root=store.tables_root,
        folder=store.table_folder(config.name, RAW_TABLE.name, batch),
        target=config.target,
        accepted=accepted,
    )
    if record != recorded:
        store.keep(config.name, kept_name, record)
    checks = batch_checks(raw)
    if config.quality.contract is not None:
        contract = read_contract(Path(config.quality.contract))
        checks = (*checks, check_contract(contract, store.open([raw.table])))
    if accepted is not None:
        checks = tuple(overruled(check, accepted, raw) for check in checks)
    return raw.model_copy(update={"checks": checks})


def overruled(check: CheckOutcome, accepted: str, raw: RawTable) -> CheckOutcome:
    """A blocking check of an accepted batch: it passes, and says who accepted what."""
    forced = check.name == "schema_matches" and any(f"Accepted by {accepted}." in told for told in raw.schema_changes)
    if not forced and (check.passed or not check.blocking):
        return check
    told = " ".join(raw.schema_changes) if forced else f"Accepted by {accepted}: {check.description}"
    return check.model_copy(update={"passed": True, "description": told})


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
    def training_window(context: dg.AssetExecutionContext, steps: Steps, records: PlatformRecords, raw_table: Any):
        """The batches that training reads; those in quarantine are left out."""
        tables: dict[str, RawTable] = raw_table if isinstance(raw_table, dict) else {raw_table.batch: raw_table}
        quarantine = Quarantine(records.database()).of(config.name) if config.batches.kind != "none" else []
        answers = answers_about({key: raw.source_digest for key, raw in tables.items()}, quarantine)
        return steps.run(
            context,
            config,
            TRAINING_WINDOW,
            {"raw_table": tables},
            lambda: with_labels(window_of(tables, config, answers), config, steps.store, records),
            _describe_window,
            checks=window_checks,
            extra_versions=lambda: {
                "answers": digest_of(answers),
                "labels": digest_of(labels_versions(config, sorted(tables), records)),
            },
        )

    return training_window


def window_of(
    tables: Mapping[str, RawTable], config: PipelineConfig, answers: Mapping[str, Answer] | None = None
) -> TrainingWindow:
    """The window that the configuration asks for, without the batches in quarantine."""
    quarantined = {key: quarantine_reasons(raw.checks) for key, raw in tables.items()}
    return choose_batches(tables, quarantined, config.training_window, answers)


def with_labels(
    window: TrainingWindow, config: PipelineConfig, store: TableStore, records: PlatformRecords
) -> TrainingWindow:
    """The window with the labels that came later joined to its rows; what is not labelled yet is left out."""
    if config.labels is None:
        return window
    labels = labels_table(config, store)
    waits = _maturing(config, [batch.key for batch in window.batches], records)
    join = None if labels is None else partial(_joined, labels=labels, config=config, store=store)
    return labelled_window(window, config.target, waits, join)


def _joined(batch: Batch, labels: "ds.Dataset", config: PipelineConfig, store: TableStore) -> Batch | None:
    """The batch's labelled rows as a table of their own, None where there are none."""
    assert config.labels is not None
    raw = store.open([batch.table])
    predictions = predictions_of_content(config.name, store, batch.key, batch.table.digest)
    if not predictions and tuple(config.labels.key) == (PREDICTION_ID,) and PREDICTION_ID not in raw.schema.names:
        return batch if config.target in raw.schema.names else None
    found = match_labels(raw, labels, target=config.target, key=config.labels.key, predictions=predictions)
    schema = labelled_schema(raw.schema, found.values.type, config.target)
    folder = store.table_folder(config.name, TRAINING_WINDOW.name, batch.key)
    table = write_table(labelled_table(raw, found.values, config.target), schema, store.tables_root, folder)
    return Batch(key=batch.key, table=table, raw_digest=batch.table.digest) if table.rows else None


def predictions_of_content(pipeline: str, store: TableStore, batch: str, digest: str) -> "list[ds.Dataset]":
    """Every version's predictions of a batch's content, newest first: labels may name the ids of an earlier one."""
    every = [value for value in store.every(pipeline, "predictions", batch) if isinstance(value, Predictions)]
    return [store.open([value.table]) for value in every if value.raw_digest == digest]


def labels_table(config: PipelineConfig, store: TableStore) -> "ds.Dataset | None":
    """The labels that came later, read once for the same content; None where they have not come at all."""
    if config.labels is None:
        return None
    source = config.labels.source
    try:
        digest = source.digest(WHOLE)
    except SourceError:
        return None
    known = store.find(config.name, LABELS, WHOLE, digest)
    if not isinstance(known, RawTable):
        folder = store.table_folder(config.name, LABELS)
        try:
            reading = source.open(WHOLE)
        except SourceError as error:
            if error.code == EMPTY_TABLE:
                return None
            raise
        known, _ = read_batch(
            reading, batch=WHOLE, source_digest=digest, recorded=None, root=store.tables_root, folder=folder
        )
        store.save(config.name, LABELS, WHOLE, known, digest)
    return store.open([known.table])


def labels_version(config: PipelineConfig, batch: str, records: PlatformRecords) -> str:
    """What identifies the labels of a batch as far as that is known without reading them."""
    return labels_versions(config, [batch], records)[batch]


def labels_versions(config: PipelineConfig, batches: Sequence[str], records: PlatformRecords) -> dict[str, str]:
    """The same of many batches, for which the labels are hashed once."""
    if config.labels is None:
        return dict.fromkeys(batches, "none")
    try:
        digest = config.labels.source.digest(WHOLE)
    except SourceError:
        digest = "absent"
    waits = _maturing(config, batches, records)
    return {batch: f"{digest} {'waits' if waits[batch] else 'mature'}" for batch in batches}


def matures_on(config: PipelineConfig, batch: str, records: PlatformRecords) -> datetime | None:
    """Until when labels of a batch still come, None where they are complete or come with the rows."""
    return _maturing(config, [batch], records)[batch]


def _maturing(config: PipelineConfig, batches: Sequence[str], records: PlatformRecords) -> dict[str, datetime | None]:
    """`matures_on` of many batches, in one query."""
    if config.labels is None or config.batches.kind == "none":
        return dict.fromkeys(batches)
    if config.batches.is_windows:
        feed = Feed.of(config)
        landed = {batch: feed.window(batch).instants()[1] for batch in batches}
    else:
        known = known_files(config, records)
        landed = {batch: known[batch].at if batch in known else now() for batch in batches}
    return maturing(landed, config.labels.matures_after_days, now())


def _describe_window(window: TrainingWindow) -> dict[str, Any]:
    rows = [f"| {batch.key} | {batch.table.rows:,} | {batch.table.digest[:12]} |" for batch in window.batches[:100]]
    return {
        "dagster/row_count": window.rows,
        "batches": len(window.batches),
        "excluded_batches": len(window.excluded),
        "window": dg.MetadataValue.md("\n".join(["| batch | rows | digest |", "|-|-|-|", *rows])),
    }
