"""How much a feature tells about the target on its own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from automl_assets.core.errors import ConfigError
from automl_assets.learn.features.imputers._base import medians
from automl_assets.learn.features.selections._base import Selection
from automl_assets.learn.features.target import FitContext

if TYPE_CHECKING:
    import numpy as np

MOST_ROWS = 5_000
DISCRETE = 20


class MutualInformation(Selection):
    """Mutual information with the target in nats, by nearest neighbours (Ross 2014; Kraskov et al. 2004).

    From at most 5,000 training rows; a missing cell counts as the median, or as a category of its own.
    """

    @classmethod
    def scores(cls, matrix: "np.ndarray", categorical: Sequence[int], context: FitContext) -> "np.ndarray":
        import numpy as np
        from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

        target = context.target
        if target is None:
            raise ConfigError(
                "The selection 'mutual_information' compares features with the target, and none was given.",
                where="features.selection",
                remedy="Pass y to Encoder.fit, or choose selection none.",
            )
        rows = target.sample(MOST_ROWS)
        if len(rows) < 8:
            return np.ones(matrix.shape[1])
        part = matrix[rows].astype(float)
        discrete = np.array([i in set(categorical) or len(np.unique(v)) <= DISCRETE for i, v in enumerate(part.T)])
        part = np.where(np.isnan(part), np.where(discrete, np.inf, medians(part)), part)
        for column in np.flatnonzero(discrete):
            part[:, column] = np.unique(part[:, column], return_inverse=True)[1]
        judge = mutual_info_classif if target.classes else mutual_info_regression
        options: Any = {"discrete_features": discrete, "random_state": context.seed}
        return judge(part, target.y[rows], **options)
