from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from automl_assets.core.files import PARTIAL
from automl_assets.learn.score import lent, own_metric
from automl_assets.tuning.trial_store import FoldResult, TrialStore
from tests.tuning.fakes import write_fold

SETTINGS = {"metric": "rmse", "roles": {"x": "numeric"}, "classes": []}


def a_store(folder: Path, folds: "np.ndarray | None" = None, weight: "np.ndarray | None" = None) -> TrialStore:
    folds = np.array([0, 1, 0, 1], dtype=np.int8) if folds is None else folds
    store = TrialStore(folder)
    table = pa.table({"x": np.arange(len(folds), dtype=float)})
    store.prepare(table, y=np.arange(len(folds), dtype=float), folds=folds, weight=weight, settings=SETTINGS)
    return store


def test_what_was_prepared_reads_back(tmp_path: Path) -> None:
    store = a_store(tmp_path, weight=np.array([1.0, 2.0, 3.0, 4.0]))

    y, folds, weight = store.labels()

    assert y.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert folds.tolist() == [0, 1, 0, 1]
    assert weight is not None
    assert weight.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert store.settings() == SETTINGS
    assert a_store(tmp_path / "other").labels()[2] is None


def test_a_second_attempt_keeps_the_data_of_the_first(tmp_path: Path) -> None:
    a_store(tmp_path)
    a_store(tmp_path, folds=np.array([1, 1, 1, 0], dtype=np.int8))

    assert TrialStore(tmp_path).labels()[1].tolist() == [0, 1, 0, 1]


def test_half_written_files_of_a_killed_process_are_cleared(tmp_path: Path) -> None:
    (tmp_path / f"{PARTIAL}table").write_text("torn")
    torn = tmp_path / "trials" / "linear-0" / f"{PARTIAL}fold"
    torn.mkdir(parents=True)
    (torn / "fold.json").write_text("{")

    store = a_store(tmp_path)

    assert not list(tmp_path.rglob(f"{PARTIAL}*"))
    assert store.results("linear-0", 2) == []


def test_a_finished_fold_is_found_and_an_unfinished_one_is_not(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    write_fold(store.fold_folder("linear-0", 1), 0.25)
    store.fold_folder("linear-0", 0).mkdir(parents=True)

    assert store.result("linear-0", 0) is None
    assert store.results("linear-0", 2) == [FoldResult(1, 0.25, 1, 1.0, 0.5, "cpu")]


def test_out_of_fold_predictions_stand_in_row_order(tmp_path: Path) -> None:
    store = a_store(tmp_path, folds=np.array([1, 0, -1, 0, 1, 2], dtype=np.int8))
    for fold, values in enumerate(([10.0, 11.0], [20.0, 21.0], [30.0])):
        write_fold(store.fold_folder("a-0", fold), 0.0, predicted=np.array(values, dtype=np.float32))

    assert store.predicted("a-0", 2).tolist() == [20.0, 10.0, 11.0, 21.0]
    assert store.predicted("a-0", 3).tolist() == [20.0, 10.0, 11.0, 21.0, 30.0]
    assert store.predicted("a-0", 1).tolist() == [10.0, 11.0]


def test_out_of_fold_probabilities_keep_their_classes(tmp_path: Path) -> None:
    store = a_store(tmp_path, folds=np.array([1, 0], dtype=np.int8))
    write_fold(store.fold_folder("a-0", 0), 0.0, predicted=np.array([[0.25, 0.75]]))
    write_fold(store.fold_folder("a-0", 1), 0.0, predicted=np.array([[0.5, 0.5]]))

    assert store.predicted("a-0", 2).tolist() == [[0.5, 0.5], [0.25, 0.75]]


def test_dropping_models_keeps_scores_and_predictions(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    for fold in (0, 1):
        write_fold(store.fold_folder("a-0", fold), 0.5)
    assert store.has_models("a-0", 2)

    store.drop_models("a-0")

    assert not store.has_models("a-0", 2)
    assert [result.score for result in store.results("a-0", 2)] == [0.5, 0.5]
    assert (store.fold_folder("a-0", 0) / "predicted.npy").exists()


def test_a_torn_line_is_dropped_and_swallows_no_later_one(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.log_fit("a-0", 0, "ok", "", 1.0, 2.0)
    with (tmp_path / "fits.jsonl").open("a") as file:
        file.write('{"trial": "b-0", "fo')

    again = a_store(tmp_path)
    again.log_fit("c-0", 0, "timeout", "too slow", 3.0, 4.0)

    assert [(fit["trial"], fit["kind"]) for fit in again.fits()] == [("a-0", "ok"), ("c-0", "timeout")]


def test_a_study_without_fits_has_none(tmp_path: Path) -> None:
    assert TrialStore(tmp_path).fits() == []


@pytest.mark.parametrize("torn", [b'{"family": "lin', b"\xff\xfe", b""])
def test_what_was_tried_survives_a_torn_last_line(tmp_path: Path, torn: bytes) -> None:
    store = a_store(tmp_path)
    store.log_proposal({"family": "linear", "params": {"strength": 1.0}})
    with (tmp_path / "proposals.jsonl").open("ab") as file:
        file.write(torn)

    again = a_store(tmp_path)
    again.log_proposal({"trial": "linear-0", "state": "complete"})

    assert again.proposals() == [
        {"family": "linear", "params": {"strength": 1.0}},
        {"trial": "linear-0", "state": "complete"},
    ]


def test_a_score_that_a_child_could_not_compute_is_filled_in_once_from_its_predictions(tmp_path: Path) -> None:
    asked: list[int] = []

    def least_error(y: "np.ndarray", predicted: "np.ndarray", weight: "np.ndarray") -> float:
        asked.append(len(y))
        return -float(abs(y - predicted).max())

    metric = own_metric("least_error", least_error)
    store = TrialStore(tmp_path)
    folds, y = np.array([0, 1, 0], dtype=np.int8), np.array([1.0, 2.0, 3.0])
    settings = {"metric": metric.name, "roles": {"x": "numeric"}, "classes": []}
    store.prepare(pa.table({"x": y}), y=y, folds=folds, weight=None, settings=settings)
    write_fold(store.fold_folder("linear-0", 0), None, predicted=np.array([1.5, 3.25], dtype=np.float32))

    assert store.results("linear-0", 1)[0].score is None
    with lent(metric):
        assert [store.results("linear-0", 1)[0].score for _ in range(2)] == [-0.5, -0.5]
    assert asked == [2]
