"""Ensembles that are judged on the first fold, over predictions whose worth is known."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from automl_assets.learn.score import METRICS
from automl_assets.tuning.candidates import Candidate, State
from automl_assets.tuning.first_fold import FirstFold
from automl_assets.tuning.trial_store import TrialStore
from tests.tuning.fakes import write_fold

ROWS, FOLDS = 900, 3


class Judged:
    """A study of numbers in which a candidate's error is stated."""

    def __init__(self, folder: Path):
        self.store = TrialStore(folder)
        self.random = np.random.default_rng(0)
        self.y = self.random.normal(size=ROWS)
        folds = (np.arange(ROWS) % FOLDS).astype(np.int8)
        settings = {"metric": "rmse", "roles": {"x": "numeric"}, "classes": []}
        self.store.prepare(pa.table({"x": self.y}), y=self.y, folds=folds, weight=None, settings=settings)
        self.first = FirstFold(self.store, METRICS["rmse"])

    def candidate(self, number: int, error: float, folds: int, state: State = "open") -> Candidate:
        made = Candidate("linear", number, {}, state=state)
        for fold in range(folds):
            rows = self.y[np.arange(ROWS) % FOLDS == fold]
            predicted = rows + self.random.normal(scale=error, size=len(rows))
            score = float(np.sqrt(np.mean((predicted - rows) ** 2)))
            write_fold(self.store.fold_folder(made.id, fold), score, predicted=predicted)
            result = self.store.result(made.id, fold)
            assert result is not None
            made.results[fold] = result
        return made


@pytest.fixture
def judged(tmp_path: Path) -> Judged:
    return Judged(tmp_path)


def test_the_better_half_of_a_pair_weighs_more_and_the_pruned_nothing(judged: Judged) -> None:
    pair = [judged.candidate(0, 0.5, 1), judged.candidate(1, 1.0, 1), judged.candidate(2, 0.1, 1, "pruned")]
    weights = judged.first.blend(pair).weights
    assert set(weights) == {"linear-0", "linear-1"}
    assert weights["linear-0"] > weights["linear-1"]


def test_one_alone_has_all_the_weight_and_none_has_none(judged: Judged) -> None:
    assert judged.first.blend([judged.candidate(0, 0.5, 1)]).weights == {"linear-0": 1.0}
    assert judged.first.blend([]).weights == {}


def test_an_ensemble_is_better_when_resampling_says_so(judged: Judged) -> None:
    good = judged.first.blend([judged.candidate(0, 0.3, 1), judged.candidate(1, 0.3, 1)])
    bad = judged.first.blend([judged.candidate(2, 0.9, 1), judged.candidate(3, 0.9, 1)])
    assert judged.first.is_better(good, bad)
    assert not judged.first.is_better(bad, good)
    assert not judged.first.is_better(good, good)


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([(0.5, 3), (0.5, 3)], 3),
        ([(0.5, 3), (0.5, 3), (9.0, 1)], 3),  # who has one fold is worth nothing
        ([(0.9, 3), (0.9, 3), (0.2, 1)], 1),  # who has one fold is worth more than all others
        ([(0.9, 3), (0.3, 2), (0.3, 2)], 2),
        ([(0.5, 1)], 1),
        ([], 0),
    ],
)
def test_the_ensemble_is_weighed_on_as_many_folds_as_cost_nothing(
    judged: Judged, candidates: list[tuple[float, int]], expected: int
) -> None:
    made = [judged.candidate(number, error, folds) for number, (error, folds) in enumerate(candidates)]
    assert judged.first.compared_folds(made, FOLDS) == expected
