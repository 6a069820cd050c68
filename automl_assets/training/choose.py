"""Which candidates, with how many of their folds' models, make the model: as accurate as its limits allow.

`prefer` names the point: a row may cost 22 ms (accuracy), 14 ms (balanced) or 4 ms (latency) for its members, beside
what reading and cleaning it costs, and the members' files may have 45 MiB together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from automl_assets.learn.ensemble import blend, cross_fitted, greedy_weights
from automl_assets.learn.score import Metric

if TYPE_CHECKING:
    import numpy as np

Ensemble = Literal["auto", "greedy", "voting", "best"]
Prefer = Literal["accuracy", "balanced", "latency"]
MOST_MS: Mapping[str, float] = {"accuracy": 22.0, "balanced": 14.0, "latency": 4.0}
MOST_MB = 45.0
CHOOSING_ROWS = 5_000
CHOOSING_ROUNDS = 15
VOTERS = 5


@dataclass(frozen=True)
class Cost:
    """What one candidate's fold models cost: `estimator_ms` and `encode_ms` for a row and a fold, `sizes_mb` a fold.

    Folds of two candidates with the same view share their encoding. needs: the positions of the candidates from whose
    predictions this one is made, which cost a row too whatever they weigh.
    """

    view: str
    estimator_ms: float
    encode_ms: float
    sizes_mb: tuple[float, ...]
    needs: tuple[int, ...] = ()

    @property
    def folds(self) -> int:
        """How many fold models there are."""
        return len(self.sizes_mb)

    def with_folds(self, count: int) -> "Cost":
        """The same with the first `count` fold models alone."""
        return replace(self, sizes_mb=self.sizes_mb[:count])


@dataclass(frozen=True)
class Choice:
    """A weight a candidate, how many of its fold models are kept, and what such an ensemble predicts.

    nested: for each row, by weights that were found without its fold.
    """

    weights: "np.ndarray"
    folds: tuple[int, ...]
    nested: "np.ndarray"


def row_ms(costs: Sequence[Cost]) -> float:
    """What one row costs: every fold's estimator, and each view's encodings once."""
    encoding: dict[str, float] = {}
    for cost in costs:
        encoding[cost.view] = max(encoding.get(cost.view, 0.0), cost.encode_ms * cost.folds)
    return sum(cost.estimator_ms * cost.folds for cost in costs) + sum(encoding.values())


def size_mb(costs: Sequence[Cost]) -> float:
    """The members' files together."""
    return sum(sum(cost.sizes_mb) for cost in costs)


def needed(chosen: Sequence[int], costs: Sequence[Cost]) -> list[int]:
    """The chosen candidates and those that they need."""
    return list(dict.fromkeys([*chosen, *(base for i in chosen for base in costs[i].needs)]))


def choose(
    metric: Metric,
    y: "np.ndarray",
    predictions: "Sequence[np.ndarray]",
    costs: Sequence[Cost],
    prefer: Prefer,
    *,
    parts: "np.ndarray | None" = None,
    weight: "np.ndarray | None" = None,
    ensemble: Ensemble = "auto",
) -> Choice:
    """Weigh the candidates; while they cost too much, leave out the one whose loss hurts least for what it costs.

    A member that is alone and still too dear keeps fewer of its fold models.

    Args:
        predictions: out of fold, best first.
        parts: each row's fold, over which the final weights are cross-fitted; drawn where there is none.
        ensemble: `voting` gives the five best equal weights, `best` takes the best alone.
    """
    import numpy as np

    costs = list(costs)
    kept = list(range(len(predictions)))[: {"best": 1, "voting": VOTERS}.get(ensemble)]
    weigh = _equal if ensemble in ("best", "voting") else _weigh
    weights = weigh(metric, y, predictions, kept, weight)
    while _is_too_dear(needed([i for i in kept if weights[i]], costs), costs, prefer):
        members = [i for i in kept if weights[i]]
        if len(members) > 1:
            kept = _without_one(metric, y, predictions, costs, members, prefer, weight)
        elif costs[members[0]].needs:
            kept = [i for i, cost in enumerate(costs) if not cost.needs][:1]
        else:
            costs[members[0]] = _thinned(costs[members[0]], prefer)
            break
        weights = weigh(metric, y, predictions, kept, weight)
    members = [i for i in kept if weights[i]]
    if weigh is _weigh and len(members) > 1:
        found = [predictions[i] for i in members]
        weights[members], nested = cross_fitted(metric, y, found, parts, weight=weight)
    else:
        nested = blend(weights, predictions)
    return Choice(np.asarray(weights), tuple(cost.folds for cost in costs), nested)


def _equal(
    metric: Metric,
    y: "np.ndarray",
    predictions: "Sequence[np.ndarray]",
    kept: Sequence[int],
    weight: "np.ndarray | None",
) -> "np.ndarray":
    import numpy as np

    weights = np.zeros(len(predictions))
    weights[list(kept)] = 1 / len(kept)
    return weights


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


def _is_too_dear(chosen: Sequence[int], costs: Sequence[Cost], prefer: Prefer) -> bool:
    return _share([costs[i] for i in chosen], prefer) > 1


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
    some, scale = None if weight is None else weight[rows], _share([costs[i] for i in needed(members, costs)], prefer)

    def loss(chosen: Sequence[int]) -> float:
        found = [predictions[i][rows].astype(float) for i in chosen]
        weights = greedy_weights(metric, y[rows], found, weight=some, rounds=CHOOSING_ROUNDS)
        return metric.loss(metric(y[rows], blend(weights, found), some))

    now = loss(members)
    prices: dict[int, float] = {}
    for left_out in members:
        rest = [i for i in members if i != left_out]
        saved = scale - _share([costs[i] for i in needed(rest, costs)], prefer)
        prices[left_out] = (max(0.0, loss(rest) - now) + 1e-12) / max(saved, 1e-6)
    dropped = min(prices, key=lambda i: prices[i])
    return [i for i in members if i != dropped]


def _share(costs: Sequence[Cost], prefer: Prefer) -> float:
    """How much of the scarcer limit is used."""
    return max(row_ms(costs) / MOST_MS[prefer], size_mb(costs) / MOST_MB)


def _thinned(cost: Cost, prefer: Prefer) -> Cost:
    """As many fold models as the limits allow, one at least."""
    return next(
        (cost.with_folds(n) for n in range(cost.folds, 1, -1) if _share([cost.with_folds(n)], prefer) <= 1),
        cost.with_folds(1),
    )
