"""A rival beside the champion on one stored batch: predicted in a child process, judged where there are labels."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from automl_assets.core.evidence import RivalScore
from automl_assets.learn.runner import Runner
from automl_assets.registration.compare import Contender
from automl_assets.registration.rivals import Rival, score_rival
from automl_assets.registration.unseen import BatchRows, unseen_by
from automl_assets.training.model import ModelCard

if TYPE_CHECKING:
    import numpy as np

PREDICT_SECONDS = 3600.0


def shadow_batch(
    rival: Rival,
    side: Contender,
    batch: BatchRows,
    tables: list[str],
    labels: "tuple[np.ndarray, np.ndarray]",
    champion: "np.ndarray",
    card: ModelCard,
    runner: Runner,
    *,
    batch_rows: int,
    memory_mb: float,
    seed: int = 0,
) -> RivalScore:
    """How a rival does on a batch.

    Args:
        side: the rival's files.
        tables: the batch's Parquet files.
        labels: for every row the champion's class index, or number, and whether the row has one.
        champion: its predictions of every row, in its own class order; `card`: its card.

    Raises:
        BudgetError: predicting took more than an hour, or too much memory.
        FitError: it failed, or the rival's files are not the registered ones.
    """
    y, judged = labels
    for model in (card, ModelCard.read(side.folder)):
        judged = judged & unseen_by(batch.dataset, batch.digests, model.holdout, model.window, replaced=batch.replaced)
    predicted = predict_stored(side, tables, card, runner, batch_rows=batch_rows, memory_mb=memory_mb)
    return score_rival(rival, y, judged, champion, predicted, card, seed=seed)


def predict_stored(
    side: Contender, tables: list[str], card: ModelCard, runner: Runner, *, batch_rows: int, memory_mb: float
) -> "np.ndarray | None":
    """A version's predictions of Parquet files in another one's (`card`) class order; None where it can't score them.

    Raises:
        BudgetError: predicting took more than an hour, or too much memory.
        FitError: it failed, or the version's files are not the registered ones.
    """
    import numpy as np

    with tempfile.TemporaryDirectory(prefix="automl-shadow-") as scratch:
        out = Path(scratch) / "predicted.npy"
        outcome = runner.run(
            "automl_assets.registration.judge:predict_batch",
            {
                "model": str(side.folder),
                "digest": side.digest,
                "tables": tables,
                "out": str(out),
                "kind": card.kind,
                "classes": list(card.classes),
                "threads": 1,
                "batch_rows": batch_rows,
                "memory_mb": memory_mb,
            },
            deadline_seconds=PREDICT_SECONDS,
            memory_mb=memory_mb,
        )
        answer = outcome.value_or_raise(f"Scoring the batch with version {side.version}")
        return np.load(out, allow_pickle=False) if answer["fits"] else None
