"""Greedy weighted ensembles (Caruana et al. 2004): add, with replacement, the member that helps the average most."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from automl_assets.learn.score import Metric

if TYPE_CHECKING:
    import numpy as np

ROUNDS = 30
MOST_ROWS = 20_000
LEAST_WEIGHT = 0.02


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


def _rounded(loss: float) -> float:
    return float("inf") if loss != loss else round(loss, 10)


def _pruned(weights: "np.ndarray") -> "np.ndarray":
    """Without the members that weigh next to nothing."""
    import numpy as np

    kept = np.where(weights >= LEAST_WEIGHT, weights, 0.0)
    return kept / kept.sum()
