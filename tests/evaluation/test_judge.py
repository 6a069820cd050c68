from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator
from sklearn.inspection import permutation_importance

from automl_assets.cleaning.apply import apply_plan
from automl_assets.core.tables import write_arrow
from automl_assets.evaluation.judge import fit_linear_baseline, predict_holdout
from automl_assets.learn.score import METRICS
from automl_assets.problems.target import encode_target
from automl_assets.training.model import Model
from automl_assets.tuning.trial_store import TrialStore
from tests.training.small_models import PLAN, Small

FEATURES = ["age", "income", "city"]


class AsEstimator(BaseEstimator):
    """A loaded model for scikit-learn's own permutation importance."""

    def __init__(self, model: Model):
        self.model = model

    def fit(self, X: object, y: object) -> "AsEstimator":
        return self


def test_permutation_importances_are_scikit_learns(small: Small, tmp_path: Path) -> None:
    clean = apply_plan(PLAN, small.raw).select(FEATURES)
    y, _ = encode_target(small.raw.column("y"), small.problem.classes)
    write_arrow(tmp_path / "rows.arrow", clean)
    np.save(tmp_path / "y.npy", y)
    metric = METRICS[small.problem.metric]
    model = small.load()

    told = predict_holdout(
        str(small.folder), str(tmp_path / "rows.arrow"), str(tmp_path / "y.npy"), str(tmp_path / "out.npy"),
        threads=1, seconds=60,
    )["importances"]  # fmt: skip

    def score(estimator: AsEstimator, X: object, truth: np.ndarray) -> float:
        table = pa.Table.from_pandas(X, preserve_index=False)
        return -metric.loss(metric(truth, estimator.model.predict_clean(table)))

    reference = permutation_importance(
        AsEstimator(model), clean.to_pandas(), y, scoring=score, n_repeats=4, random_state=0
    )
    for name, mean, spread in zip(FEATURES, reference.importances_mean, reference.importances_std, strict=True):
        assert told[name] == pytest.approx(mean, abs=5 * spread + 0.02 * abs(mean)), name
    assert np.allclose(np.load(tmp_path / "out.npy"), model.predict_clean(clean))


def test_no_time_means_no_importances_and_the_predictions_still_stand(regression: Small, tmp_path: Path) -> None:
    clean = apply_plan(PLAN, regression.raw).select(FEATURES)
    write_arrow(tmp_path / "rows.arrow", clean)
    np.save(tmp_path / "y.npy", np.zeros(clean.num_rows))

    told = predict_holdout(
        str(regression.folder), str(tmp_path / "rows.arrow"), str(tmp_path / "y.npy"), str(tmp_path / "out.npy"),
        threads=1, seconds=-1,
    )  # fmt: skip

    assert told == {"importances": {}}
    assert len(np.load(tmp_path / "out.npy")) == clean.num_rows


def baseline(
    folder: Path, train: pa.Table, y: np.ndarray, test: pa.Table, classes: int = 0, weight: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """The baseline's predictions of `test`, and the penalty that it chose."""
    roles = {field.name: "categorical" if pa.types.is_string(field.type) else "numeric" for field in train.schema}
    store = TrialStore(folder)
    folds = (np.arange(train.num_rows) % 5).astype(np.int8)
    store.prepare(train, y=y, folds=folds, weight=weight, settings={})
    write_arrow(folder / "test.arrow", test)
    told = fit_linear_baseline(
        str(folder), str(folder / "test.arrow"), str(folder / "out.npy"),
        roles=roles, classes=classes, threads=1, seed=0,
    )  # fmt: skip
    return np.load(folder / "out.npy"), told["strength"]


def test_the_baseline_does_not_care_about_units(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 200))
    y = 3 * a - b

    metres, _ = baseline(tmp_path / "m", pa.table({"a": a, "b": b}), y, pa.table({"a": a, "b": b}))
    microns, _ = baseline(tmp_path / "um", pa.table({"a": 1e6 * a, "b": b}), y, pa.table({"a": 1e6 * a, "b": b}))

    assert metres == pytest.approx(y, abs=0.05)
    assert microns == pytest.approx(metres, abs=1e-3)


def test_the_baseline_sees_categories_and_missing_values(tmp_path: Path) -> None:
    worth = {"low": 0.0, "middle": 7.0, "high": 1.0, None: -4.0}
    values = [list(worth)[i % 4] for i in range(200)]
    table = pa.table({"c": pa.array(values, pa.string())})

    predicted, _ = baseline(tmp_path, table, np.array([worth[v] for v in values]), table.slice(0, 4))

    assert predicted == pytest.approx([0.0, 7.0, 1.0, -4.0], abs=0.1)


def test_noise_gets_a_strong_penalty_and_a_clear_signal_a_weak_one(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    columns = {f"x{i}": generator.normal(size=120) for i in range(60)}
    noise = generator.normal(size=120)
    new = pa.table({name: generator.normal(size=500) for name in columns})

    predicted, strong = baseline(tmp_path / "noise", pa.table(columns), noise, new)
    _, weak = baseline(tmp_path / "signal", pa.table(columns), 5 * columns["x0"], new)

    assert strong == 1000.0
    assert weak <= 0.01
    assert predicted.std() < 0.4 * noise.std()


def test_the_baseline_gives_every_class_a_chance(tmp_path: Path) -> None:
    x = np.r_[np.zeros(60), np.ones(60)]
    y = x.astype(int)

    predicted, _ = baseline(tmp_path, pa.table({"x": x}), y, pa.table({"x": [0.0, 1.0]}), classes=3)

    assert predicted.shape == (2, 3)
    assert (predicted > 0).all()
    assert predicted.argmax(axis=1).tolist() == [0, 1]


def test_heavy_rows_pull_the_baseline(tmp_path: Path) -> None:
    table = pa.table({"x": np.zeros(100)})
    y = np.r_[np.zeros(50), np.ones(50)]

    predicted, _ = baseline(tmp_path, table, y, table.slice(0, 1), weight=np.r_[np.ones(50), np.full(50, 3.0)])

    assert predicted[0] == pytest.approx(0.75)
