"""How good the champion is on a batch whose target is there, judged on rows that it was not trained on."""

from typing import TYPE_CHECKING

from automl_assets.core.tables import read
from automl_assets.core.values import PerformanceReport
from automl_assets.learn.score import bootstrap, interval_of, metric_named
from automl_assets.learn.split import in_holdout
from automl_assets.problems.target import encode_target
from automl_assets.training.model import ModelCard

if TYPE_CHECKING:
    import numpy as np
    import pyarrow.dataset as ds

LEAST_ROWS = 20


def judge_performance(
    raw: "ds.Dataset", digest: str, predictions: "ds.Dataset", card: ModelCard, *, seed: int = 0
) -> PerformanceReport:
    """The champion's metric on the batch's labelled, unseen rows, with its interval.

    Args:
        digest: the batch's table's; a batch of the champion's training window is judged on its holdout rows only.
    """
    import numpy as np

    def nothing(rows: int, reason: str) -> PerformanceReport:
        return PerformanceReport(metric=card.metric, rows=rows, value=None, reason=reason)

    if card.target not in raw.schema.names:
        return nothing(0, "the batch has no target column")
    y, usable = encode_target(read(raw, [card.target]).column(0), card.classes)
    in_window = digest in card.window
    judged = usable & in_holdout(raw, card.holdout) if in_window else usable
    rows = int(judged.sum())
    if rows < LEAST_ROWS:
        return nothing(rows, f"{rows} labelled rows that the champion was not trained on; {LEAST_ROWS} are needed")
    predicted = _predicted(predictions, card)[judged]
    metric = metric_named(card.metric)
    value = metric(y[judged], predicted)
    if value != value:
        return nothing(rows, f"{card.metric} is undefined on these rows")
    resampled = bootstrap(metric, y[judged], [np.asarray(predicted)], seed=seed)[:, 0]
    reason = "the window's holdout rows" if in_window else "rows that arrived after the champion was trained"
    return PerformanceReport(metric=card.metric, rows=rows, value=interval_of(resampled, value), reason=reason)


def _predicted(predictions: "ds.Dataset", card: ModelCard) -> "np.ndarray":
    import numpy as np

    if not card.classes:
        return np.asarray(read(predictions, ["prediction"]).column(0))
    table = read(predictions, [f"probability_{label}" for label in card.classes])
    return np.column_stack([np.asarray(column) for column in table.columns])
