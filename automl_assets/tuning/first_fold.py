"""What an ensemble of the candidates would be worth, judged on the fold that all of them have: the first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from automl_assets.learn.ensemble import greedy_weights
from automl_assets.learn.score import Metric, bootstrap
from automl_assets.tuning.candidates import Candidate, usable_folds
from automl_assets.tuning.trial_store import TrialStore

if TYPE_CHECKING:
    import numpy as np

WEIGHED, MOST_ROWS, ROUNDS = 12, 3_000, 12
RESAMPLES = 100
SURELY, PROBABLY = 0.05, 0.25


@dataclass(frozen=True)
class Blend:
    """Weights by candidate, and what they predict for the rows of the first fold (at most 3,000 of them)."""

    weights: Mapping[str, float]
    predicted: "np.ndarray | None" = None


class FirstFold:
    """The rows of the first fold, and ensembles that are weighed on them."""

    def __init__(self, store: TrialStore, metric: Metric):
        self._store = store
        self._metric = metric

    @cached_property
    def _rows(self) -> "tuple[np.ndarray, np.ndarray, np.ndarray | None]":
        """Which rows of the fold are looked at, their labels and weights."""
        import numpy as np

        y, folds, weight = self._store.labels()
        rows = np.flatnonzero(folds == 0)
        some = np.arange(len(rows))
        if len(rows) > MOST_ROWS:
            some = np.sort(np.random.default_rng(0).choice(len(rows), MOST_ROWS, replace=False))
        return some, y[rows[some]], None if weight is None else weight[rows[some]]

    def blend(self, candidates: Sequence[Candidate]) -> Blend:
        """The greedy ensemble of the twelve best that are neither failed nor pruned."""
        import numpy as np

        done = [c for c in candidates if c.mean([0]) is not None and c.state in ("open", "complete")]
        done = sorted(done, key=lambda c: self._metric.loss(c.mean([0]) or 0.0))[:WEIGHED]
        if not done:
            return Blend({})
        some, y, weight = self._rows
        predicted = [self._store.predicted(c.id, 1) for c in done]
        if any(len(p) <= some[-1] for p in predicted):
            return Blend({done[0].id: 1.0})
        chosen = [p[some] for p in predicted]
        weights = greedy_weights(self._metric, y, chosen, weight=weight, rounds=ROUNDS)
        by_id = {c.id: float(w) for c, w in zip(done, weights, strict=True)}
        return Blend(by_id, np.tensordot(weights, np.stack(chosen), axes=1))

    def is_better(self, one: Blend, than: Blend, *, share: float = SURELY) -> bool:
        """Whether one ensemble is better than another on all but a share of the resampled rows."""
        import numpy as np

        if one.predicted is None or than.predicted is None:
            return False
        _, y, weight = self._rows
        both = bootstrap(self._metric, y, [one.predicted, than.predicted], weight=weight, resamples=RESAMPLES)
        gains = (both[:, 0] - both[:, 1]) * (1 if self._metric.higher_is_better else -1)
        return bool(np.quantile(gains, share) > 0)

    def compared_folds(self, candidates: Sequence[Candidate], folds: int) -> int:
        """How many folds, from the first, the final ensemble is weighed on; candidates that lack one are left out.

        As many as cost nothing that matters: an ensemble of all candidates is not probably better on the first fold.
        """
        most, everyone = min(usable_folds(candidates), folds), self.blend(candidates)
        for count in range(most, 1, -1):
            able = [c for c in candidates if all(k in c.results for k in range(count))]
            found = self.blend(able)
            if found.weights and not self.is_better(everyone, found, share=PROBABLY):
                return count
        return min(most, 1)
