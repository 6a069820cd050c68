"""Which pairs of numbers and crosses of categories tell about the target what neither column tells alone."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, permutations
from typing import TYPE_CHECKING, cast

from automl_assets.core.errors import ConfigError
from automl_assets.learn.features.cells import Cells, Rows
from automl_assets.learn.features.columns import CategoricalEncoder
from automl_assets.learn.features.columns.pair import Operation, PairEncoder, combined
from automl_assets.learn.features.encoders.target import TargetMean
from automl_assets.learn.features.target import FitContext, Target

if TYPE_CHECKING:
    import numpy as np

MOST_ROWS = 5_000
MOST_COLUMNS = 12
BINS = 16


def pairs(rows: Rows, names: Sequence[str], context: FitContext) -> list[PairEncoder]:
    """The `recipe.pairs` combinations of numeric columns that explain more of the target than both their columns.

    Judged by the correlation ratio (Pearson 1905) over 16 bins of at most 5,000 rows, among the 12 best columns.

    Raises:
        ConfigError: there is no target.
    """
    if not context.recipe.pairs:
        return []
    target = _required(context, "pairs")
    sample = target.sample(MOST_ROWS)
    values = {name: rows[name].numbers[sample] for name in names}
    outcome = target.columns[sample]
    alone = {name: _explained(column, outcome) for name, column in values.items()}
    best = sorted(names, key=lambda name: -alone[name])[:MOST_COLUMNS]
    found: list[tuple[float, str, str, Operation]] = []
    for operation, choose in (("difference", combinations), ("product", combinations), ("ratio", permutations)):
        operation = cast("Operation", operation)
        for a, b in choose(best, 2):
            gain = _explained(combined(values[a], values[b], operation), outcome) - max(alone[a], alone[b])
            found.append((gain, a, b, operation))
    found.sort(key=lambda item: -item[0])
    chosen = [item for item in found if item[0] > 0][: context.recipe.pairs]
    return [PairEncoder.between(a, b, operation, context.view) for _, a, b, operation in chosen]


def crosses(rows: Rows, names: Sequence[str], context: FitContext) -> list[CategoricalEncoder]:
    """The `recipe.crosses` pairs of categorical columns whose joint category explains more than both do.

    Judged by the cross-fitted target means of at most 5,000 rows, among the 12 best columns.

    Raises:
        ConfigError: there is no target.
    """
    if not context.recipe.crosses:
        return []
    target = _required(context, "crosses")
    sample = target.sample(MOST_ROWS)
    judge = replace(context, target=Target.of(target.y[sample], target.classes, target.weight[sample], target.seed))
    codes = {name: _compact(_codes(rows[name])[sample]) for name in names}
    alone = {name: _told(column, judge) for name, column in codes.items()}
    best = sorted(names, key=lambda name: -alone[name])[:MOST_COLUMNS]
    found = []
    for a, b in combinations(best, 2):
        joint = _compact(codes[a] * (codes[b].max(initial=0) + 1) + codes[b])
        found.append((_told(joint, judge) - max(alone[a], alone[b]), a, b))
    found.sort(key=lambda item: -item[0])
    chosen = [item for item in found if item[0] > 0][: context.recipe.crosses]
    return [_cross(rows, a, b, context) for _, a, b in chosen]


def _cross(rows: Rows, first: str, second: str, context: FitContext) -> CategoricalEncoder:
    cells = Cells.crossed(rows[first], rows[second])
    return replace(CategoricalEncoder.fit(f"{first} × {second}", cells, context), crossed=(first, second))


def _required(context: FitContext, what: str) -> Target:
    if context.target is None:
        raise ConfigError(
            f"The recipe asks for {what}, which are chosen by the target, and none was given.",
            where=f"features.{what}",
            remedy=f"Pass y to Encoder.fit, or leave {what} out.",
        )
    return context.target


def _codes(cells: Cells) -> "np.ndarray":
    return cells.coded[0]


def _compact(codes: "np.ndarray") -> "np.ndarray":
    import numpy as np

    return np.unique(codes, return_inverse=True)[1]


def _told(codes: "np.ndarray", context: FitContext) -> float:
    """The share of the target's variance that cross-fitted target means explain, averaged over its columns."""
    import numpy as np

    size = int(codes.max(initial=0)) + 1
    assert context.target is not None
    fitted = TargetMean.fit(codes, size, context).encode_training(codes, size, context)
    outcome = context.target.columns
    rest = ((outcome - fitted) ** 2).sum(axis=0)
    return float(np.mean(1 - rest / np.maximum(((outcome - outcome.mean(axis=0)) ** 2).sum(axis=0), 1e-300)))


def _explained(values: "np.ndarray", outcome: "np.ndarray") -> float:
    """The share of the outcome's variance between 16 bins of equally many rows; missing is a bin of its own."""
    import numpy as np

    missing = np.isnan(values)
    known = values[~missing]
    if not len(known):
        return 0.0
    inner = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
    bins = np.where(missing, BINS, np.searchsorted(inner, values))
    counts = np.bincount(bins, minlength=BINS + 1)
    centred = outcome - outcome.mean(axis=0)
    between = sum(
        np.bincount(bins, weights=column, minlength=BINS + 1) ** 2 / np.maximum(counts, 1) for column in centred.T
    )
    return float(np.sum(between) / max(float((centred**2).sum()), 1e-300))
