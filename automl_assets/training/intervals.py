"""Prediction intervals as wide as each row needs: a small quantile model of the errors, made conformal.

LightGBM learns the 90% quantile of the absolute out-of-fold error from the clean features and the prediction. Its
errors are made up for by one factor, the 90% quantile of error over stated width on rows that the model of the width
has not seen either: conformalised quantile regression (Romano, Patterson & Candès 2019), with the symmetric, normalised
score of Lei et al. (2018, section 5.2). Rows drawn as the training rows were then lie inside nine times of ten on
average (Vovk 2015 for scores across folds). It lies inside the model's folder:

    intervals/intervals.json    the factor, the least width before it, and what was measured
    intervals/encoder.json      the clean features; the prediction itself is one more
    intervals/model/            LightGBM txt

It is kept only where its interval score (Gneiting & Raftery 2007, section 6.2) beats one width for all rows, each row
judged by a width that was learnt without it.
"""

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from automl_assets.core.tables import read_arrow
from automl_assets.learn.families import Family, registry
from automl_assets.learn.features import Encoder
from automl_assets.tuning.fold_fit import SETTINGS_FILE, TABLE_FILE

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from automl_assets.learn.runner import Runner
    from automl_assets.tuning.trial_store import TrialStore

INTERVALS_FOLDER = "intervals"
FACTS_FILE, ENCODER_FILE, MODEL_FOLDER = "intervals.json", "encoder.json", "model"
FAMILY = "lightgbm"
COVERAGE = 0.9
LEAST_ROWS, MOST_ROWS = 500, 30_000
FOLDS = 4
VALID_EVERY = 6
LEAST_SHARE = 0.1
FIT_SECONDS = 2.0
DEADLINE_SECONDS = 20.0
MOST_TREES, PATIENCE = 400, 20
SETTINGS = {
    "objective": "quantile",
    "alpha": COVERAGE,
    "metric": "quantile",
    "learning_rate": 0.08,
    "num_leaves": 8,
    "min_data_in_leaf": 40,
    "max_cat_to_onehot": 8,
    "feature_pre_filter": False,
    "seed": 0,
    "verbosity": -1,
}


@dataclass(frozen=True)
class IntervalModel:
    """Half the width of a row's 90% interval: `factor` times what the model says of it, at least `least`."""

    encoder: Encoder
    estimator: Family
    factor: float
    least: float

    @classmethod
    def load(cls, model: Path) -> Self | None:
        """The one inside a model's folder; None where one width fits all rows."""
        folder = model / INTERVALS_FOLDER
        if not (folder / FACTS_FILE).is_file():
            return None
        facts = json.loads((folder / FACTS_FILE).read_text())
        encoder = Encoder.from_json(json.loads((folder / ENCODER_FILE).read_text()))
        return cls(encoder, registry.get(FAMILY).load(folder / MODEL_FOLDER), facts["factor"], facts["least"])

    def half_widths(self, clean: "pa.Table", predicted: "np.ndarray", *, threads: int = 1) -> "np.ndarray":
        """One a row, in the target's unit."""
        import numpy as np

        if not len(predicted):
            return np.empty(0)
        X = np.column_stack([self.encoder.transform(clean), np.asarray(predicted, dtype=np.float32)])
        return self.factor * np.maximum(self.estimator.predict(X, threads=threads), self.least)


def conformal_quantile(scores: "np.ndarray") -> float:
    """The score that nine of ten further ones stay below: the ⌈0.9 (n + 1)⌉-th smallest of n, or the largest."""
    import numpy as np

    rank = int(np.ceil(COVERAGE * (len(scores) + 1))) - 1
    return float(np.sort(scores)[min(rank, len(scores) - 1)])


def interval_scores(errors: "np.ndarray", half: "np.ndarray | float") -> "np.ndarray":
    """Each row's width, and 20 times by how much the truth lies outside of it; less is better.

    Args:
        errors: absolute ones, around which the interval is symmetric.
    """
    import numpy as np

    return 2 * half + 2 / (1 - COVERAGE) * np.maximum(errors - half, 0.0)


def train_intervals(
    store: "TrialStore", predicted: "np.ndarray", judged: "np.ndarray", runner: "Runner", *, memory_mb: float
) -> dict[str, bytes]:
    """The interval model's files by their names; none where one width for all rows does as well, or it failed.

    Args:
        predicted: out-of-fold, of the study's rows for which `judged` is true. Holdout rows are not among them.
    """
    import numpy as np

    y, _, weight = store.labels()
    rows = np.flatnonzero(judged)
    if len(rows) < LEAST_ROWS:
        return {}
    arrays = {"errors": abs(y[judged] - predicted), "predicted": predicted, "rows": rows}
    arrays |= {} if weight is None else {"weight": weight[judged]}
    with tempfile.TemporaryDirectory(prefix="automl-intervals-") as scratch:
        file, out = Path(scratch) / "arrays.npz", Path(scratch) / INTERVALS_FOLDER
        np.savez(file, **arrays)  # pyright: ignore[reportArgumentType] - its stub takes names for options
        outcome = runner.run(
            "automl_assets.training.intervals:fit_intervals",
            {"study": str(store.folder), "arrays": str(file), "out": str(out), "threads": 1},
            deadline_seconds=DEADLINE_SECONDS,
            memory_mb=memory_mb,
        )
        if outcome.kind != "ok" or not outcome.value["kept"]:
            return {}
        return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def fit_intervals(study: str, arrays: str, out: str, *, threads: int) -> dict[str, Any]:
    """What a child process does: learn the errors' quantile, and write the model of it into the new folder `out`.

    Args:
        study: the study's folder, with the clean training rows.
        arrays: an npz file: absolute `errors` and `predicted` of the rows that were predicted out of fold, `rows` their
            positions, and `weight` where rows have one.

    Returns:
        Whether it was `kept`, and both interval scores.
    """
    import numpy as np
    import pyarrow as pa

    with np.load(arrays, allow_pickle=False) as file:
        errors, predicted, positions, weight = file["errors"], file["predicted"], file["rows"], file.get("weight")
    some = np.random.default_rng(0).permutation(len(errors))[:MOST_ROWS]
    errors, weight = errors[some], None if weight is None else weight[some]
    roles = json.loads((Path(study) / SETTINGS_FILE).read_text())["roles"]
    table = read_arrow(Path(study) / TABLE_FILE).take(pa.array(positions[some]))
    encoder = Encoder.fit(table, roles, "codes")
    X = np.column_stack([encoder.transform(table), predicted[some].astype(np.float32)])
    crossed = np.empty(len(errors))
    for fold in range(FOLDS):
        inside = np.arange(len(errors)) % FOLDS == fold
        model = _fit(X[~inside], errors[~inside], None if weight is None else weight[~inside], encoder, threads)
        crossed[inside] = model.predict(X[inside], threads=threads)
    least = LEAST_SHARE * float(np.median(crossed))
    if least <= 0:
        return {"kept": False}
    factor = conformal_quantile(errors / np.maximum(crossed, least))
    constant = interval_scores(errors, conformal_quantile(errors))
    adaptive = interval_scores(errors, factor * np.maximum(crossed, least))
    told = {"constant": float(constant.mean()), "adaptive": float(adaptive.mean())}
    gains = constant - adaptive
    if gains.mean() <= gains.std() / len(gains) ** 0.5:
        return {"kept": False, **told}
    model = _fit(X, errors, weight, encoder, threads)
    _write(Path(out), encoder, model, {"factor": factor, "least": least, "rows": len(errors), **told})
    return {"kept": True, **told}


def _fit(X: "np.ndarray", errors: "np.ndarray", weight: "np.ndarray | None", encoder: Encoder, threads: int) -> Family:
    """Stopped early on every sixth row, or when two seconds are over."""
    import lightgbm
    import numpy as np

    from automl_assets.learn.families.lightgbm import LightGBM

    valid = np.arange(len(errors)) % VALID_EVERY == 0
    train_weight, valid_weight = (None, None) if weight is None else (weight[~valid], weight[valid])
    train = lightgbm.Dataset(
        X[~valid], errors[~valid], weight=train_weight, categorical_feature=encoder.categorical or "auto"
    )
    judge = lightgbm.Dataset(X[valid], errors[valid], weight=valid_weight, reference=train)
    stop_at = time.monotonic() + FIT_SECONDS

    def out_of_time(env: Any) -> None:
        if time.monotonic() > stop_at:
            raise lightgbm.callback.EarlyStopException(env.iteration, env.evaluation_result_list)

    booster = lightgbm.train(
        {**SETTINGS, "num_threads": threads},
        train,
        num_boost_round=MOST_TREES,
        valid_sets=[judge],
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False), out_of_time],
    )
    return LightGBM(booster.free_dataset(), 0)


def _write(folder: Path, encoder: Encoder, model: Family, facts: dict[str, Any]) -> None:
    (folder / MODEL_FOLDER).mkdir(parents=True)
    model.save(folder / MODEL_FOLDER)
    (folder / ENCODER_FILE).write_text(json.dumps(encoder.to_json()))
    (folder / FACTS_FILE).write_text(json.dumps(facts))
