"""Which batches a training reads."""

from collections.abc import Mapping, Sequence

from automl_assets.core.errors import SourceError
from automl_assets.core.records import Answer, Quarantined
from automl_assets.core.values import Batch, CheckOutcome, Column, RawTable, TrainingWindow
from automl_assets.ingestion.config import BatchesSince, LastBatches, WindowConfig
from automl_assets.ingestion.keys import natural_order

LEAST_ROWS = 25


def choose_batches(
    tables: Mapping[str, RawTable],
    quarantined: Mapping[str, Sequence[str]],
    config: WindowConfig,
    answers: Mapping[str, Answer] | None = None,
) -> TrainingWindow:
    """The window: batches in the natural order of their keys, those in quarantine left out with the reason.

    Args:
        tables: every batch that was read, by key.
        quarantined: the failed blocking checks of batches that have some.
        answers: what people answered about batches in quarantine. An accepted batch is in, whatever its checks say; one
            that is rejected, or waits for an answer, is out.

    Raises:
        SourceError: no batch was read yet.
    """
    if not tables:
        raise SourceError("No batch has been read yet.", remedy="Materialise raw_table first, or `automl run`.")
    keys = sorted(tables, key=natural_order)
    if isinstance(config.batches, BatchesSince):
        keys = [key for key in keys if key >= config.batches.since]
    why = {key: why_excluded(quarantined.get(key, ()), (answers or {}).get(key)) for key in keys}
    good = [key for key in keys if not why[key]]
    if isinstance(config.batches, LastBatches):
        good = good[-config.batches.last :]
    chosen = [Batch(key=key, table=tables[key].table) for key in good]
    return window_from(chosen, [(key, reason) for key, reason in why.items() if reason])


def window_from(batches: Sequence[Batch], excluded: Sequence[tuple[str, str]]) -> TrainingWindow:
    """A window of these batches; `excluded` are those left out, with the reason."""
    return TrainingWindow(
        batches=tuple(batches),
        excluded=tuple(excluded),
        columns=_common_columns(batches),
        rows=sum(batch.table.rows for batch in batches),
    )


def why_excluded(failed: Sequence[str], answer: Answer | None) -> str:
    """Why a batch is left out, given its failed blocking checks and a person's answer; empty where it is not."""
    if answer == "accepted":
        return ""
    if answer == "rejected":
        return "; ".join(["rejected by a person", *failed])
    if answer == "waiting":
        return "; ".join(["waiting for a person's answer", *failed])
    return "; ".join(failed)


def answers_about(digests: Mapping[str, str], quarantine: Sequence[Quarantined]) -> dict[str, Answer]:
    """What people answered about the content that batches have now.

    Args:
        digests: the batches' raw content, by key.
        quarantine: the pipeline's, newest first.
    """
    newest = {row.batch: row for row in reversed(quarantine) if digests.get(row.batch) == row.digest}
    return {key: newest[key].answer for key in sorted(newest)}


def _common_columns(batches: Sequence[Batch]) -> tuple[Column, ...]:
    """Every column that a batch has, with the widest of its types."""
    types: dict[str, Column] = {}
    for batch in batches:
        for column in batch.table.columns:
            known = types.get(column.name)
            if known is None or (known.type, column.type) == ("integer", "number"):
                types[column.name] = column
    return tuple(types.values())


def window_checks(window: TrainingWindow) -> tuple[CheckOutcome, ...]:
    """The checks on a window: too few rows stop the training; batches in quarantine are worth a look."""
    excluded = "; ".join(f"{key}: {why}" for key, why in window.excluded[:5])
    return (
        CheckOutcome(
            name="enough_rows",
            passed=window.rows >= LEAST_ROWS,
            blocking=True,
            description=f"The window has {window.rows:,} rows in {len(window.batches):,} batches; "
            f"at least {LEAST_ROWS} rows are needed.",
        ),
        CheckOutcome(
            name="no_batch_in_quarantine",
            passed=not window.excluded,
            blocking=False,
            description=excluded or "No batch was left out.",
        ),
    )
