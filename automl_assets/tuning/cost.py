"""What a fit will cost: seconds, predicted from the shape of the problem and from the fits that have ended.

A family says how much work a configuration is (`Family.work`); how many seconds a unit takes is learnt here, a family
at a time, from the median of its finished fits. Before the first one it is a default that holds for a usual processor,
times how much slower or faster than that the other families were.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from automl_assets.learn.families import Params, Shape, registry

USUAL_SPEEDS: Mapping[str, float] = {
    "catboost": 1.2e-9,
    "extra_trees": 8.0e-9,
    "hist_gradient_boosting": 1.6e-9,
    "lightgbm": 0.9e-9,
    "linear": 1.5e-7,
    "neighbours": 2.0e-9,
    "network": 0.8e-7,
    "stack": 0.9e-9,
    "svm": 2.0e-9,
    "xgboost": 1.6e-9,
}
USUAL_SPEED = 2.0e-9
OVERHEAD_SECONDS = 0.15
REMEMBERED = 20
FEWEST_TREES = 10


@dataclass
class CostModel:
    """Seconds a unit of work of each family; `observe` what ended, `seconds` predicts what would.

    Of a model that observes nothing the seconds are work units: the same on any machine, at any time.
    """

    threads: int = 1
    _seen: dict[str, list[float]] = field(default_factory=dict)

    def observe(self, family: str, params: Params, shape: Shape, seconds: float, *, trees: int | None = None) -> None:
        """Learn from a fit that ended, after `trees` of those that a whole one grows."""
        whole = registry.get(family).usual_trees(params, shape)
        scale = whole / max(trees, 1) if whole and trees else 1.0
        speed = scale * max(0.0, seconds - OVERHEAD_SECONDS) / registry.get(family).work(params, shape)
        known = self._seen.setdefault(family, [])
        known.append(speed)
        del known[:-REMEMBERED]

    def speed(self, family: str) -> float:
        """Seconds a unit: the median of what was seen, else the default times this machine's slowness."""
        if self._seen.get(family):
            return median(self._seen[family])
        return self._usual(family) * self._slowness()

    def _usual(self, family: str) -> float:
        return USUAL_SPEEDS.get(family, USUAL_SPEED) / self.threads**0.7

    def _slowness(self) -> float:
        """How much slower the fits were than by default: the median over the families that were seen."""
        ratios = [
            median(speeds) / self._usual(family)
            for family, speeds in self._seen.items()
            if speeds and family != "linear"
        ]
        return min(10.0, max(0.1, median(ratios))) if ratios else 1.0

    def seconds(self, family: str, params: Params, shape: Shape, *, trees: int | None = None) -> float:
        """About how long a fit takes when nothing cuts it short, or one of just so many trees."""
        whole = registry.get(family).usual_trees(params, shape)
        share = trees / whole if whole and trees else 1.0
        return OVERHEAD_SECONDS + share * self.speed(family) * registry.get(family).work(params, shape)

    def trees(self, family: str, params: Params, shape: Shape, seconds: float) -> int | None:
        """How many trees, or epochs, a family grows in some seconds; None where it has none to count."""
        whole = registry.get(family).usual_trees(params, shape)
        if whole is None:
            return None
        a_tree = self.speed(family) * registry.get(family).work(params, shape) / whole
        if a_tree <= 0:
            return None
        return max(FEWEST_TREES, math.ceil(max(0.0, seconds - OVERHEAD_SECONDS) / a_tree))
