"""A calibration: a strictly increasing map of the log-odds, or of every class's log-probability, as a few numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    import numpy as np

LEAST_PROBABILITY = 1e-12
MOST_LOG_ODDS = 30.0

Method = Literal["none", "sigmoid", "isotonic", "temperature", "vector"]


@dataclass(frozen=True)
class Calibration:
    """What maps stated probabilities to calibrated ones.

    sigmoid: `slope` and `intercept` on the log-odds of class 1. isotonic: `knots` of stated and calibrated log-odds,
    both rising, joined by lines and continued beyond their ends with `slope`. temperature: `slope` is the inverse
    temperature. vector: the same with an intercept a class.
    """

    method: Method = "none"
    slope: float = 1.0
    intercept: float = 0.0
    intercepts: tuple[float, ...] = ()
    knots: tuple[tuple[float, float], ...] = ()

    def apply(self, probabilities: "np.ndarray") -> "np.ndarray":
        """Calibrated probabilities of the same shape (…, classes); none is 0 or 1 after an isotonic calibration."""
        import numpy as np

        if self.method == "none":
            return probabilities
        logs = np.log(np.clip(probabilities, LEAST_PROBABILITY, 1.0))
        if self.method in ("temperature", "vector"):
            return softmax(self.slope * logs + (np.asarray(self.intercepts) if self.intercepts else 0.0))
        odds = logs[..., 1] - logs[..., 0]
        if self.method == "isotonic":
            odds = np.clip(self._along_knots(odds), -MOST_LOG_ODDS, MOST_LOG_ODDS)
            return np.stack([logistic(-odds), logistic(odds)], axis=-1)
        positive = logistic(self.slope * odds + self.intercept)
        return np.stack([1 - positive, positive], axis=-1)

    def slope_at(self, probabilities: "np.ndarray") -> "np.ndarray":
        """How fast the calibrated log-odds rise with the stated ones there: shape (…), for explanations."""
        import numpy as np

        if self.method != "isotonic":
            return np.full(probabilities.shape[:-1], self.slope)
        logs = np.log(np.clip(probabilities, LEAST_PROBABILITY, 1.0))
        x, y = np.array(self.knots).T
        slopes = np.r_[self.slope, np.diff(y) / np.diff(x), self.slope]
        return slopes[np.searchsorted(x, logs[..., 1] - logs[..., 0])]

    def _along_knots(self, odds: "np.ndarray") -> "np.ndarray":
        import numpy as np

        x, y = np.array(self.knots).T
        beyond = np.minimum(odds - x[0], 0.0) + np.maximum(odds - x[-1], 0.0)
        return np.interp(odds, x, y) + self.slope * beyond

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild it."""
        found: dict[str, Any] = {"method": self.method, "slope": self.slope, "intercept": self.intercept}
        found |= {"intercepts": list(self.intercepts)} if self.intercepts else {}
        return found | ({"knots": [list(knot) for knot in self.knots]} if self.knots else {})

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The calibration that `to_json` described, now or before there were intercepts and knots."""
        return cls(
            document["method"],
            document["slope"],
            document["intercept"],
            tuple(document.get("intercepts", ())),
            tuple((x, y) for x, y in document.get("knots", ())),
        )


UNCALIBRATED = Calibration()


def logistic(odds: "np.ndarray") -> "np.ndarray":
    """The logistic function, without overflow at either end."""
    import numpy as np

    return np.exp(-np.logaddexp(0.0, -odds))


def softmax(logs: "np.ndarray") -> "np.ndarray":
    """Probabilities over the last axis."""
    import numpy as np

    exponents = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)
