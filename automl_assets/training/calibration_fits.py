"""Fitting each kind of calibration to rows whose labels are known."""

from typing import TYPE_CHECKING

from automl_assets.training.calibration import LEAST_PROBABILITY, Calibration, logistic, softmax

if TYPE_CHECKING:
    import numpy as np

NEWTON_STEPS = 50
MOST_BINS = 100
LEAST_ROWS_A_BIN = 30
MOST_ROWS = 20_000
GOLDEN_STEPS = 30
MOST_INTERCEPT = 5.0


def fit_sigmoid(y: "np.ndarray", probabilities: "np.ndarray", weight: "np.ndarray") -> Calibration:
    """Logistic regression on the log-odds by Newton's method, with smoothed targets (Platt 1999).

    A step is halved until the loss falls: from saturated probabilities a whole one leads anywhere.
    """
    import numpy as np

    odds = _log_odds(probabilities)
    positives, negatives = weight[y == 1].sum(), weight[y == 0].sum()
    target = np.where(y == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    design = np.column_stack([odds, np.ones_like(odds)])
    beta = np.array([1.0, 0.0])

    def loss(beta: "np.ndarray") -> float:
        return float(weight @ (np.logaddexp(0.0, design @ beta) - target * (design @ beta)))

    for _ in range(NEWTON_STEPS):
        p = logistic(design @ beta)
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


def fit_isotonic(y: "np.ndarray", probabilities: "np.ndarray", weight: "np.ndarray") -> Calibration:
    """Isotonic regression (Zadrozny & Elkan 2002) of at most a hundred bins, smoothed so that it keeps every rank.

    A step function would tie all rows of a step, which costs ROC AUC. So the steps' centres are joined by lines, in
    log-odds (after Jiang et al. 2011), and continued beyond the first and the last with the sigmoid's slope. Each bin
    counts with one more row of the overall share, so that no step is 0 or 1. The sigmoid itself where it is one step.
    """
    import numpy as np

    base = fit_sigmoid(y, probabilities, weight)
    odds = _log_odds(probabilities)
    order = np.argsort(odds, kind="stable")
    odds, y, weight = odds[order], y[order], weight[order]
    bins = max(2, min(MOST_BINS, len(y) // LEAST_ROWS_A_BIN))
    wanted = np.linspace(0, len(y), bins, endpoint=False).astype(int)
    starts = np.unique(np.searchsorted(odds, odds[wanted], side="left"))  # rows of equal odds share a bin
    total = np.maximum(np.add.reduceat(weight, starts), LEAST_PROBABILITY)
    centre = np.add.reduceat(weight * odds, starts) / total
    share = (np.add.reduceat(weight * (y == 1), starts) + np.average(y == 1, weights=weight)) / (total + 1)
    x, p = _pooled(centre, share, total + 1)
    rising = np.r_[True, np.diff(x) > 1e-9]
    x, p = x[rising], p[rising]
    if base.method == "none" or len(x) < 2:
        return base
    return Calibration("isotonic", base.slope, knots=tuple(zip(x.tolist(), np.log(p / (1 - p)).tolist(), strict=True)))


def _pooled(centre: "np.ndarray", share: "np.ndarray", weight: "np.ndarray") -> "tuple[np.ndarray, np.ndarray]":
    """Pool adjacent violators (Ayer et al. 1955): the steps' weighted centres and shares, the shares rising."""
    import numpy as np

    steps: list[tuple[float, float, float]] = []
    for one in zip(weight.tolist(), centre.tolist(), share.tolist(), strict=True):
        step = one
        while steps and steps[-1][2] >= step[2]:
            w, x, p = steps.pop()
            both = w + step[0]
            step = (both, (w * x + step[0] * step[1]) / both, (w * p + step[0] * step[2]) / both)
        steps.append(step)
    found = np.array(steps)
    return found[:, 1], found[:, 2]


def fit_temperature(y: "np.ndarray", probabilities: "np.ndarray", weight: "np.ndarray") -> Calibration:
    """The inverse temperature of least log-loss (Guo et al. 2017), by golden-section search on its logarithm.

    Of 20,000 rows at most: more would not move it.
    """
    import numpy as np

    y, logs, weight = _some(y, probabilities, weight)
    rows = np.arange(len(y))

    def loss(log_slope: float) -> float:
        chosen = softmax(np.exp(log_slope) * logs)[rows, y]
        return float(-(weight * np.log(np.clip(chosen, 1e-15, 1))).sum() / weight.sum())

    low, high = np.log(0.1), np.log(10.0)
    golden = (5**0.5 - 1) / 2
    a, b = high - golden * (high - low), low + golden * (high - low)
    of_a, of_b = loss(a), loss(b)
    for _ in range(GOLDEN_STEPS):
        if of_a < of_b:
            high, b, of_b = b, a, of_a
            a = high - golden * (high - low)
            of_a = loss(a)
        else:
            low, a, of_a = a, b, of_b
            b = low + golden * (high - low)
            of_b = loss(b)
    return Calibration("temperature", float(np.exp((low + high) / 2)))


def fit_vector(y: "np.ndarray", probabilities: "np.ndarray", weight: "np.ndarray") -> Calibration:
    """One temperature and an intercept a class (Alexandari, Kundaje & Shrikumar 2020), by L-BFGS.

    Half of each squared intercept is added to the rows' log-loss: a class that few rows show keeps what it had. Of
    20,000 rows at most.
    """
    import numpy as np
    from scipy.optimize import minimize

    y, logs, weight = _some(y, probabilities, weight)
    rows, classes = np.arange(len(y)), logs.shape[1]

    def loss(theta: "np.ndarray") -> "tuple[float, np.ndarray]":
        slope, intercepts = np.exp(theta[0]), theta[1:]
        error = softmax(slope * logs + intercepts)
        value = -(weight @ np.log(np.clip(error[rows, y], 1e-15, 1))) + intercepts @ intercepts / 2
        error[rows, y] -= 1.0
        pull = weight @ error + intercepts
        gradient = np.r_[slope * (weight @ (error * logs).sum(axis=1)), pull]
        return float(value / weight.sum()), gradient / weight.sum()

    start = np.zeros(classes + 1)
    bounds = [(np.log(0.1), np.log(10.0)), *[(-MOST_INTERCEPT, MOST_INTERCEPT)] * classes]
    found = np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x)
    intercepts = found[1:] - found[1:].mean()
    return Calibration("vector", float(np.exp(found[0])), intercepts=tuple(intercepts.tolist()))


def _some(
    y: "np.ndarray", probabilities: "np.ndarray", weight: "np.ndarray"
) -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
    """The class indices, log-probabilities and weights of 20,000 rows at most, the same ones every time."""
    import numpy as np

    some = slice(None) if len(y) <= MOST_ROWS else np.random.default_rng(0).permutation(len(y))[:MOST_ROWS]
    return y[some].astype(int), _logs(probabilities[some]), weight[some]


def _logs(probabilities: "np.ndarray") -> "np.ndarray":
    import numpy as np

    return np.log(np.clip(probabilities, LEAST_PROBABILITY, 1.0))


def _log_odds(probabilities: "np.ndarray") -> "np.ndarray":
    logs = _logs(probabilities)
    return logs[:, 1] - logs[:, 0]
