"""What the other columns predict."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

from automl_assets.learn.features._stored import Packed
from automl_assets.learn.features.imputers._base import Imputer, medians, sampled

if TYPE_CHECKING:
    import numpy as np

ROUNDS = 5
RIDGE = 1e-2


@dataclass(frozen=True)
class Iterative(Imputer):
    """Ridge regressions of each column on the others, round-robin from medians (van Buuren & Groothuis-Oudshoorn 2011).

    Learnt from at most 2,000 rows; replayed as five rounds of the last round's coefficients. A column that training
    always had takes its median. Imputed values stay within the column's range in training.
    """

    start: tuple[float, ...]
    centre: tuple[float, ...]
    spread: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    learnt: tuple[int, ...]
    coefficients: Packed

    @classmethod
    def fit(cls, values: "np.ndarray", seed: int) -> Self:
        import numpy as np

        start = medians(values)
        rows = sampled(values, seed)
        missing = np.isnan(rows)
        filled = np.where(missing, start, rows)
        centre = filled.mean(axis=0) if len(filled) else start
        with np.errstate(over="ignore", invalid="ignore"):
            spread = filled.std(axis=0) if len(filled) else np.ones_like(start)
        spread = np.where(np.isfinite(spread) & (spread > 1e-12), spread, 1.0)
        scaled = (filled - centre) / spread
        some = missing.any(axis=0) & ~missing.all(axis=0) if len(rows) else np.zeros(len(start), bool)
        learnt = np.flatnonzero(some)[np.argsort(missing.mean(axis=0)[some], kind="stable")] if some.any() else []
        low, high = (scaled.min(axis=0), scaled.max(axis=0)) if len(rows) else (start * 0, start * 0)
        coefficients = _round_robin(scaled, missing, list(learnt), low, high)
        numbers = [tuple(v.tolist()) for v in (start, centre, spread, low, high)]
        return cls(*numbers, learnt=tuple(int(i) for i in learnt), coefficients=Packed.of(coefficients, "f8"))

    @cached_property
    def _arrays(self) -> "tuple[np.ndarray, ...]":
        import numpy as np

        return tuple(np.array(v, dtype=float) for v in (self.start, self.centre, self.spread, self.low, self.high))

    def fill(self, values: "np.ndarray") -> "np.ndarray":
        import numpy as np

        start, centre, spread, low, high = self._arrays
        missing = np.isnan(values)
        filled = np.where(missing, start, values)
        holes = np.flatnonzero(missing.any(axis=1))
        if len(holes):
            scaled, there = (filled[holes] - centre) / spread, missing[holes]
            for _ in range(ROUNDS):
                for at, column in enumerate(self.learnt):
                    predicted = _predict(scaled, self.coefficients.array[at])
                    scaled[:, column] = np.where(
                        there[:, column], np.clip(predicted, low[column], high[column]), scaled[:, column]
                    )
            learnt = there & np.isin(np.arange(values.shape[1]), self.learnt)
            filled[holes] = np.where(learnt, scaled * spread + centre, filled[holes])
        return filled


def _predict(scaled: "np.ndarray", coefficients: "np.ndarray") -> "np.ndarray":
    """The intercept is the last coefficient. No matrix product: its sums would depend on how many rows there are."""
    return (scaled * coefficients[:-1]).sum(axis=1) + coefficients[-1]


def _round_robin(
    scaled: "np.ndarray", missing: "np.ndarray", learnt: list[int], low: "np.ndarray", high: "np.ndarray"
) -> "np.ndarray":
    """The coefficients of the last round, float64 (learnt columns, columns + 1); fills `scaled` as it goes."""
    import numpy as np

    width = scaled.shape[1]
    coefficients = np.zeros((len(learnt), width + 1))
    for _ in range(ROUNDS):
        for at, column in enumerate(learnt):
            known = ~missing[:, column]
            X = np.column_stack([scaled[known], np.ones(known.sum())])
            X[:, column] = 0.0
            gram = X.T @ X + RIDGE * known.sum() * np.diag([*np.ones(width), 1e-9])
            coefficients[at] = np.linalg.lstsq(gram, X.T @ scaled[known, column], rcond=None)[0]
            coefficients[at, column] = 0.0
            holes = missing[:, column]
            scaled[holes, column] = np.clip(_predict(scaled[holes], coefficients[at]), low[column], high[column])
    return coefficients
