"""What the model's decisions cost by the stated costs, and what they save against deciding without them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from automl_assets.core.values import Money
from automl_assets.learn.score import RESAMPLES, interval_of
from automl_assets.training.threshold import Decision

if TYPE_CHECKING:
    import numpy as np


def money_of(
    decision: Decision,
    y: "np.ndarray",
    predicted: "np.ndarray",
    classes: Sequence[str],
    prior: "np.ndarray",
    *,
    weight: "np.ndarray | None" = None,
    seed: int = 0,
) -> Money | None:
    """The cost a row with 95% bootstrap intervals, beside the most probable class and the cheapest single class.

    Args:
        predicted: calibrated probabilities of the judging rows, shape (rows, classes).
        prior: the classes' shares on the training rows, which say what single class is cheapest.

    Returns:
        None where no costs are stated.
    """
    import numpy as np

    if decision.method != "costs":
        return None
    costs, truth = np.asarray(decision.costs), y.astype(int)
    constant = int((prior @ costs).argmin())
    each = np.column_stack(
        [costs[truth, decision.chosen(predicted)], costs[truth, predicted.argmax(axis=1)], costs[truth, constant]]
    )
    weight = np.ones(len(y)) if weight is None else weight
    generator, rows = np.random.default_rng(seed), len(y)
    drawn = np.empty((RESAMPLES, 3))
    for i in range(RESAMPLES):
        counts = weight * np.bincount(generator.integers(0, rows, rows), minlength=rows)
        drawn[i] = counts @ each / counts.sum()
    own, usual, always = (float(mean) for mean in weight @ each / weight.sum())
    return Money(
        rows=rows,
        cost=interval_of(drawn[:, 0], own),
        usual_cost=usual,
        constant_cost=always,
        constant=classes[constant],
        saved_usual=interval_of(drawn[:, 1] - drawn[:, 0], usual - own),
        saved_constant=interval_of(drawn[:, 2] - drawn[:, 0], always - own),
    )


def money_rows(found: Money) -> list[tuple[str, float, float, float | None, float | None]]:
    """What tables show: what it is, a row, in total, and the 95% interval in total where there is one."""
    n, cost, usual, constant = found.rows, found.cost, found.saved_usual, found.saved_constant
    return [
        ("cost of the model's decisions", cost.value, n * cost.value, n * cost.low, n * cost.high),
        ("cost of the most probable class", found.usual_cost, n * found.usual_cost, None, None),
        (f"cost of always {found.constant}", found.constant_cost, n * found.constant_cost, None, None),
        ("saved against the most probable class", usual.value, n * usual.value, n * usual.low, n * usual.high),
        (f"saved against always {found.constant}", constant.value, n * constant.value, n * constant.low,
         n * constant.high),
    ]  # fmt: skip
