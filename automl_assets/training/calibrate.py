"""Calibration of probabilities, cross-fitted, and kept only when the out-of-fold log-loss falls.

Binary: Platt's sigmoid on the log-odds (Platt 1999). Several classes: one temperature (Guo et al. 2017).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from automl_assets.learn.score import METRICS

if TYPE_CHECKING:
    import numpy as np

LEAST_ROWS = 200
LEAST_GAIN = 1e-4
NEWTON_STEPS = 50


@dataclass(frozen=True)
class Calibration:
    """`slope` and `intercept` on the log-odds; for several classes `slope` is the inverse temperature."""

    method: Literal["none", "sigmoid", "temperature"] = "none"
    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, probabilities: "np.ndarray") -> "np.ndarray":
        """Calibrated probabilities of the same shape."""
        import numpy as np

        if self.method == "none":
            return probabilities
        logs = np.log(np.clip(probabilities, 1e-12, 1.0))
        if self.method == "temperature":
            return _softmax(self.slope * logs)
        positive = _logistic(self.slope * (logs[:, 1] - logs[:, 0]) + self.intercept)
        return np.column_stack([1 - positive, positive])

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild it."""
        return {"method": self.method, "slope": self.slope, "intercept": self.intercept}


def calibrate(
    y: "np.ndarray", probabilities: "np.ndarray", folds: "np.ndarray", weight: "np.ndarray | None" = None
) -> Calibration:
    """The calibration that lowers the out-of-fold log-loss, or none.

    Args:
        probabilities: out-of-fold, shape (rows, classes).
        folds: each row's fold; a row is judged by a calibration that was fitted on the other folds.
    """
    import numpy as np

    weight = np.ones(len(y)) if weight is None else weight
    names = np.unique(folds)
    if len(y) < LEAST_ROWS:
        return Calibration()
    if len(names) < 2:
        folds = np.arange(len(y)) % 2
        names = np.unique(folds)
    crossed = np.empty_like(probabilities, dtype=float)
    for name in names:
        inside = folds == name
        crossed[inside] = _fit(y[~inside], probabilities[~inside], weight[~inside]).apply(probabilities[inside])
    log_loss = METRICS["log_loss"]
    if log_loss(y, crossed, weight) < log_loss(y, probabilities, weight) - LEAST_GAIN:
        return _fit(y, probabilities, weight)
    return Calibration()


def _fit(y: "np.ndarray", probabilities: "np.ndarray", weight: "np.ndarray") -> Calibration:
    if probabilities.shape[1] == 2:
        return _sigmoid(y, probabilities, weight)
    return _temperature(y, probabilities, weight)


def _sigmoid(y: "np.ndarray", probabilities: "np.ndarray", weight: "np.ndarray") -> Calibration:
    """Logistic regression on the log-odds by Newton's method, with Platt's smoothed targets.

    A step is halved until the loss falls: from saturated probabilities a whole one leads anywhere.
    """
    import numpy as np

    logs = np.log(np.clip(probabilities, 1e-12, 1.0))
    odds = logs[:, 1] - logs[:, 0]
    positives, negatives = weight[y == 1].sum(), weight[y == 0].sum()
    target = np.where(y == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    design = np.column_stack([odds, np.ones_like(odds)])
    beta = np.array([1.0, 0.0])

    def loss(beta: "np.ndarray") -> float:
        return float(weight @ (np.logaddexp(0.0, design @ beta) - target * (design @ beta)))

    for _ in range(NEWTON_STEPS):
        p = _logistic(design @ beta)
        gradient = design.T @ (weight * (p - target))
        hessian = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        while loss(beta - step) > loss(beta) and abs(step).max() >= 1e-8:
            step = step / 2
        beta = beta - step
        if abs(step).max() < 1e-8:
            break
    if not np.isfinite(beta).all() or beta[0] <= 0:
        return Calibration()
    return Calibration("sigmoid", float(beta[0]), float(beta[1]))


def _temperature(y: "np.ndarray", probabilities: "np.ndarray", weight: "np.ndarray") -> Calibration:
    """The inverse temperature of least log-loss, by golden-section search on its logarithm."""
    import numpy as np

    logs = np.log(np.clip(probabilities, 1e-12, 1.0))
    rows = np.arange(len(y))

    def loss(log_slope: float) -> float:
        chosen = _softmax(np.exp(log_slope) * logs)[rows, y.astype(int)]
        return float(-(weight * np.log(np.clip(chosen, 1e-15, 1))).sum() / weight.sum())

    low, high = np.log(0.1), np.log(10.0)
    golden = (5**0.5 - 1) / 2
    for _ in range(40):
        a, b = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return Calibration("temperature", float(np.exp((low + high) / 2)))


def _logistic(odds: "np.ndarray") -> "np.ndarray":
    """The logistic function, without overflow at either end."""
    import numpy as np

    return np.exp(-np.logaddexp(0.0, -odds))


def _softmax(logs: "np.ndarray") -> "np.ndarray":
    import numpy as np

    exponents = np.exp(logs - logs.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)
