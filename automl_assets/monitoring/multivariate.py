"""All features at once: can a classifier tell new rows from old, and do new rows lie where the old ones lay."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl_assets.core.label_sketches import CategorySketch
from automl_assets.evaluation.reference import Reference
from automl_assets.learn.split import label_texts, numbers_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

FOLDS = 4
ROUNDS = 60
Z_99 = 2.5758
LEAST_ROWS = 200
LARGEST = 3e38
PARAMETERS = {
    "objective": "binary",
    "num_leaves": 15,
    "learning_rate": 0.1,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.8,
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,  # on samples this small more threads wait for each other
}


def domain_drift(
    reference: Reference, current: "pa.Table", names: Sequence[str], *, seed: int = 0
) -> dict[str, Any] | None:
    """How well LightGBM tells the batch's rows from the reference's: out-of-fold ROC AUC, its bound and p-value.

    Trees see a number's rank and a label's code. Scores of different folds come from different models, so each fold
    has its own AUC; the mean counts. The bound is the lower end of the 99% interval by DeLong's variance (1988), the
    p-value the rank test's (Mann & Whitney 1947), one-sided.

    Args:
        names: the features to use; those that move in the reference itself would tell old from new at any time.

    Returns:
        ``{auc, low, p_value, rows}``, or None with fewer than 200 rows on a side or no feature.
    """
    import numpy as np

    names = [n for n in names if n in reference.sample.column_names and n in current.column_names]
    sizes = reference.sample.num_rows, current.num_rows
    if not names or min(sizes) < LEAST_ROWS:
        return None
    X = np.column_stack(
        [np.concatenate([_codes(reference, n, side) for side in (reference.sample, current)]) for n in names]
    )
    y = np.repeat([0, 1], sizes)
    folds = np.random.default_rng(seed).permutation(len(y)) % FOLDS
    categorical = [i for i, name in enumerate(names) if reference.roles[name] == "categorical"]
    judged = [auc_of(y[folds == k], _scores(X, y, folds == k, categorical, seed)) for k in range(FOLDS)]
    auc = float(np.mean([found[0] for found in judged]))
    deviation = float(np.sqrt(np.sum([found[1] for found in judged]))) / FOLDS
    chance = float(np.sqrt(np.sum([found[2] for found in judged]))) / FOLDS
    return {
        "auc": auc,
        "low": max(0.0, auc - Z_99 * deviation),
        "p_value": _upper_tail((auc - 0.5) / chance),
        "rows": int(sum(sizes)),
    }


def _codes(reference: Reference, name: str, table: "pa.Table") -> "np.ndarray":
    """A column as numbers: NaN where missing, the number of labels for an unknown one."""
    import numpy as np

    sketch, column = reference.sketches[name], table.column(name)
    if isinstance(sketch, CategorySketch):
        position: dict[str | None, float] = {label: float(i) for i, label in enumerate(sketch.labels)}
        position[None] = float("nan")
        return np.array([position.get(label, float(len(sketch.labels))) for label in label_texts(column).tolist()])
    values = numbers_of(column)
    return np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), np.nan)


def _scores(X: "np.ndarray", y: "np.ndarray", out: "np.ndarray", categorical: list[int], seed: int) -> "np.ndarray":
    """The scores of one fold's rows by a model of the others'."""
    import lightgbm
    import numpy as np

    parameters = {**PARAMETERS, "seed": seed}
    inside = lightgbm.Dataset(X[~out], y[~out], categorical_feature=categorical, free_raw_data=True)
    return np.asarray(lightgbm.train(parameters, inside, ROUNDS).predict(X[out], num_threads=1))


def auc_of(y: "np.ndarray", scores: "np.ndarray") -> tuple[float, float, float]:
    """ROC AUC, its variance by DeLong's method in Sun & Xu's form (2014), and its variance were there no difference."""
    import numpy as np
    from scipy.stats import rankdata

    ones, zeros = scores[y == 1], scores[y == 0]
    m, n = len(ones), len(zeros)
    ranks = rankdata(np.concatenate([ones, zeros]))
    above = (ranks[:m] - rankdata(ones)) / n
    below = 1 - (ranks[m:] - rankdata(zeros)) / m
    variance = np.var(above, ddof=1) / m + np.var(below, ddof=1) / n
    return float(above.mean()), float(variance), (m + n + 1) / (12 * m * n)


def _upper_tail(z: float) -> float:
    import math

    return 0.5 * math.erfc(z / math.sqrt(2))


def reconstruction_drift(reference: Reference, current: "pa.Table") -> dict[str, Any] | None:
    """Whether rows lie as far from the reference's principal components as its own rows do: a `FeatureDrift`'s fields.

    None where the reference has no components, or the batch lacks a column of theirs or has fewer than 200 rows.
    """
    from automl_assets.monitoring.drift import registry
    from automl_assets.monitoring.judge import FALSE_DISCOVERY_RATE

    projection, errors = reference.projection, reference.errors
    if projection is None or errors is None or current.num_rows < LEAST_ROWS:
        return None
    if set(projection.columns()) - set(current.column_names):
        return None
    found = registry.get("ks").answer(errors, errors.count(projection.errors(current)))
    least = registry.get("ks").least_effect
    if found.effect is None or found.p_value is None:
        return None
    drifted = found.effect >= least and found.p_value <= FALSE_DISCOVERY_RATE
    told = "rows lie elsewhere than" if drifted else "rows lie where"
    return {
        "name": "all features",
        "test": "ks",
        "effect": found.effect,
        "p_value": found.p_value,
        "q_value": found.p_value,
        "drifted": drifted,
        "reason": f"{told} the reference's rows (distance from {len(projection.components)} components, "
        f"ks {found.effect:.3f}, p {found.p_value:.2g})",
    }


def steady(rows: Sequence[Mapping[str, Any]], most: float = 0.3) -> list[str]:
    """The features whose distribution does not move within the reference by more than `most`."""
    return [row["name"] for row in rows if row["aspect"] == "distribution" and row["allowance"] <= most]
