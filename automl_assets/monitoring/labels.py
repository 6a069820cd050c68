"""Which rows of a batch may judge the champion: labelled, of a class that it knows, and not trained on."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from automl_assets.core.tables import read
from automl_assets.ingestion.labels import MatchedLabels, as_type, labelled_schema
from automl_assets.learn.split import in_holdout
from automl_assets.problems.target import encode_target
from automl_assets.training.model import ModelCard

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds


@dataclass(frozen=True)
class JudgedRows:
    """For each row of a batch: its label (a class index or a number), whether it is usable, and not trained on.

    unseen: rows that the champion was not trained on, labelled or not. reason: what they are, in words.
    """

    y: "np.ndarray"
    usable: "np.ndarray"
    unseen: "np.ndarray"
    reason: str
    waits: str = ""


def judged_rows(
    raw: "ds.Dataset",
    digest: str,
    card: ModelCard,
    labels: MatchedLabels | None = None,
    *,
    matures_on: datetime | None = None,
) -> JudgedRows:
    """What is known of a batch's rows.

    Args:
        digest: the raw table's. A batch of the champion's training window counts with its holdout rows only, all
            others of it as trained on, also where their labels came after the training.
        labels: those that came later; without, the batch's own target column is read.
        matures_on: until when labels still come, None where they are complete: they are counted until then, not used.
    """
    import numpy as np

    rows = raw.count_rows()
    late = labels.values if labels is not None else None
    if late is None and card.target not in raw.schema.names:
        y, usable = np.zeros(rows), np.zeros(rows, dtype=bool)
    else:
        y, usable = encode_target(target_column(raw, card.target, late), card.classes)
    if digest in card.window:
        unseen, reason = _held_out(raw, card, late), "the window's holdout rows"
    else:
        unseen, reason = np.ones(rows, dtype=bool), "rows that arrived after the champion was trained"
    waits = f"labels mature on {matures_on:%Y-%m-%d}" if labels is not None and matures_on is not None else ""
    return JudgedRows(y, usable, unseen, reason, waits)


def target_column(raw: "ds.Dataset", target: str, late: "pa.Array | None") -> "pa.ChunkedArray":
    """The labels that came later; where there is none, the batch's own target."""
    import pyarrow as pa
    import pyarrow.compute as pc

    own = read(raw, [target]).column(0) if target in raw.schema.names else None
    if late is None:
        assert own is not None
        return own
    kind = labelled_schema(raw.schema, late.type, target).field(target).type
    filled = as_type(late, kind)
    if own is not None:
        filled = pc.coalesce(filled, as_type(own.combine_chunks(), kind))
    return pa.chunked_array([filled])


def _held_out(raw: "ds.Dataset", card: ModelCard, late: "pa.Array | None") -> "np.ndarray":
    """The rule is applied to the rows with their labels, as when it was drawn: strata depend on them."""
    import pyarrow.dataset as ds

    if late is None:
        return in_holdout(raw, card.holdout)
    needed = [name for name in card.holdout.columns if name in raw.schema.names and name != card.target]
    rows = read(raw, needed).append_column(card.target, target_column(raw, card.target, late))
    return in_holdout(ds.dataset(rows), card.holdout)
