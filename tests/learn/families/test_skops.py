"""A model file that holds a type which no model of ours has is refused before anything of it is executed."""

from pathlib import Path

import numpy as np
import pytest
import skops.io

from automl_assets.core.errors import StorageError
from automl_assets.learn.families._skops import FILE, load_estimator, save_estimator


class Stranger:
    """Would be constructed by a loader that trusts everything."""

    loaded = False

    def __setstate__(self, state: dict[str, object]) -> None:
        Stranger.loaded = True


def test_a_tree_is_the_same_after_save_and_load(tmp_path: Path) -> None:
    from sklearn.tree import DecisionTreeClassifier

    X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
    save_estimator(DecisionTreeClassifier().fit(X, y), tmp_path)
    assert load_estimator(tmp_path).predict([[0.4], [2.6]]).tolist() == [0, 1]


def test_a_file_with_a_strange_type_is_refused_unread(tmp_path: Path) -> None:
    skops.io.dump({"model": Stranger()}, tmp_path / FILE)
    with pytest.raises(StorageError, match=r"types that are not allowed: .*Stranger"):
        load_estimator(tmp_path)
    assert not Stranger.loaded
