"""Labels that came later as training meets them: until when they still come, and which batches have some by now."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from automl_assets.core.values import Batch, TrainingWindow
from automl_assets.ingestion.window import window_from


def maturing(landed: Mapping[str, datetime], after_days: float, now: datetime) -> dict[str, datetime | None]:
    """Until when labels of each batch still come, None where they are complete.

    Args:
        landed: when each batch did; a window of time does when it ends.
        after_days: how long labels take, in days.
    """
    until = {batch: at + timedelta(days=after_days) for batch, at in landed.items()}
    return {batch: at if at > now else None for batch, at in until.items()}


def labelled_window(
    window: TrainingWindow,
    target: str,
    waits: Mapping[str, datetime | None],
    join: Callable[[Batch], Batch | None] | None,
) -> TrainingWindow:
    """The window with labels joined to its rows; batches without any label yet are left out, with the reason.

    Args:
        waits: until when each batch's labels still come. A batch that brings its own target doesn't wait.
        join: a batch's labelled rows, None where there are none; itself None as long as no labels have come at all.
    """
    chosen: list[Batch] = []
    excluded = list(window.excluded)
    for batch in window.batches:
        own = any(column.name == target for column in batch.table.columns)
        until = None if own else waits[batch.key]
        labelled = (batch if own else None) if join is None or until else join(batch)
        if labelled is not None:
            chosen.append(labelled)
        elif until:
            excluded.append((batch.key, f"its labels mature on {until:%Y-%m-%d}"))
        else:
            excluded.append((batch.key, "no row has a label" if join else "no labels have come yet"))
    return window_from(chosen, excluded)
