"""How much a measured metric varies: by the sampling of rows, and over time beyond it."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

from automl_assets.core.values import Value
from automl_assets.evaluation.reference import scales_of, stretches, windows_within
from automl_assets.learn.expected import resampled_rows
from automl_assets.learn.score import RESAMPLES, Metric, bootstrap

if TYPE_CHECKING:
    import numpy as np

DEFAULT_BLOCKS = 12
MOST_BLOCKS = 96
LEAST_BLOCK_ROWS = 100
LEAST_BLOCKS = 3
BLOCK_ROWS = 200
CHANCE = 0.1
WINDOW_CHANCE = 1e-4
CERTAIN_KS = 2.225  # Kolmogorov's distribution leaves one in ten thousand beyond

Pair = tuple[float, float] | None


def measured_on(
    metric: Metric,
    y: "np.ndarray",
    predicted: "np.ndarray",
    *,
    weight: "np.ndarray | None" = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float] | None:
    """The metric of labelled rows and its bootstrap standard error, 0 without resamples; None where it is undefined."""
    import numpy as np

    value = metric(y, predicted, weight)
    if not np.isfinite(value):
        return None
    if not resamples:
        return value, 0.0
    return value, float(np.nanstd(resampled(metric, y, predicted, weight=weight, resamples=resamples, seed=seed)))


def resampled(
    metric: Metric,
    y: "np.ndarray",
    predicted: "np.ndarray",
    *,
    weight: "np.ndarray | None" = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> "np.ndarray":
    """Bootstrap values of the metric around its value on all rows, from at most 20,000 of them."""
    chosen, shrink = resampled_rows(predicted, seed)
    some = None if weight is None else weight[chosen]
    found = bootstrap(metric, y[chosen], [predicted[chosen]], weight=some, resamples=resamples, seed=seed)[:, 0]
    return metric(y, predicted, weight) + shrink * (found - metric(y[chosen], predicted[chosen], some))


class Natural(Value):
    """What is usual for batches of so many rows: the metric's level, and its standard deviation beyond chance."""

    rows: int
    level: float
    deviation: float


def natural_by_length(
    rows: int,
    share: float,
    whole: float,
    measure: "Callable[[slice], Pair]",
    level: "Callable[[np.ndarray], Pair]",
    seed: int = 0,
) -> tuple[Natural, ...]:
    """What batches of several lengths, the shortest first, do that the sampling of their rows does not explain.

    The level of a short time may be another than that of all: a model that tells summer from winter ranks a year's rows
    better than any day's. As many rows at random tell that from what few rows do to a metric.

    Args:
        rows: of the holdout, in the order of arrival; `share`: how many of all rows it is, 0 to 1: a batch of 500 rows
            spans as long a time as 500 × share of them.
        whole: the metric's value on all holdout rows.
        measure: the value and its standard error on some holdout rows, None where it is undefined.
        level: the same, whose standard error does not matter.
    """
    import numpy as np

    shuffled, found = np.random.default_rng(seed).permutation(rows), []
    for length in scales_of(round(rows / share)):
        block = max(LEAST_BLOCK_ROWS, round(length * share))
        if rows // block >= LEAST_BLOCKS:
            parts = stretches(rows, block, MOST_BLOCKS)
            ordered = _known(map(measure, parts))
            moved = _certain_difference(ordered, _known(level(shuffled[part]) for part in parts))
            found.append(Natural(rows=length, level=whole + moved, deviation=_deviation(ordered)))
    return tuple(found)


def natural_variation(rows: int, measure: "Callable[[slice], Pair]") -> float:
    """The standard deviation between up to 12 stretches, of 200 rows or more, that their sampling does not explain.

    Args:
        measure: the value and its standard error on some rows, None where it is undefined.
    """
    import numpy as np

    edges = np.linspace(0, rows, min(DEFAULT_BLOCKS, rows // BLOCK_ROWS) + 1).astype(int)
    return _deviation(_known(measure(slice(a, b)) for a, b in pairwise(edges)))


def _known(found: "Iterable[Pair]") -> "np.ndarray":
    """Values and standard errors, of shape (stretches, 2)."""
    import numpy as np

    return np.array([pair for pair in found if pair is not None]).reshape(-1, 2)


def _deviation(known: "np.ndarray") -> float:
    """The standard deviation between values beyond their standard errors, 0 where chance might explain all.

    The excess is the method of moments' (DerSimonian & Laird 1986); it counts where Cochran's Q is larger than chance
    makes it in one case of ten.
    """
    import numpy as np
    from scipy.special import chdtrc

    known = known[known[:, 1] > 0]
    if len(known) < LEAST_BLOCKS:
        return 0.0
    values, errors = known.T
    weights = 1 / errors**2
    mean = np.average(values, weights=weights)
    q, freedom = float((weights * (values - mean) ** 2).sum()), len(known) - 1
    if chdtrc(freedom, q) > CHANCE:
        return 0.0
    return float(max(0.0, (q - freedom) / (weights.sum() - (weights**2).sum() / weights.sum())) ** 0.5)


def _certain_difference(some: "np.ndarray", others: "np.ndarray") -> float:
    """The difference of two means of values, 0 where it is within twice its standard error."""
    if min(len(some), len(others)) < LEAST_BLOCKS:
        return 0.0
    difference = float(some[:, 0].mean() - others[:, 0].mean())
    error = float((some[:, 0].var(ddof=1) / len(some) + others[:, 0].var(ddof=1) / len(others)) ** 0.5)
    return difference if abs(difference) > 2 * error else 0.0


def natural_distances(values: "np.ndarray", classes: int = 0, share: float = 1.0) -> tuple[tuple[int, float], ...]:
    """How far windows of consecutive rows lie from all rows: for each window length the largest certain distance.

    Args:
        values: in the rows' order: numbers, whose distance is Kolmogorov–Smirnov's; or the indices of so many classes,
            whose distance is the total variation of their shares.
    """
    whole = _shares(values, classes) if classes else in_order(values)
    found = []
    for length in scales_of(round(len(values) / share)):
        parts = windows_within(len(values), max(LEAST_BLOCK_ROWS, round(length * share)), seed=length)
        distances = [_tvd(values[p], whole, classes) if classes else _ks(values[p], whole) for p in parts]
        if distances:
            found.append((length, max(distances)))
    return tuple(found)


def in_order(values: "np.ndarray") -> "np.ndarray":
    """The values that are numbers, in order."""
    import numpy as np

    return np.sort(values[np.isfinite(values)])


def _ks(some: "np.ndarray", whole: "np.ndarray") -> float:
    import numpy as np

    ordered = in_order(some)
    if not len(ordered) or not len(whole):
        return 0.0
    sides = [
        np.searchsorted(side, ordered, where) / len(side) for side in (ordered, whole) for where in ("left", "right")
    ]
    distance = float(max(abs(sides[0] - sides[2]).max(), abs(sides[1] - sides[3]).max()))
    return distance if distance * len(ordered) ** 0.5 > CERTAIN_KS else 0.0


def _tvd(some: "np.ndarray", whole: "np.ndarray", classes: int) -> float:
    from scipy.special import chdtrc

    shares = _shares(some, classes)
    there = whole > 0
    chi_squared = float(len(some) * ((shares - whole)[there] ** 2 / whole[there]).sum())
    certain = chdtrc(max(1, int(there.sum()) - 1), chi_squared) <= WINDOW_CHANCE
    return float(abs(shares - whole).sum() / 2) if certain else 0.0


def _shares(labels: "np.ndarray", classes: int) -> "np.ndarray":
    import numpy as np

    return np.bincount(labels[np.isfinite(labels)].astype(int), minlength=classes)[:classes] / max(1, len(labels))
