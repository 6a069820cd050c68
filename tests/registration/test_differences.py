"""The first difference, in one sentence with both values."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from automl_assets.core.values import Study, Trial
from automl_assets.registration.differences import Difference, of_models, of_predictions, of_studies, ordinal
from automl_assets.training.model import MODEL_FILE, Model, write_checksums
from tests.training.small_models import Small


@pytest.mark.parametrize(
    ("recorded", "made", "told"),
    [
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}, None),
        (float("nan"), float("nan"), None),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, "It, at a.2.b, differs: recorded 2, made anew 3."),
        ({"a": 1}, {}, "It, at a, differs: recorded 1, made anew nothing."),
        ([1, 2], [1, 2, "x"], "It, at 3, differs: recorded nothing, made anew x."),
        ("x", "y", "It differs: recorded x, made anew y."),
        (0.1 + 0.2, 0.3, "It differs: recorded 0.30000000000000004, made anew 0.3."),
        ({"a": None}, {"a": [1]}, "It, at a, differs: recorded null, made anew [1]."),
    ],
)
def test_the_first_part_that_differs_is_told(recorded: Any, made: Any, told: str | None) -> None:
    found = Difference.between("It", recorded, made)
    assert (found.told() if found else None) == told


def test_positions_are_words() -> None:
    assert [ordinal(i) for i in (0, 2, 9, 10, 11, 20, 21, 22, 111)] == [
        "first", "third", "tenth", "11th", "12th", "21st", "22nd", "23rd", "112th",
    ]  # fmt: skip


def study(*trials: Trial, **given: Any) -> Study:
    told = {"key": "k", "metric": "rmse", "folds": 5, "complete": True, "stopped_because": "time"}
    return Study(trials=trials, seconds=3.0, **{**told, **given})


def trial(number: int, **given: Any) -> Trial:
    told = {"family": "lightgbm", "params": {"num_leaves": 31}, "state": "complete", "score": 0.5, "folds": 5}
    return Trial(id=f"lightgbm-{number}", fit_seconds=1.0, **{**told, "memory_mb": 9.0, **given})


@pytest.mark.parametrize(
    ("recorded", "made", "told"),
    [
        (study(trial(0)), study(trial(0, memory_mb=50.0, reason="slow"), key="other"), None),
        (
            study(trial(0), trial(1), trial(2)),
            study(trial(0), trial(1), trial(2, params={"num_leaves": 63})),
            'The third configuration differs: recorded lightgbm-2 {"num_leaves": 31}, '
            'made anew lightgbm-2 {"num_leaves": 63}.',
        ),
        (
            study(trial(0), trial(1)),
            study(trial(0, score=0.25, folds=3), trial(1, score=0.1)),
            'The first configuration differs: recorded lightgbm-0 {"folds": 5, "score": 0.5}, '
            'made anew lightgbm-0 {"folds": 3, "score": 0.25}.',
        ),
        (
            study(trial(0)),
            study(trial(0), trial(1)),
            'The second configuration differs: recorded nothing, made anew lightgbm-1 {"num_leaves": 31}.',
        ),
        (
            study(trial(0)),
            study(trial(0), stopped_because="interrupted"),
            "Why the search ended differs: recorded time, made anew interrupted.",
        ),
        (
            study(trial(0)),
            study(trial(0), folds=3),
            "The number of folds that are compared differs: recorded 5, made anew 3.",
        ),
    ],
)
def test_searches_differ_by_what_they_tried_and_not_by_what_it_took(
    recorded: Study, made: Study, told: str | None
) -> None:
    found = of_studies(recorded, made)
    assert (found.told() if found else None) == told


def changed(model: Path, folder: Path, change: dict[str, Any] | None = None, weight: float | None = None) -> Path:
    """A copy of a model's folder with something changed in its card, checksums and all."""
    shutil.copytree(model, folder)
    card = json.loads((folder / MODEL_FILE).read_text()) | (change or {})
    if weight is not None:
        card["members"][0]["weight"] = weight
    (folder / MODEL_FILE).write_text(json.dumps(card, indent=1))
    write_checksums(folder)
    return folder


def test_models_differ_by_their_weights_their_cards_and_their_files(binary: Small, tmp_path: Path) -> None:
    first = json.loads((binary.folder / MODEL_FILE).read_text())["members"][0]
    same, card = (
        changed(binary.folder, tmp_path / "same"),
        changed(binary.folder, tmp_path / "card", {"prior_share": 0.125}),
    )
    weight, file = changed(binary.folder, tmp_path / "weight", weight=0.125), changed(binary.folder, tmp_path / "file")
    encoder = next(iter(sorted(file.glob("members/*/*/encoder.json"))))
    encoder.write_text(encoder.read_text() + " ")

    assert of_models(binary.folder, same) is None
    told = of_models(binary.folder, weight)
    assert told == Difference(f"The weight of {first['name']}", str(first["weight"]), "0.125")
    told = of_models(binary.folder, card)
    assert told is not None
    assert (told.what, told.made) == ("The model's model.json, at prior_share,", "0.125")
    told = of_models(binary.folder, file)
    assert told is not None
    assert told.what == f"The SHA-256 of the model's {encoder.relative_to(file)}"


def test_predictions_are_compared_byte_for_byte(binary: Small, tmp_path: Path) -> None:
    model = binary.load()
    other = Model.load(changed(binary.folder, tmp_path / "other", {"prior_share": 0.125}))
    clean = model.clean(binary.raw)
    rows = ds.dataset(pa.concat_tables([clean, clean]))

    assert of_predictions(model, model, rows) is None
    found = of_predictions(model, other, rows)
    assert found is not None
    assert found.what == "The prediction of clean row 1"
    assert found.recorded == repr(model.predict_clean(clean)[0].tolist())
    assert np.isfinite(json.loads(found.made)).all()
