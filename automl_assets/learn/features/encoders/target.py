"""The target's mean a category, shrunk to the overall mean, and never learnt from the row that reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from automl_assets.core.errors import ConfigError
from automl_assets.learn.features._stored import Packed
from automl_assets.learn.features.encoders._base import CategoryEncoder
from automl_assets.learn.features.target import FOLDS, FitContext, Target

if TYPE_CHECKING:
    import numpy as np

LEAST_PRIOR_ROWS = 1.0


@dataclass(frozen=True)
class TargetMean(CategoryEncoder):
    """``(n·mean + m·prior) / (n + m)`` of each category (Micci-Barreca 2001, eq. 4).

    `m` is the empirical Bayes one, the variance within categories over the variance between them, both from the
    one-way analysis of variance (Searle 1971, ch. 11), at least one row. scikit-learn's takes each category's own
    variance, which is 0 for a category of one row: that row's target would then be taken at its word.

    Unseen and missing categories have the prior. Of the training rows, each fifth reads the means of the others.
    """

    labels: tuple[int, ...]
    means: Packed

    @classmethod
    def fit(cls, codes: "np.ndarray", size: int, context: FitContext) -> Self:
        target = _required(context)
        sums = _sums(codes, size, target).sum(axis=0)
        return cls(target.shown if target.classes > 2 else (), Packed.of(shrunk_means(sums), "f4"))

    def encode(self, codes: "np.ndarray", size: int) -> "np.ndarray":
        return self.means.array[codes]

    def encode_training(self, codes: "np.ndarray", size: int, context: FitContext) -> "np.ndarray":
        import numpy as np

        target = _required(context)
        sums = _sums(codes, size, target)
        total = sums.sum(axis=0)
        matrix = np.empty((len(codes), self.means.array.shape[1]), dtype=np.float32)
        for fold in range(FOLDS):
            inside = target.folds == fold
            matrix[inside] = shrunk_means(total - sums[fold])[codes[inside]]
        return matrix

    def feature_names(self, column: str, categories: Sequence[str]) -> list[str]:
        if not self.labels:
            return [f"{column} target mean"]
        return [f"{column} share of class {label}" for label in self.labels]


def _required(context: FitContext) -> Target:
    if context.target is None:
        raise ConfigError(
            "The category encoder 'target' averages the target, and none was given.",
            where="features.encoder",
            remedy="Pass y to Encoder.fit, or choose another encoder.",
        )
    return context.target


def _sums(codes: "np.ndarray", size: int, target: Target) -> "np.ndarray":
    """(folds, size + 2, 1 + 2·t): weight, weighted target and weighted square a fold and a category.

    The last two rows are the unseen and the missing, which count for the prior only.
    """
    import numpy as np

    slots = size + 2
    at = target.folds * slots + np.where(codes < 0, size + 1, codes)
    values = target.columns
    parts = [np.ones((len(codes), 1)), values, values**2]
    stacked = np.concatenate(parts, axis=1) * target.weight[:, None]
    summed = [np.bincount(at, weights=column, minlength=FOLDS * slots) for column in stacked.T]
    return np.stack(summed, axis=1).reshape(FOLDS, slots, -1)


def shrunk_means(sums: "np.ndarray") -> "np.ndarray":
    """The table of encodings, float64 (size + 2, t), from sums a category as (size + 2, 1 + 2·t)."""
    import numpy as np

    width = (sums.shape[1] - 1) // 2
    weight, total, square = sums[:, 0], sums[:, 1 : 1 + width], sums[:, 1 + width :]
    rows = weight.sum()
    prior = total.sum(axis=0) / rows if rows > 0 else np.zeros(width)
    counts = np.maximum(weight[:-2], 0.0)
    known = counts > 1e-9
    counted = np.where(known, counts, 1.0)[:, None]
    means = np.where(known[:, None], total[:-2] / counted, prior)
    within = np.where(known[:, None], square[:-2] - counted * means**2, 0.0)
    m = _prior_rows(counts, known, means, np.maximum(within, 0.0))
    share = np.where(known[:, None], counts[:, None] / (counts[:, None] + m), 0.0)
    encoded = share * means + (1 - share) * prior
    return np.concatenate([encoded, np.broadcast_to(prior, (2, width))])


def _prior_rows(counts: "np.ndarray", known: "np.ndarray", means: "np.ndarray", within: "np.ndarray") -> "np.ndarray":
    """How many rows the prior weighs, (t,): the variance within categories over that between, infinite without any."""
    import numpy as np

    categories, rows = int(known.sum()), float(counts.sum())
    if categories < 2 or rows <= categories:
        return np.full(means.shape[1], np.inf)
    centre = (counts[:, None] * means).sum(axis=0) / rows
    between = (counts[:, None] * (means - centre) ** 2).sum(axis=0) / (categories - 1)
    noise = within.sum(axis=0) / (rows - categories)
    typical = (rows - (counts**2).sum() / rows) / (categories - 1)
    signal = (between - noise) / typical
    certain = signal > 1e-12 * np.maximum(noise + between, 1e-300)
    ratio = np.where(certain, noise / np.where(certain, signal, 1.0), np.inf)
    return np.maximum(ratio, LEAST_PRIOR_ROWS)
