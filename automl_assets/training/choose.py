"""Which candidates, with how many of their folds' models, make the model: as accurate as its limits allow.

`prefer` names the point: a row may cost 22 ms (accuracy), 14 ms (balanced) or 4 ms (latency) for its members, beside
what reading and cleaning it costs, and the members' files may have 45 MiB together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from automl_assets.learn.ensemble import greedy_weights
from automl_assets.learn.score import Metric

if TYPE_CHECKING:
    import numpy as np

Prefer = Literal["accuracy", "balanced", "latency"]
MOST_MS: Mapping[str, float] = {"accuracy": 22.0, "balanced": 14.0, "latency": 4.0}
MOST_MB = 45.0
CHOOSING_ROWS = 5_000
CHOOSING_ROUNDS = 15


@dataclass(frozen=True)
class Cost:
    """What one candidate's fold models cost: `fit_ms` and `encode_ms` for one row and one fold, `sizes_mb` a fold.

    Folds of two candidates with the same view share their encoding.
    """

    view: str
    estimator_ms: float
    encode_ms: float
    sizes_mb: tuple[float, ...]

    @property
    def folds(self) -> int:
        """How many fold models there are."""
        return len(self.sizes_mb)

    def with_folds(self, count: int) -> "Cost":
        """The same with the first `count` fold models alone."""
        return replace(self, sizes_mb=self.sizes_mb[:count])


@dataclass(frozen=True)
class Choice:
    """A weight a candidate, and how many of its fold models are kept."""

    weights: "np.ndarray"
    folds: tuple[int, ...]


def row_ms(costs: Sequence[Cost]) -> float:
    """What one row costs: every fold's estimator, and each view's encodings once."""
    encoding: dict[str, float] = {}
    for cost in costs:
        encoding[cost.view] = max(encoding.get(cost.view, 0.0), cost.encode_ms * cost.folds)
    return sum(cost.estimator_ms * cost.folds for cost in costs) + sum(encoding.values())


def size_mb(costs: Sequence[Cost]) -> float:
    """The members' files together."""
    return sum(sum(cost.sizes_mb) for cost in costs)


def choose(
    metric: Metric,
    y: "np.ndarray",
    predictions: "Sequence[np.ndarray]",
    costs: Sequence[Cost],
    prefer: Prefer,
    *,
    weight: "np.ndarray | None" = None,
) -> Choice:
    """Weigh the candidates; while they cost too much, leave out the one whose loss hurts least for what it costs.

    A member that is alone and still too dear keeps fewer of its fold models.
    """
    import numpy as np

    kept, costs = list(range(len(predictions))), list(costs)
    weights = _weigh(metric, y, predictions, kept, weight)
    while _is_too_dear([costs[i] for i in kept if weights[i]], prefer):
        members = [i for i in kept if weights[i]]
        if len(members) == 1:
            costs[members[0]] = _thinned(costs[members[0]], prefer)
            break
        kept = _without_one(metric, y, predictions, costs, members, prefer, weight)
        weights = _weigh(metric, y, predictions, kept, weight)
    return Choice(np.asarray(weights), tuple(cost.folds for cost in costs))


def _weigh(
    metric: Metric,
    y: "np.ndarray",
    predictions: "Sequence[np.ndarray]",
    kept: Sequence[int],
    weight: "np.ndarray | None",
) -> "np.ndarray":
    import numpy as np

    weights = np.zeros(len(predictions))
    weights[list(kept)] = greedy_weights(metric, y, [predictions[i] for i in kept], weight=weight)
    return weights


def _is_too_dear(costs: Sequence[Cost], prefer: Prefer) -> bool:
    return row_ms(costs) > MOST_MS[prefer] or size_mb(costs) > MOST_MB


def _without_one(
    metric: Metric,
    y: "np.ndarray",
    predictions: "Sequence[np.ndarray]",
    costs: Sequence[Cost],
    members: Sequence[int],
    prefer: Prefer,
    weight: "np.ndarray | None",
) -> list[int]:
    """The members without the one that saves most of the limits for the loss that it costs."""
    import numpy as np

    rows = slice(None)
    if len(y) > CHOOSING_ROWS:
        rows = np.random.default_rng(0).choice(len(y), CHOOSING_ROWS, replace=False)
    some, scale = None if weight is None else weight[rows], _share([costs[i] for i in members], prefer)

    def loss(chosen: Sequence[int]) -> float:
        found = [predictions[i][rows].astype(float) for i in chosen]
        weights = greedy_weights(metric, y[rows], found, weight=some, rounds=CHOOSING_ROUNDS)
        blended = np.sum([w * p for w, p in zip(weights, found, strict=True)], axis=0)
        return metric.loss(metric(y[rows], blended, some))

    now = loss(members)
    prices: dict[int, float] = {}
    for left_out in members:
        rest = [i for i in members if i != left_out]
        saved = scale - _share([costs[i] for i in rest], prefer)
        prices[left_out] = (max(0.0, loss(rest) - now) + 1e-12) / max(saved, 1e-6)
    dropped = min(prices, key=lambda i: prices[i])
    return [i for i in members if i != dropped]


def _share(costs: Sequence[Cost], prefer: Prefer) -> float:
    """How much of the scarcer limit is used."""
    return max(row_ms(costs) / MOST_MS[prefer], size_mb(costs) / MOST_MB)


def _thinned(cost: Cost, prefer: Prefer) -> Cost:
    """As many fold models as the limits allow, one at least."""
    return next(
        (cost.with_folds(n) for n in range(cost.folds, 1, -1) if not _is_too_dear([cost.with_folds(n)], prefer)),
        cost.with_folds(1),
    )
