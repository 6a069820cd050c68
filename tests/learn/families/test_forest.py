"""Flat arrays decide as scikit-learn's trees do."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from automl_assets.learn.families._forest import Forest


def rows(count: int, seed: int, missing: float) -> np.ndarray:
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(count, 4)).astype(np.float32)
    X[:, 3] = generator.integers(0, 5, count)  # thresholds fall between equal values too
    X[generator.random(X.shape) < missing] = np.nan
    return X


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("kind", [ExtraTreesClassifier, ExtraTreesRegressor])
def test_it_predicts_what_the_forest_does(kind: type, missing: float, tmp_path: Path) -> None:
    X, Z = rows(300, 0, missing), rows(500, 1, missing)
    signal = np.nan_to_num(X[:, 0]) + np.nan_to_num(X[:, 3])
    y = np.digitize(signal, [1.0, 3.0]) if kind is ExtraTreesClassifier else signal
    estimator = kind(20, min_samples_leaf=1, random_state=0).fit(X, y)

    forest = Forest.of([tree.tree_ for tree in estimator.estimators_], shares=kind is ExtraTreesClassifier)
    expected = estimator.predict_proba(Z) if kind is ExtraTreesClassifier else estimator.predict(Z)[:, None]

    np.testing.assert_allclose(forest.predict(Z), expected, atol=1e-3 if kind is ExtraTreesClassifier else 1e-6)
    forest.save(tmp_path)
    np.testing.assert_array_equal(Forest.load(tmp_path).predict(Z), forest.predict(Z))


def test_one_row_is_its_row_in_the_bulk_and_no_row_is_no_answer() -> None:
    X = rows(200, 0, 0.1)
    estimator = ExtraTreesRegressor(10, random_state=0).fit(X, np.nan_to_num(X[:, 0]))
    forest = Forest.of([tree.tree_ for tree in estimator.estimators_], shares=False)
    bulk = forest.predict(X)
    assert all(np.array_equal(forest.predict(X[i : i + 1])[0], bulk[i]) for i in range(20))
    assert forest.predict(X[:0]).shape == (0, 1)


def test_a_tree_without_a_split_is_one_leaf() -> None:
    X = np.ones((20, 4), np.float32)
    estimator = ExtraTreesRegressor(3, random_state=0).fit(X, np.arange(20.0))
    forest = Forest.of([tree.tree_ for tree in estimator.estimators_], shares=False)
    assert forest.predict(X[:2]).ravel() == pytest.approx([9.5, 9.5])
