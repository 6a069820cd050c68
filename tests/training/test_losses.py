import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl_assets.core.errors import FitError, StorageError
from automl_assets.learn.runner import Runner
from automl_assets.training.losses import (
    FACTS_FILE,
    LEAST_ROWS,
    LOSSES_FOLDER,
    NO_LOSSES,
    ExpectedLosses,
    LossModel,
    expected_losses,
    fit_losses,
    losses_of_raw,
    predict_raw_losses,
    train_losses,
)
from automl_assets.training.model import CHECKSUMS_FILE, ModelCard, write_checksums
from automl_assets.training.train import ModelFacts, train_model
from automl_assets.tuning.fold_fit import SETTINGS_FILE, TABLE_FILE
from automl_assets.tuning.trial_store import TrialStore
from tests.training.small_models import MEMORY_MB, Small, raw_table


def a_study(folder: Path, rows: int = 6_000, noisy_city: str = "b") -> TrialStore:
    """Clean rows whose errors are three times as large in one city, and grow with x."""
    generator = np.random.default_rng(0)
    x, city = generator.normal(0, 1, rows), np.array(["a", "b"])[generator.integers(0, 2, rows)]
    y = x + generator.normal(0, 1, rows) * np.where(city == noisy_city, 3.0, 1.0)
    store = TrialStore(folder)
    settings = {"roles": {"x": "numeric", "city": "categorical"}, "classes": [], "metric": "rmse"}
    store.prepare(
        pa.table({"x": x, "city": city}), y=y, folds=(np.arange(rows) % 5).astype(np.int8), weight=None,
        settings=settings,
    )  # fmt: skip
    return store


def test_the_expected_losses_are_those_of_rows_of_their_kind(tmp_path: Path, runner: Runner) -> None:
    store = a_study(tmp_path / "study")
    _, folds, _ = store.labels()
    x = np.asarray(pa.ipc.open_file(tmp_path / "study" / TABLE_FILE).read_all().column("x"))

    files = train_losses(store, "rmse", x, folds >= 0, runner, memory_mb=MEMORY_MB)
    for name, data in files.items():
        (tmp_path / LOSSES_FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / LOSSES_FOLDER / name).write_bytes(data)
    model = LossModel.load(tmp_path)

    assert model is not None
    new = np.random.default_rng(1).normal(0, 1, 500)
    means = [model.predict(pa.table({"x": new, "city": [city] * 500}), new).mean() for city in ("a", "b")]
    assert means == [pytest.approx(1.0, abs=0.5), pytest.approx(9.0, abs=1.5)]


def test_a_few_huge_errors_do_not_hide_where_errors_are_large(tmp_path: Path) -> None:
    store = a_study(tmp_path / "study")
    y, _, _ = store.labels()
    city = np.asarray(pa.ipc.open_file(store.folder / TABLE_FILE).read_all().column("city").to_pylist())
    predicted = y - np.random.default_rng(3).normal(0, 1, len(y)) * np.where(city == "b", 3.0, 1.0)
    predicted[::1_000] += 200.0
    np.savez(tmp_path / "a.npz", y=y, predicted=predicted, rows=np.arange(len(y)))

    fit_losses(str(store.folder), str(tmp_path / "a.npz"), str(tmp_path / LOSSES_FOLDER), metric="rmse", threads=1)
    model = LossModel.load(tmp_path)

    assert model is not None
    assert model.scale == pytest.approx(((y - predicted) ** 2).mean() / 5, rel=0.3)
    new = np.random.default_rng(1).normal(0, 1, 500)
    a, b = (model.predict(pa.table({"x": new, "city": [name] * 500}), new).mean() for name in ("a", "b"))
    assert b > 4 * a


@pytest.mark.parametrize(("metric", "learnt"), [("rmse", "rmse"), ("r2", "rmse"), ("mae", "mae"), ("mape", "mape")])
def test_the_loss_is_that_of_the_metric(tmp_path: Path, metric: str, learnt: str) -> None:
    store = a_study(tmp_path / "study", rows=LEAST_ROWS)
    y, _, _ = store.labels()
    np.savez(tmp_path / "arrays.npz", y=y, predicted=y + 1, rows=np.arange(len(y)))

    answer = fit_losses(
        str(store.folder), str(tmp_path / "arrays.npz"), str(tmp_path / "out"), metric=metric, threads=1
    )

    assert answer == {"fitted": True}
    facts = json.loads((tmp_path / "out" / FACTS_FILE).read_text())
    assert (facts["family"], facts["metric"], facts["rows"]) == ("lightgbm", learnt, LEAST_ROWS)


def test_weighted_rows_count_more(tmp_path: Path) -> None:
    store = a_study(tmp_path / "study", rows=1_000)
    y = np.r_[np.zeros(500), np.full(500, 2.0)]
    generator = np.random.default_rng(0)
    order = generator.permutation(1_000)
    weight = np.where(y > 0, 9.0, 1.0)[order]
    np.savez(tmp_path / "a.npz", y=y[order], predicted=np.zeros(1_000), rows=np.arange(1_000), weight=weight)

    fit_losses(str(store.folder), str(tmp_path / "a.npz"), str(tmp_path / LOSSES_FOLDER), metric="mae", threads=1)
    model = LossModel.load(tmp_path)

    assert model is not None
    clean = pa.ipc.open_file(store.folder / TABLE_FILE).read_all()
    assert model.predict(clean, np.zeros(1_000)).mean() == pytest.approx(1.8, abs=0.1)  # unweighted it is 1


def test_too_few_rows_make_no_loss_model(tmp_path: Path, runner: Runner) -> None:
    store = a_study(tmp_path / "study", rows=LEAST_ROWS - 1)
    y, folds, _ = store.labels()

    assert train_losses(store, "rmse", y, folds >= 0, runner, memory_mb=MEMORY_MB) == {}


def test_a_fit_that_fails_makes_no_loss_model(tmp_path: Path, runner: Runner) -> None:
    store = a_study(tmp_path / "study")
    y, folds, _ = store.labels()
    (store.folder / SETTINGS_FILE).unlink()

    assert train_losses(store, "rmse", y, folds >= 0, runner, memory_mb=MEMORY_MB) == {}


def test_numbers_have_a_loss_model_under_the_models_checksums_and_classes_have_none(
    regression: Small, binary: Small
) -> None:
    sums = json.loads((regression.folder / CHECKSUMS_FILE).read_text())

    assert {
        f"{LOSSES_FOLDER}/{FACTS_FILE}",
        f"{LOSSES_FOLDER}/encoder.json",
        f"{LOSSES_FOLDER}/model/model.txt.gz",
    } <= {*sums}
    assert not (binary.folder / LOSSES_FOLDER).exists()


def test_clean_and_raw_rows_have_the_same_expected_losses(regression: Small, runner: Runner, tmp_path: Path) -> None:
    raw, model = raw_table("regression", rows=150, seed=3), regression.load()
    predicted = model.predict(raw)
    tables, predictions = [str(tmp_path / "raw.parquet")], str(tmp_path / "predictions.parquet")
    pq.write_table(raw, tables[0])
    pq.write_table(pa.table({"prediction": predicted}), predictions)

    of_raw = losses_of_raw(regression.folder, regression.model.digest, tables, predictions, runner, memory_mb=MEMORY_MB)
    of_clean = expected_losses(regression.folder, model.clean(raw), predicted, runner, memory_mb=MEMORY_MB)

    assert of_raw.values is not None
    assert of_clean is not None
    assert of_raw.values.shape == (150,)
    assert (of_raw.values >= 0).all()
    np.testing.assert_array_equal(of_raw.values, of_clean)


def test_classes_need_no_losses(binary: Small, runner: Runner) -> None:
    raw = raw_table("binary", rows=10)

    clean = expected_losses(binary.folder, raw, binary.load().predict(raw), runner, memory_mb=MEMORY_MB)

    assert clean is None
    assert losses_of_raw(binary.folder, None, [], "", runner, memory_mb=MEMORY_MB) == ExpectedLosses()


def test_a_model_registered_without_says_so(regression: Small, runner: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "older"
    shutil.copytree(regression.folder, folder)
    shutil.rmtree(folder / LOSSES_FOLDER)
    write_checksums(folder)

    assert predict_raw_losses(str(folder), None, [], "", "", threads=1) == {"estimated": False, "why": NO_LOSSES}
    assert losses_of_raw(folder, None, [], "", runner, memory_mb=MEMORY_MB) == ExpectedLosses(None, NO_LOSSES)
    table = raw_table("regression", rows=3)
    assert expected_losses(folder, table, np.zeros(3), runner, memory_mb=MEMORY_MB) is None


def test_a_changed_loss_model_is_refused(regression: Small, runner: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(regression.folder, folder)
    (folder / LOSSES_FOLDER / FACTS_FILE).write_text("{}")

    with pytest.raises(StorageError, match="not the ones that were registered"):
        predict_raw_losses(str(folder), regression.model.digest, [], "", "", threads=1)
    with pytest.raises(FitError, match="not the ones that were registered"):
        losses_of_raw(folder, regression.model.digest, [], "", runner, memory_mb=MEMORY_MB)


def test_without_a_holdout_no_loss_model_is_fitted(regression: Small, runner: Runner, tmp_path: Path) -> None:
    card = ModelCard.read(regression.folder)
    rule = card.holdout.model_copy(update={"share": 0.0})
    facts = ModelFacts("p", card.kind, card.target, (), card.roles, card.columns, card.plan, rule, card.window)

    model = train_model(
        regression.store, regression.study, facts, runner, root=tmp_path, folder="p", seconds=1, memory_mb=MEMORY_MB
    )

    assert LossModel.load(tmp_path / model.path) is None
