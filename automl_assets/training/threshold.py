"""Which class follows from a row's probabilities: the most probable, a threshold, class weights, or the least cost.

A metric that judges labels is seldom best served by the most probable class: F1 and balanced accuracy want rare
classes named more often. Two classes get a threshold, several a weight each; both are kept only where the metric, each
row labelled by what was chosen on the other folds, gets better beyond noise. Where errors have costs, the class of the
least expected cost follows from calibrated probabilities alone (Elkan 2001, section 2): nothing is fitted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from automl_assets.learn.score import Metric

if TYPE_CHECKING:
    import numpy as np

LEAST_ROWS = 100
MOST_THRESHOLDS = 100
OPTIMA_RESAMPLES = 40
PAIRED_RESAMPLES = 200
STANDARD_ERRORS = 1.64
MOST_WEIGHED_ROWS = 10_000
MOST_WEIGHED_CLASSES = 30
POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
STEPS = (0.6, 0.8, 1.0, 1.25, 1.67)
ROUNDS = 2


@dataclass(frozen=True)
class Decision:
    """How labels follow from probabilities.

    threshold and weights: each class's probability counts `weights` times, and the largest wins; of two classes the
    second wins above the threshold ``weights[0]``. costs: ``costs[true][said]``, and the least expected cost wins.
    """

    method: Literal["argmax", "threshold", "weights", "costs"] = "argmax"
    weights: tuple[float, ...] = ()
    costs: tuple[tuple[float, ...], ...] = ()

    def chosen(self, probabilities: "np.ndarray") -> "np.ndarray":
        """The class index a row; the first of equals."""
        import numpy as np

        if self.method == "costs":
            return (probabilities @ np.asarray(self.costs)).argmin(axis=1)
        return (probabilities * np.asarray(self.weights) if self.weights else probabilities).argmax(axis=1)

    def seen_by(self, metric: Metric, predicted: "np.ndarray") -> "np.ndarray":
        """What the metric must judge: the chosen class with probability 1 where it judges labels, else `predicted`."""
        if not metric.of_labels or predicted.ndim == 1 or self.method == "argmax":
            return predicted
        return certain(self.chosen(predicted), predicted.shape[1])

    def told(self, classes: Sequence[str]) -> str:
        """The rule in words."""
        if self.method == "costs":
            return "the class of the least expected cost"
        if self.method == "threshold":
            return f"{classes[1]} where its probability is above {self.weights[0]:.3g}"
        weighed = ", ".join(f"{label} × {w:.3g}" for label, w in list(zip(classes, self.weights, strict=False))[:12])
        return f"the largest probability after weights ({weighed})" if weighed else "the most probable class"

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild it."""
        return {"method": self.method, "weights": list(self.weights), "costs": [list(row) for row in self.costs]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The decision that `to_json` described."""
        costs = tuple(tuple(row) for row in document["costs"])
        return cls(document["method"], tuple(document["weights"]), costs)


ARGMAX = Decision()


def certain(labels: "np.ndarray", classes: int) -> "np.ndarray":
    """Labels as probabilities of 0 and 1."""
    import numpy as np

    return np.eye(classes)[labels.astype(int)]


def choose_decision(
    metric: Metric,
    y: "np.ndarray",
    probabilities: "np.ndarray",
    folds: "np.ndarray",
    weight: "np.ndarray | None" = None,
    *,
    costs: Sequence[Sequence[float]] = (),
    seed: int = 0,
) -> "tuple[Decision, np.ndarray]":
    """The decision, and out-of-fold predictions as the metric judges them: each row's decision was made without it.

    Args:
        probabilities: calibrated, each row's by models and a calibration that have not seen it.
        costs: of each true class (rows) and each said one; none where errors have no stated cost.
    """
    import numpy as np

    if costs:
        decision = Decision("costs", costs=tuple(tuple(float(cost) for cost in row) for row in costs))
        return decision, decision.seen_by(metric, probabilities)
    names, classes = np.unique(folds), probabilities.shape[1]
    if not metric.of_labels or len(y) < LEAST_ROWS:
        return ARGMAX, probabilities
    if len(names) < 2:
        folds = np.arange(len(y)) % 2
        names = np.unique(folds)
    weight = np.ones(len(y)) if weight is None else weight
    usual = probabilities.argmax(axis=1)
    crossed, logs = usual.copy(), []
    for name in names:
        inside = folds == name
        found = _fit(metric, y[~inside], probabilities[~inside], weight[~inside], seed)
        crossed[inside] = found.chosen(probabilities[inside])
        logs.append(np.log(found.weights))
    if not _is_better(metric, y, crossed, usual, weight, classes, seed):
        return ARGMAX, probabilities
    final = np.exp(np.mean([*logs, np.log(_fit(metric, y, probabilities, weight, seed).weights)], axis=0))
    weights = tuple((final / final.sum()).tolist())
    return Decision("threshold" if classes == 2 else "weights", weights), certain(crossed, classes)


def _fit(metric: Metric, y: "np.ndarray", p: "np.ndarray", weight: "np.ndarray", seed: int) -> Decision:
    if p.shape[1] == 2:
        threshold = _threshold(metric, y, p[:, 1], weight, seed)
        return Decision("threshold", (threshold, 1 - threshold))
    return Decision("weights", _class_weights(metric, y, p, weight, seed))


def _threshold(metric: Metric, y: "np.ndarray", positive: "np.ndarray", weight: "np.ndarray", seed: int) -> float:
    """The median of the best thresholds of 40 bootstrap samples: one sample's best jumps about on a flat top.

    Rows between two neighbouring thresholds, of one class, count as one with their weights: a sample draws how many.
    """
    import numpy as np

    grid = np.unique(np.quantile(positive, np.linspace(0, 1, MOST_THRESHOLDS + 2)[1:-1]))
    bins = np.searchsorted(grid, positive, side="left")  # bin b is above thresholds 0 … b - 1
    cells = bins * 2 + (y == 1)
    names, counts = np.unique(cells, return_counts=True)
    mass = np.bincount(cells, weights=weight, minlength=names[-1] + 1)[names]
    truth, place = names % 2, names // 2
    said = [certain((place > b).astype(int), 2) for b in range(len(grid))]
    generator = np.random.default_rng(seed)
    best: list[float] = []
    for _ in range(OPTIMA_RESAMPLES):
        drawn = mass * generator.poisson(counts) / counts
        losses = np.array([metric.loss(metric(truth, labels, drawn)) for labels in said])
        top = np.flatnonzero(losses <= np.nanmin(losses) + 1e-12)
        best.append(float(grid[top[len(top) // 2]]))
    return float(np.clip(np.median(best), 1e-6, 1 - 1e-6))


def _class_weights(
    metric: Metric, y: "np.ndarray", p: "np.ndarray", weight: "np.ndarray", seed: int
) -> tuple[float, ...]:
    """Weights by coordinate search, from a power of the inverse class shares; on 10,000 rows at most."""
    import numpy as np

    some = np.random.default_rng(seed).permutation(len(y))[:MOST_WEIGHED_ROWS]
    y, p, weight = y[some], p[some], weight[some]
    classes = p.shape[1]

    def loss(weights: "np.ndarray") -> float:
        return metric.loss(metric(y, certain((p * weights).argmax(axis=1), classes), weight))

    shares = (np.bincount(y.astype(int), weights=weight, minlength=classes) + 1) / (weight.sum() + classes)
    best = min((shares**-power for power in POWERS), key=loss)
    if classes <= MOST_WEIGHED_CLASSES:
        for _ in range(ROUNDS):
            for k in range(classes):
                tried = [best * np.where(np.arange(classes) == k, step, 1.0) for step in STEPS]
                best = min([best, *tried], key=loss)
    return tuple((best / best.sum()).tolist())


def _is_better(
    metric: Metric, y: "np.ndarray", new: "np.ndarray", old: "np.ndarray", weight: "np.ndarray", classes: int, seed: int
) -> bool:
    """Whether the metric gains beyond noise (one-sided 95%) by a paired bootstrap, drawn by cells of equal rows."""
    import numpy as np

    triples, cells, counts = np.unique(
        np.column_stack([y.astype(int), new, old]), axis=0, return_inverse=True, return_counts=True
    )
    mass = np.bincount(cells.ravel(), weights=weight)
    sides = [certain(triples[:, side], classes) for side in (1, 2)]

    def gain(drawn: "np.ndarray") -> float:
        of_new, of_old = (metric.loss(metric(triples[:, 0], side, drawn)) for side in sides)
        return of_old - of_new

    generator = np.random.default_rng(seed)
    drawn = [gain(mass * generator.poisson(counts) / counts) for _ in range(PAIRED_RESAMPLES)]
    return gain(mass) > STANDARD_ERRORS * float(np.nanstd(drawn)) + 1e-12
