"""Greedy weighted ensembles (Caruana et al. 2004): add, with replacement, the member that helps the average most."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from automl_assets.learn.score import Metric

if TYPE_CHECKING:
    import numpy as np

ROUNDS = 30
MOST_ROWS = 20_000
LEAST_WEIGHT = 0.02
FEWEST_PARTS = 5


def greedy_weights(
    metric: Metric,
    y: "np.ndarray",
    predictions: "Sequence[np.ndarray]",
    *,
    weight: "np.ndarray | None" = None,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> "np.ndarray":
    """Each prediction's weight, summing to 1; the best prefix of the rounds is kept.

    Ties go to members that are already in, then to the earlier one. More than 20,000 rows are sampled. Where the metric
    is undefined on them, the first prediction has all the weight.

    Args:
        predictions: out-of-fold predictions of the same rows, best first.
    """
    import numpy as np

    if len(y) > MOST_ROWS:
        chosen = np.random.default_rng(seed).choice(len(y), MOST_ROWS, replace=False)
        y, weight = y[chosen], None if weight is None else weight[chosen]
        predictions = [p[chosen] for p in predictions]
    counts = np.zeros(len(predictions))
    best_counts, best_loss = np.eye(len(predictions))[0], np.inf
    total = np.zeros_like(predictions[0], dtype=float)
    for size in range(1, rounds + 1):
        losses = [metric.loss(metric(y, (total + p) / size, weight)) for p in predictions]
        order = sorted(range(len(losses)), key=lambda i: (_rounded(losses[i]), counts[i] == 0, i))
        chosen_member = order[0]
        counts[chosen_member] += 1
        total += predictions[chosen_member]
        if losses[chosen_member] < best_loss - 1e-12:
            best_loss, best_counts = losses[chosen_member], counts.copy()
    return _pruned(best_counts / best_counts.sum())


def cross_fitted(
    metric: Metric,
    y: "np.ndarray",
    predictions: "Sequence[np.ndarray]",
    parts: "np.ndarray | None" = None,
    *,
    weight: "np.ndarray | None" = None,
) -> "tuple[np.ndarray, np.ndarray]":
    """Weights that lean on no part of the rows alone, and predictions that no row's own label had a say in.

    Each part of the rows is left out in turn, and weights are found on the others. Their mean is less fitted to chance
    than weights found on all rows at once; each part blended by the weights found without it is a nested estimate.

    Args:
        predictions: out-of-fold predictions of the same rows, best first.
        parts: each row's part: its fold. Five are drawn where there are not two.

    Returns:
        The weights, and the nested predictions of all rows.
    """
    import numpy as np

    if parts is None or len(np.unique(parts)) < 2:
        parts = np.random.default_rng(0).permutation(len(y)) % FEWEST_PARTS
    nested, found = np.empty_like(predictions[0], dtype=float), []
    for part in np.unique(parts):
        inside = parts == part
        rest = None if weight is None else weight[~inside]
        found.append(greedy_weights(metric, y[~inside], [p[~inside] for p in predictions], weight=rest))
        nested[inside] = blend(found[-1], [p[inside] for p in predictions])
    return _pruned(np.mean(found, axis=0)), nested


def blend(weights: "np.ndarray", predictions: "Sequence[np.ndarray]") -> "np.ndarray":
    """The weighted sum of some predictions, in double precision."""
    import numpy as np

    return np.sum([w * p.astype(float) for w, p in zip(weights, predictions, strict=True) if w], axis=0)


def _rounded(loss: float) -> float:
    return float("inf") if loss != loss else round(loss, 10)


def _pruned(weights: "np.ndarray") -> "np.ndarray":
    """Without the members that weigh next to nothing."""
    import numpy as np

    kept = np.where(weights >= LEAST_WEIGHT, weights, 0.0)
    return kept / kept.sum()
