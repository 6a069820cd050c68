"""Fits of 150 rows: in this process, as without a budget, against a search of 10 s in child processes.

    python -m benchmarks.small_tables

Prints a line a table: the mean over three samples of the ROC AUC (two classes), the log-loss with its sign turned
(several) or R² (numbers) on the rows that were not sampled, and the seconds of a fit.
"""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.metrics import log_loss, r2_score, roc_auc_score

from automl_assets import AutoML, AutoMLClassifier, AutoMLRegressor
from automl_assets.estimator.engine import USUAL_SECONDS

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
ROWS, MOST_TEST_ROWS, SAMPLES, SECONDS = 150, 2_000, 3, 10.0

Table = tuple[str, pd.DataFrame, pd.Series]


def tables() -> Iterator[Table]:
    """Each table's name, its features and its target; those of ../shared/data where they are there."""
    for name in ("iris", "wine", "breast_cancer", "digits", "diabetes"):
        load: Callable[..., Any] = getattr(datasets, f"load_{name}")
        yield (name, *load(return_X_y=True, as_frame=True))
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(1_000, 6)), columns=list("abcdef"))
    yield "interactions", X, ((X["a"] * X["b"] > 0) ^ (X["c"] > 1)).astype(int)
    for name, file, target in (
        ("pima", "pima_diabetes/pima-indians-diabetes.csv", 8),
        ("abalone", "abalone/abalone.csv", 8),
        ("german", "german_credit/credit.csv", "default"),
        ("insurance", "insurance/insurance.csv", "charges"),
    ):
        if (DATA / file).is_file():
            frame = pd.read_csv(DATA / file, header=None if isinstance(target, int) else 0)
            yield name, frame.drop(columns=target).rename(columns=str), pd.Series(frame[target])


def score(model: AutoML, X: pd.DataFrame, y: pd.Series) -> float:
    """The score on new rows, of which more is better."""
    if not hasattr(model, "classes_"):
        return float(r2_score(y, model.predict(X)))
    probabilities = model.predict_proba(X)
    if len(model.classes_) == 2:
        return float(roc_auc_score(y, probabilities[:, 1]))
    return -float(log_loss(y, probabilities, labels=model.classes_))


def main() -> int:
    """Fit and print."""
    print(f"{'table':14s} {'in process':>20s} {'search of 10 s':>20s}")
    for name, X, y in tables():
        kind = AutoMLRegressor if name in ("diabetes", "abalone", "insurance") else AutoMLClassifier
        found: dict[float, list[tuple[float, float]]] = {USUAL_SECONDS: [], SECONDS: []}
        for seed in range(SAMPLES):
            order = np.random.default_rng(seed).permutation(len(X))
            train, test = np.split(order, [min(ROWS, 2 * len(X) // 3)])
            test = test[:MOST_TEST_ROWS]
            for seconds, scores in found.items():
                begun = time.perf_counter()
                model = kind(time_budget_seconds=seconds).fit(X.iloc[train], y.iloc[train])
                took = time.perf_counter() - begun
                scores.append((score(model, X.iloc[test], y.iloc[test]), took))
        quick, searched = (np.mean(scores, axis=0) for scores in found.values())
        print(f"{name:14s} {quick[0]:12.4f} {quick[1]:5.2f} s {searched[0]:12.4f} {searched[1]:5.2f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
