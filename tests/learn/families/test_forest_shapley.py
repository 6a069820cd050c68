"""A forest's Shapley values are those of their definition."""

from itertools import product
from math import factorial

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from automl_assets.learn.families._forest import LEAF, Forest
from automl_assets.learn.families._forest_shapley import MOST_FEATURES_A_PATH, shapley_values


def by_definition(forest: Forest, row: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Over all subsets of the features that are the row's, the others being a background row's: (features, outputs)."""
    features = len(row)
    whose = [np.array(one, dtype=bool) for one in product([False, True], repeat=features)]
    said = {tuple(own): forest.predict(np.where(own, row, background)).mean(axis=0) for own in whose}
    found = np.zeros((features, forest.answers.shape[1]))
    for feature in range(features):
        for own in (own for own in whose if not own[feature]):
            size = int(own.sum())
            weight = factorial(size) * factorial(features - size - 1) / factorial(features)
            with_it = own | (np.arange(features) == feature)
            found[feature] += weight * (said[tuple(with_it)] - said[tuple(own)])
    return found


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("kind", [ExtraTreesClassifier, ExtraTreesRegressor])
def test_they_are_the_mean_change_over_all_subsets(kind: type, missing: float) -> None:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(300, 5)).astype(np.float32)
    signal = X[:, 0] * X[:, 1] + X[:, 2]
    X[generator.random(X.shape) < missing] = np.nan
    y = np.digitize(signal, [-0.5, 0.5]) if kind is ExtraTreesClassifier else signal
    estimator = kind(20, min_samples_leaf=2, random_state=0).fit(X, y)
    forest = Forest.of([tree.tree_ for tree in estimator.estimators_], shares=kind is ExtraTreesClassifier)

    found = shapley_values(forest, X[:4], X[100:130])

    assert found is not None
    for row, one in zip(X[:4], found, strict=True):
        np.testing.assert_allclose(one, by_definition(forest, row, X[100:130]), atol=1e-6)


def test_blocks_of_trees_give_what_all_at_once_give(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    estimator = ExtraTreesRegressor(30, random_state=0).fit(X, X[:, 0] * X[:, 1])
    forest = Forest.of([tree.tree_ for tree in estimator.estimators_], shares=False)
    whole = shapley_values(forest, X[:3], X[50:60])
    assert whole is not None

    monkeypatch.setattr("automl_assets.learn.families._forest_shapley.CELLS_AT_ONCE", 1_000)

    np.testing.assert_allclose(np.asarray(shapley_values(forest, X[:3], X[50:60])), whole, atol=1e-12)


@pytest.mark.parametrize(("features", "told"), [(MOST_FEATURES_A_PATH, True), (MOST_FEATURES_A_PATH + 1, False)])
def test_a_path_of_too_many_features_is_not_told(features: int, told: bool) -> None:
    """One tree that asks each feature once: smaller than 0 ends, with the feature's position as the answer."""
    nodes = 2 * features + 1  # the root, then a leaf and an inner node for each feature, the last node a leaf
    feature, child = np.full(nodes, LEAF, np.int32), np.zeros(nodes, np.int32)
    feature[0:-1:2], child[0:-1:2] = np.arange(features), np.arange(1, nodes, 2)
    child[1::2], child[-1] = np.arange(features), features
    forest = Forest(
        roots=np.zeros(1, np.int32),
        feature=feature,
        threshold=np.zeros(nodes, np.float32),
        left=np.ones(nodes, bool),
        child=child,
        answers=np.arange(features + 1.0)[:, None],
    )
    row, other = np.ones((1, features), np.float32), -np.ones((1, features), np.float32)

    found = shapley_values(forest, row, other)

    assert forest.predict(row).item() == features
    assert (found is not None) == told
    if found is not None:
        assert found.sum() == pytest.approx(features)
