"""What errors cost and how much classes count: from a person's words to numbers in the order of the classes.

    costs: {false_positive: 5, false_negative: 100}             two classes; true_positive and true_negative are 0
    costs: {churned: {stayed: 100}, stayed: {churned: 5}}       any classes: the true label, then the predicted one

A cost that is not stated is 0 for a right prediction; of several classes every confusion must be stated. A gain is a
negative cost.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from automl_assets.core.errors import TargetError, bounded, did_you_mean

if TYPE_CHECKING:
    import numpy as np

OUTCOMES = {"true_negative": (0, 0), "false_positive": (0, 1), "false_negative": (1, 0), "true_positive": (1, 1)}
LABEL_COSTS = dict[str, dict[str, float]]
COSTS_KEY, WEIGHTS_KEY = "problem.costs", "problem.class_weights"


def with_label_texts(value: Any) -> Any:
    """A mapping as YAML gives it with its keys as labels are written: 1 as ``1``, true as ``true``."""
    if not isinstance(value, Mapping):
        return value
    return {_text(key): with_label_texts(found) for key, found in value.items()}


def _text(label: Any) -> str:
    """A label that YAML may have read as a number or a truth value, as labels are written."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def why_no_costs(costs: Mapping[str, Any]) -> str | None:
    """What is wrong with costs whatever the classes are, or None."""
    flat = {key: found for key, found in costs.items() if not isinstance(found, Mapping)}
    nested = {key: found for key, found in costs.items() if isinstance(found, Mapping)}
    if not costs or (flat and nested):
        return "they are either by outcome (false_positive: 5) or by true and predicted label ({a: {b: 5}})"
    for key in flat:
        if key not in OUTCOMES:
            near = did_you_mean(key, OUTCOMES)
            hint = f"; did you mean {near!r}?" if near else ""
            return f"{key!r} is no outcome{hint} Known: {bounded(OUTCOMES)}."
    numbers = [*flat.values(), *(cost for row in nested.values() for cost in row.values())]
    return None if all(math.isfinite(number) for number in numbers) else "every cost is a finite number"


def cost_matrix(
    costs: Mapping[str, Any] | None, classes: Sequence[str], *, where: str
) -> tuple[tuple[float, ...], ...]:
    """The cost of each true class (rows) and each predicted one; empty where no costs are stated.

    Args:
        classes: the labels in their order, the positive one of two last; none for a number.
        where: the target's name, for errors.

    Raises:
        TargetError: the target is a number, a label is none of its classes, a confusion has no cost, or an error would
            cost no more than the right answer.
    """
    if costs is None:
        return ()
    if not classes:
        raise TargetError(
            f"{COSTS_KEY} are for classes, and the target is a number.", where=where, remedy="Leave them out."
        )
    flat = not any(isinstance(found, Mapping) for found in costs.values())
    if flat and len(classes) != 2:
        raise TargetError(
            f"{COSTS_KEY} by outcome are for two classes; the target has {len(classes)}.",
            where=where,
            remedy=f"State them by true and predicted label, such as {{{classes[0]}: {{{classes[1]}: 5}}}}.",
        )
    stated = _of_outcomes(costs) if flat else _of_labels(costs, classes, where)
    matrix = [[stated.get((i, j), 0.0) for j in range(len(classes))] for i in range(len(classes))]
    for i, label in enumerate(classes):
        for j, said in enumerate(classes):
            if i != j and (i, j) not in stated:
                raise TargetError(
                    f"{COSTS_KEY} say nothing of {label!r} predicted as {said!r}.",
                    where=where,
                    remedy=f"Add {'false_negative' if i else 'false_positive'}."
                    if flat
                    else f"Add {{{label}: {{{said}: …}}}}; 0 is no cost.",
                )
            if i != j and len(classes) == 2 and matrix[i][j] <= matrix[i][i]:
                raise TargetError(
                    f"{COSTS_KEY}: {label!r} predicted as {said!r} costs {matrix[i][j]:g}, no more than predicted "
                    f"rightly ({matrix[i][i]:g}), so that {said!r} would always be predicted.",
                    where=where,
                    remedy="An error costs more than the right answer.",
                )
    return tuple(tuple(row) for row in matrix)


def _of_outcomes(costs: Mapping[str, float]) -> dict[tuple[int, int], float]:
    return {OUTCOMES[key]: float(cost) for key, cost in costs.items()}


def _of_labels(
    costs: Mapping[str, Mapping[str, float]], classes: Sequence[str], where: str
) -> dict[tuple[int, int], float]:
    place = {label: position for position, label in enumerate(classes)}
    require_labels([*costs, *(said for row in costs.values() for said in row)], classes, COSTS_KEY, where)
    return {(place[label], place[said]): float(cost) for label, row in costs.items() for said, cost in row.items()}


def weights_of_classes(
    stated: Literal["balanced"] | Mapping[str, float] | None, y: "np.ndarray", classes: Sequence[str], *, where: str
) -> tuple[float, ...]:
    """How many times a row of each class counts in a fit, in the classes' order; empty where once.

    ``balanced`` gives every class the same total, as scikit-learn does: rows / (classes × rows of the class). Weights
    change what a fit attends to and not what probabilities mean: they are divided out of every prediction. With a
    threshold of its own for each metric they are seldom worth it (van den Goorbergh et al. 2022).

    Args:
        y: the training rows' class indices.

    Raises:
        TargetError: the target is a number, or a label is none of its classes.
    """
    import numpy as np

    if stated is None:
        return ()
    if not classes:
        raise TargetError(
            f"{WEIGHTS_KEY} are for classes, and the target is a number.", where=where, remedy="Leave them out."
        )
    if isinstance(stated, str):
        counts = np.maximum(np.bincount(y.astype(int), minlength=len(classes)), 1)
        return tuple((len(y) / (len(classes) * counts)).tolist())
    require_labels(stated, classes, WEIGHTS_KEY, where)
    return tuple(float(stated.get(label, 1.0)) for label in classes)


def require_labels(labels: "Mapping[str, Any] | Sequence[str]", classes: Sequence[str], key: str, where: str) -> None:
    """Check that every label that a setting names is a class.

    Raises:
        TargetError: one is not; the nearest class is suggested.
    """
    for label in labels:
        if label not in classes:
            near = did_you_mean(label, classes)
            hint = f"Did you mean {near!r}? " if near else ""
            raise TargetError(
                f"{key} names {label!r}, which is no class of the target.",
                where=where,
                remedy=f"{hint}Classes: {bounded(classes)}.",
            )
