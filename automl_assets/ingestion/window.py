"""Which batches a training reads."""

from collections.abc import Mapping, Sequence

from automl_assets.core.errors import SourceError
from automl_assets.core.values import Batch, CheckOutcome, Column, RawTable, TrainingWindow
from automl_assets.ingestion.config import BatchesSince, LastBatches, WindowConfig

LEAST_ROWS = 25


def choose_batches(
    tables: Mapping[str, RawTable], quarantined: Mapping[str, Sequence[str]], config: WindowConfig
) -> TrainingWindow:
    """The window: batches in key order, those in quarantine left out with the reason.

    Args:
        tables: every batch that was read, by key.
        quarantined: the failed blocking checks of batches that have some.

    Raises:
        SourceError: no batch was read yet.
    """
    if not tables:
        raise SourceError("No batch has been read yet.", remedy="Materialise raw_table first, or `automl run`.")
    keys = sorted(tables)
    if isinstance(config.batches, BatchesSince):
        keys = [key for key in keys if key >= config.batches.since]
    good = [key for key in keys if not quarantined.get(key)]
    if isinstance(config.batches, LastBatches):
        good = good[-config.batches.last :]
    chosen = [Batch(key=key, table=tables[key].table) for key in good]
    return TrainingWindow(
        batches=tuple(chosen),
        excluded=tuple((key, "; ".join(quarantined[key])) for key in keys if quarantined.get(key)),
        columns=_common_columns(chosen),
        rows=sum(batch.table.rows for batch in chosen),
    )


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
