"""Drawing the holdout rule: by group or id where they are stated, by time, else by the rows' own values."""

from typing import TYPE_CHECKING

from automl_assets.core.tables import column_type, read
from automl_assets.core.values import HoldoutRule
from automl_assets.learn.split import (
    MOST_HOLDOUT_ROWS,
    draw_by_hash,
    holdout_size,
    label_texts,
    numbers_of,
    quantile_boundaries,
    row_hashes,
    strata_of,
)
from automl_assets.problems.config import ColumnsConfig
from automl_assets.problems.types import ProblemType

if TYPE_CHECKING:
    import numpy as np
    import pyarrow.dataset as ds


def draw_holdout(
    dataset: "ds.Dataset",
    *,
    target: str,
    usable: "np.ndarray",
    kind: type[ProblemType],
    columns: ColumnsConfig,
    ids: list[str],
    share: float,
    salt: str,
) -> HoldoutRule:
    """The rule that holds out about `share` of the usable rows, at most 50,000.

    Args:
        usable: the rows that have a target.
        ids: inferred identifiers.
        salt: the pipeline's name, so that the seed never moves the holdout.
    """
    import numpy as np

    share = holdout_size(int(usable.sum()), share)
    if columns.time:
        return HoldoutRule(
            kind="time",
            columns=(columns.time,),
            salt=salt,
            share=share,
            target=target,
            newest_from=_newest_from(dataset, columns.time, share, usable),
        )
    keys = (columns.group,) if columns.group else tuple(columns.id)
    if keys:
        cutoff, _ = draw_by_hash(row_hashes(dataset, keys, salt)[usable], np.empty(0), share)
        return HoldoutRule(kind="key", columns=keys, salt=salt, share=share, target=target, default_cutoff=cutoff)
    hashed = _hashed_columns(dataset, target, columns, ids)
    rule = HoldoutRule(
        kind="hash",
        columns=hashed,
        salt=salt,
        share=share,
        target=target,
        strata=kind.strata,
        boundaries=_boundaries(dataset, target, usable) if kind.strata == "quantile" else (),
    )
    strata = strata_of(rule, read(dataset, [target]).column(0)).astype(str)[usable]
    hashes = row_hashes(dataset, hashed, salt)[usable]
    common, own = draw_by_hash(hashes, strata, share)
    return rule.model_copy(update={"default_cutoff": common, "cutoffs": own})


def _hashed_columns(dataset: "ds.Dataset", target: str, columns: ColumnsConfig, ids: list[str]) -> tuple[str, ...]:
    """What may be a feature.

    A column that only tells equal rows apart (an identifier, an excluded one) would put rows that a model can't tell
    apart on both sides; were it made from the target, even by their class.
    """
    never = {target, *ids, *columns.exclude, *([columns.weight] if columns.weight else [])}
    never |= {name for name, role in columns.roles.items() if role in ("id", "excluded")}
    return tuple(name for name in dataset.schema.names if name not in never)


def _boundaries(dataset: "ds.Dataset", target: str, usable: "np.ndarray") -> tuple[float, ...]:
    return quantile_boundaries(numbers_of(read(dataset, [target]).column(0))[usable])


def _newest_from(dataset: "ds.Dataset", name: str, share: float, usable: "np.ndarray") -> str | None:
    """The time from which on rows are held out, as text that the column's type reads back; None for a single time.

    The distinct time at which the held share comes nearest to `share`, but never all rows: rows of one time stay
    together, and rows without a target don't count, for the newest often have none yet.
    """
    import numpy as np
    import pyarrow as pa

    column = read(dataset, [name], usable).column(0).drop_null()
    text = column_type(column.type) == "text"
    keys = label_texts(column).astype(str) if text else numbers_of(column)
    known = np.full(len(keys), True) if text else np.isfinite(keys)
    column, keys = column.filter(pa.array(known)), keys[known]
    times, first, counts = np.unique(keys, return_index=True, return_counts=True)
    if len(times) < 2:
        return None
    held = counts[::-1].cumsum()[::-1][1:]
    few = held <= MOST_HOLDOUT_ROWS
    distance = np.where(few if few.any() else True, abs(held / counts.sum() - share), np.inf)
    position = 1 + int(distance.argmin())
    if text:
        return str(times[position])
    value = column[int(first[position])].as_py()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
