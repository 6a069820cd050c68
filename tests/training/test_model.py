import gzip
import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import skops.io

from automl_assets.cleaning.apply import apply_plan
from automl_assets.core.errors import StorageError
from automl_assets.core.values import CleaningPlan, Column, HoldoutRule
from automl_assets.learn.features import Rows
from automl_assets.training.calibrate import Calibration
from automl_assets.training.model import (
    CHECKSUMS_FILE,
    MODEL_FILE,
    Columns,
    FoldModel,
    Model,
    ModelCard,
    conform,
    verify,
    write_checksums,
)
from automl_assets.tuning.fold_fit import smoothed
from tests.training.small_models import PLAN, Small

NATIVE = {".json", ".npz", ".gz", ".txt", ".skops"}
PICKLE = re.compile(rb"\x80[\x02-\x05]")


def copied(small: Small, folder: Path) -> Path:
    """The model's folder, to spoil."""
    return Path(shutil.copytree(small.folder, folder / "model"))


def holdout(small: Small) -> pa.Table:
    return small.raw.filter(pa.array(small.rows["holdout"]))


def test_a_model_predicts_the_same_wherever_its_folder_lies(small: Small, tmp_path: Path) -> None:
    rows = holdout(small)

    here = Model.load(small.folder, digest=small.model.digest).predict(rows)
    there = Model.load(copied(small, tmp_path)).predict(rows, threads=2)

    assert np.array_equal(here, there) or np.allclose(here, there, rtol=1e-12, atol=0)
    assert here.shape == ((rows.num_rows, len(small.problem.classes)) if small.problem.classes else (rows.num_rows,))


def test_each_fold_predicts_what_the_study_saw_of_it(small: Small) -> None:
    train = apply_plan(PLAN, small.raw.filter(pa.array(small.rows["train"])))
    y, folds, _ = small.store.labels()
    card = ModelCard.read(small.folder)

    for member in card.members:
        out_of_fold = small.store.predicted(member["name"], small.study.folds)
        for k, relative in enumerate(member["folders"]):
            fold = FoldModel.load(small.folder / relative, member["family"])
            inside = folds == k
            predicted = fold.estimator.predict(fold.encoder.transform(train.filter(pa.array(inside))))
            predicted = smoothed(predicted, y[~inside], len(card.classes))
            assert np.allclose(predicted, out_of_fold[inside], rtol=1e-5, atol=1e-6)


def test_a_prediction_is_the_weighted_mean_of_the_members_mixed_with_the_prior_and_calibrated(small: Small) -> None:
    card, rows = ModelCard.read(small.folder), holdout(small)
    total: Any = 0
    for member in card.members:
        for relative in member["folders"]:
            fold = FoldModel.load(small.folder / relative, member["family"])
            predicted = fold.estimator.predict(fold.encoder.transform(apply_plan(PLAN, rows)))
            total = total + member["weight"] / len(member["folders"]) * predicted
    if card.classes:
        total = card.calibration.apply((1 - card.prior_share) * total + card.prior_share * np.array(card.prior))

    assert np.allclose(small.load().predict(rows), total)


def test_probabilities_sum_to_one_and_none_is_zero(multiclass: Small, binary: Small) -> None:
    for each in (multiclass, binary):
        predicted = each.load().predict(each.raw)
        assert np.allclose(predicted.sum(axis=1), 1.0)
        assert (predicted > 0).all()


def test_labels_are_the_most_probable_classes_and_numbers_stay(multiclass: Small, regression: Small) -> None:
    labels = multiclass.load().labels(np.array([[0.2, 0.5, 0.3], [0.6, 0.2, 0.2]]))
    assert labels.tolist() == ["low", "high"]

    values = np.array([1.5, -2.0])
    assert regression.load().labels(values) is values


def test_the_plan_is_part_of_the_model(small: Small) -> None:
    model, rows = small.load(), holdout(small)
    position = rows.column_names.index("city")
    stripped = rows.set_column(position, "city", apply_plan(PLAN, rows).column("city"))

    assert rows.column("city") != stripped.column("city")
    assert np.array_equal(model.predict(rows), model.predict(stripped))


def test_column_order_and_extra_columns_change_nothing(small: Small) -> None:
    model, rows = small.load(), holdout(small)
    shuffled = rows.select(["y", "city", "income", "age"]).append_column("noise", pa.nulls(rows.num_rows))

    assert np.array_equal(model.predict(rows), model.predict(shuffled))


def test_missing_and_extra_columns_are_told(small: Small) -> None:
    model = small.load()

    assert model.check_columns(["id", "y", "age", "noise"]) == Columns(missing=("income", "city"), extra=("noise",))
    assert model.check_columns(["city", "income", "age"]) == Columns(missing=(), extra=())


def test_a_missing_column_counts_as_missing_values(small: Small) -> None:
    model, rows = small.load(), holdout(small)
    position = rows.column_names.index("income")
    emptied = rows.set_column(position, "income", pa.nulls(rows.num_rows, pa.float64()))

    assert np.array_equal(model.predict(rows.drop_columns(["income"])), model.predict(emptied))


def test_categories_that_no_fold_had_are_counted(small: Small) -> None:
    model = small.load()
    rows = holdout(small).slice(0, 5)
    position = rows.column_names.index("city")
    cities = ["Bern", "Genf", None, " Chur ", "Genf"]

    assert model.unseen(model.clean(rows.set_column(position, "city", pa.array(cities)))) == {"city": 2}
    assert model.unseen(model.clean(rows)) == {}


def test_a_category_of_one_fold_alone_is_no_unseen_one(small: Small, tmp_path: Path) -> None:
    """The encoder of fold 0 has not seen it, the others have."""
    folder = copied(small, tmp_path)
    encoder = folder / ModelCard.read(folder).members[0]["folders"][0] / "encoder.json"
    document = json.loads(encoder.read_text())
    (city,) = [column for column in document["columns"] if column["name"] == "city"]
    assert "Chur" in city["categories"]
    city["categories"].remove("Chur")
    encoder.write_text(json.dumps(document))
    write_checksums(folder)
    model = Model.load(folder)

    assert model.unseen(model.clean(holdout(small))) == {}


def test_the_card_survives_json(small: Small) -> None:
    card = ModelCard.read(small.folder)

    assert ModelCard.from_json(json.loads(json.dumps(card.to_json()))) == card
    assert card.window == ("the training batch",)
    assert card.holdout == small.problem.holdout
    assert card.id_columns == ("id",)


# ---- safety ------------------------------------------------------------------------------------------------------


def every_file(folder: Path) -> dict[str, bytes]:
    """The bytes of each file, and of each file inside a zip archive or a compressed one."""
    found: dict[str, bytes] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        found[str(path.relative_to(folder))] = path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                found |= {f"{path.name}!{name}": archive.read(name) for name in archive.namelist()}
        if path.suffix == ".gz":
            found[f"{path.name}!"] = gzip.decompress(path.read_bytes())
    return found


def test_nothing_in_a_model_folder_is_a_pickle(small: Small) -> None:
    files = every_file(small.folder)

    assert {Path(name).suffix for name in files if "!" not in name} <= NATIVE
    assert [name for name, data in files.items() if PICKLE.match(data)] == []
    for name, data in files.items():
        if data.startswith(b"\x93NUMPY"):
            np.load(io.BytesIO(data), allow_pickle=False)  # an array of objects would raise
        elif name.endswith((".npy", ".npz")) and "!" in name:
            pytest.fail(f"{name} is no array")


def test_the_scan_would_find_a_pickle() -> None:
    import pickle

    assert all(PICKLE.match(pickle.dumps([1], protocol=protocol)) for protocol in (2, 3, 4, 5))


def spoil_byte(folder: Path) -> None:
    path = next(folder.rglob("encoder.json"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def remove_file(folder: Path) -> None:
    next(folder.rglob("encoder.json")).unlink()


def add_file(folder: Path) -> None:
    (folder / "members" / "extra.py").write_text("print('hello')")


def add_nested_checksums(folder: Path) -> None:
    (folder / "members" / CHECKSUMS_FILE).write_text("{}")


def edit_card(folder: Path) -> None:
    card = json.loads((folder / MODEL_FILE).read_text())
    (folder / MODEL_FILE).write_text(json.dumps({**card, "target": "another"}))


def garble_checksums(folder: Path) -> None:
    (folder / CHECKSUMS_FILE).write_bytes(b'{"model.json": "ab\xff')


def list_of_checksums(folder: Path) -> None:
    (folder / CHECKSUMS_FILE).write_text("[1, 2]")


def remove_checksums(folder: Path) -> None:
    (folder / CHECKSUMS_FILE).unlink()


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_byte, remove_file, add_file, add_nested_checksums, edit_card, garble_checksums, list_of_checksums,
        remove_checksums,
    ],
)  # fmt: skip
def test_a_changed_folder_is_refused(binary: Small, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    folder = copied(binary, tmp_path)
    Model.load(folder)
    spoil(folder)

    with pytest.raises(StorageError) as caught:
        Model.load(folder)
    assert caught.value.where == str(folder)


def test_checksums_that_were_rewritten_too_do_not_match_the_registrys_digest(binary: Small, tmp_path: Path) -> None:
    folder = copied(binary, tmp_path)
    edit_card(folder)
    forged = write_checksums(folder)
    verify(folder)

    assert forged != binary.model.digest
    with pytest.raises(StorageError, match=re.escape(f"not the ones that were registered: {CHECKSUMS_FILE}")):
        Model.load(folder, digest=binary.model.digest)


def test_a_missing_model_and_a_newer_format_are_refused(binary: Small, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="missing"):
        Model.load(tmp_path)
    with pytest.raises(StorageError, match="missing"):
        ModelCard.read(tmp_path)

    folder = copied(binary, tmp_path)
    card = json.loads((folder / MODEL_FILE).read_text())
    (folder / MODEL_FILE).write_text(json.dumps({**card, "format_version": 99}))
    write_checksums(folder)
    with pytest.raises(StorageError, match=r"format 99; this version reads 1.*Upgrade"):
        Model.load(folder)


class NotAnEstimator:
    """A type of nobody's model."""


def test_a_skops_file_with_another_type_is_refused(multiclass: Small, tmp_path: Path) -> None:
    folder = copied(multiclass, tmp_path)
    card = json.loads((folder / MODEL_FILE).read_text())
    card["members"][0]["family"] = "hist_gradient_boosting"
    (folder / MODEL_FILE).write_text(json.dumps(card))
    skops.io.dump({"estimator": NotAnEstimator()}, folder / card["members"][0]["folders"][0] / "model" / "model.skops")
    write_checksums(folder)

    with pytest.raises(StorageError, match=r"types that are not allowed: .*NotAnEstimator"):
        Model.load(folder)


def test_the_digest_is_of_every_file(binary: Small, tmp_path: Path) -> None:
    folder = copied(binary, tmp_path)

    assert write_checksums(folder) == binary.model.digest
    recorded = json.loads((folder / CHECKSUMS_FILE).read_text())
    assert set(recorded) == {
        p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != CHECKSUMS_FILE
    }


# ---- types -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("number", pa.array([1, 2]), [1.0, 2.0]),
        ("number", pa.array(["1.5", " 2 ", "x", "-.5e2", "nan", None]), [1.5, 2.0, None, -50.0, None, None]),
        ("number", pa.array([True, False]), [1.0, 0.0]),
        ("integer", pa.array([1.0, 2.5]), [1.0, 2.5]),
        ("integer", pa.array(["3", "3.5", ""]), [3.0, 3.5, None]),
        ("text", pa.array([1, None, 3]), ["1", None, "3"]),
        ("text", pa.array([1.0, 2.5]), ["1", "2.5"]),
        ("text", pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        ("text", pa.array(["a"], pa.large_string()), ["a"]),
        ("boolean", pa.array(["yes"]), [None]),
        ("datetime", pa.array(["soon"]), [None]),
    ],
)
def test_columns_take_their_recorded_type_and_what_does_not_fit_is_missing(
    kind: Any, given: pa.Array, expected: list[object]
) -> None:
    result = conform(pa.table({"c": given}), [Column(name="c", type=kind)])

    assert result.column("c").to_pylist() == expected


def test_only_the_models_columns_are_left_and_missing_ones_are_added() -> None:
    columns = [Column(name="b", type="integer"), Column(name="a", type="text")]

    result = conform(pa.table({"a": ["x"], "noise": [1.0]}), columns)

    assert result.to_pydict() == {"b": [None], "a": ["x"]}


def test_a_model_without_a_stored_prior_mixes_nothing_in() -> None:
    card = ModelCard(
        pipeline="p", kind="binary", metric="log_loss", target="y", classes=("a", "b"), roles={}, columns=(),
        plan=CleaningPlan(), holdout=HoldoutRule(kind="hash", columns=(), salt="", share=0.2, target="y"), window=(),
        members=({"name": "constant-0", "family": "constant", "weight": 1.0, "folders": []},),
        calibration=Calibration(), residual_quantile=None,
    )  # fmt: skip

    class Constant:
        def transform(self, rows: Rows) -> np.ndarray:
            return np.empty((len(rows), 0))

        def predict(self, X: np.ndarray, *, threads: int = 1) -> np.ndarray:
            return np.tile([1.0, 0.0], (len(X), 1))

    fold: Any = FoldModel(Constant(), Constant())  # type: ignore[arg-type]
    table = pa.table({"x": [1.0, 2.0]})

    assert Model(card, [(1.0, [fold])]).predict_clean(table).tolist() == [[1.0, 0.0], [1.0, 0.0]]
    mixed = replace(card, prior=(0.5, 0.5), prior_share=0.1)
    assert Model(mixed, [(1.0, [fold])]).predict_clean(table)[0].tolist() == pytest.approx([0.95, 0.05])
