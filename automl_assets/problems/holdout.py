"""Drawing the holdout rule: by group or id where they are stated, by time, else by the rows' own values."""

from typing import TYPE_CHECKING

from automl_assets.core.tables import column_type, read
from automl_assets.core.values import HoldoutRule
from automl_assets.learn.split import (
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
    share = holdout_size(int(usable.sum()), share)
    if columns.time:
        return HoldoutRule(
            kind="time",
            columns=(columns.time,),
            salt=salt,
            share=share,
            target=target,
            newest_from=_newest_from(dataset, columns.time, share),
        )
    keys = (columns.group,) if columns.group else tuple(columns.id)
    if keys:
        return HoldoutRule(
            kind="key", columns=keys, salt=salt, share=share, target=target, default_cutoff=_cutoff(share)
        )
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


def _cutoff(share: float) -> int:
    return int(share * 2**64)


def _boundaries(dataset: "ds.Dataset", target: str, usable: "np.ndarray") -> tuple[float, ...]:
    return quantile_boundaries(numbers_of(read(dataset, [target]).column(0))[usable])


def _newest_from(dataset: "ds.Dataset", name: str, share: float) -> str:
    """The time from which on rows are held out, as text that the column's type reads back."""
    import numpy as np
    import pyarrow as pa

    column = read(dataset, [name]).column(0).drop_null()
    if column_type(column.type) == "text":
        ordered = np.sort(label_texts(column).astype(str))
        return str(ordered[int((1 - share) * (len(ordered) - 1))])
    position = int((1 - share) * (len(column) - 1))
    value = column.take(pa.array(np.argsort(numbers_of(column), kind="stable")[[position]]))[0].as_py()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
