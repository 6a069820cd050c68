"""The stored, labelled rows that none of some versions was trained on, and the groups that they fall into."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl_assets.core.tables import read
from automl_assets.core.values import HoldoutRule
from automl_assets.learn.split import in_holdout, label_texts
from automl_assets.problems.target import encode_target
from automl_assets.training.model import ModelCard

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds

MOST_ROWS = 50_000


@dataclass(frozen=True)
class BatchRows:
    """A stored batch, by the digests of its tables (raw, and with labels joined).

    replaced: it is the pipeline's whole table, whose older states may have been trained on under another digest.
    """

    dataset: "ds.Dataset"
    digests: tuple[str, ...]
    replaced: bool = False


def unseen_rows(
    batches: Sequence[BatchRows], cards: Sequence[ModelCard], classes: tuple[str, ...], *, seed: int = 0
) -> "tuple[pa.Table, np.ndarray] | None":
    """The labelled rows that none of the models was trained on, at most 50,000 of them drawn at random, and the labels.

    Args:
        cards: the models' own windows and holdout rules decide; the first names the target.
        classes: the classes that count, () for numbers.

    Returns:
        None where there are no such rows.
    """
    import numpy as np
    import pyarrow as pa

    target = cards[0].target
    labelled = [batch for batch in batches if target in batch.dataset.schema.names]
    masks = []
    for batch in labelled:
        _, mask = encode_target(read(batch.dataset, [target]).column(0), classes)
        for card in cards:
            mask = mask & unseen_by(batch.dataset, batch.digests, card.holdout, card.window, replaced=batch.replaced)
        masks.append(mask)
    chosen = _at_most(np.concatenate(masks), MOST_ROWS, seed) if masks else np.zeros(0, dtype=bool)
    if not chosen.any():
        return None
    ends = np.cumsum([len(mask) for mask in masks])[:-1]
    pieces = [read(batch.dataset, None, part) for batch, part in zip(labelled, np.split(chosen, ends), strict=True)]
    rows = pa.concat_tables(pieces, promote_options="permissive")
    return rows, encode_target(rows.column(target), classes)[0]


def unseen_by(
    dataset: "ds.Dataset", digests: Sequence[str], rule: HoldoutRule, window: tuple[str, ...], *, replaced: bool = False
) -> "np.ndarray":
    """Which rows of a batch a model was not trained on, by its own window and rule.

    Args:
        digests: of the batch's tables; one of them in the window says that the batch was trained on.
        replaced: the rule alone decides, since an older state of the table may have been trained on.
    """
    import numpy as np

    if not replaced and not set(digests) & set(window):
        return np.ones(dataset.count_rows(), dtype=bool)
    if rule.kind == "time" and rule.columns[0] not in dataset.schema.names:
        return np.zeros(dataset.count_rows(), dtype=bool)
    return in_holdout(dataset, rule)


def _at_most(mask: "np.ndarray", most: int, seed: int) -> "np.ndarray":
    """The mask with at most `most` rows left, drawn at random."""
    import numpy as np

    rows = np.flatnonzero(mask)
    if len(rows) <= most:
        return mask
    kept = np.zeros_like(mask)
    kept[np.random.default_rng(seed).choice(rows, most, replace=False)] = True
    return kept


def groups_of(rows: "pa.Table", sensitive: Sequence[str], private: Sequence[str]) -> "dict[str, np.ndarray]":
    """Each sensitive column's groups, a label a row; a private column's values are numbered instead of named."""
    import numpy as np

    found: dict[str, np.ndarray] = {}
    for name in sensitive:
        if name in rows.column_names:
            labels = np.array(["(missing)" if label is None else label for label in label_texts(rows.column(name))])
            if name in private:
                labels = np.array([f"group {code + 1}" for code in np.unique(labels, return_inverse=True)[1]])
            found[name] = labels
    return found
