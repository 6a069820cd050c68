import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from automl_assets.learn.features import Encoder, Recipe
from automl_assets.tuning.fold_fit import class_prior, fit_folds, smoothed, trusted_of
from automl_assets.tuning.trial_store import TrialStore


def test_probabilities_are_mixed_with_one_row_of_the_prior() -> None:
    y = np.array([0, 0, 0, 1])
    certain = np.array([[1.0, 0.0]])

    prior, share = class_prior(y, 2)

    assert prior.tolist() == pytest.approx([4 / 6, 2 / 6])
    assert share == 1 / 5
    assert smoothed(certain, y, 2)[0].tolist() == pytest.approx([0.8 + 0.2 * 4 / 6, 0.2 * 2 / 6])


def test_numbers_are_not_smoothed() -> None:
    values = np.array([1.0, -2.0])

    assert smoothed(values, np.array([0.5]), 0) is values


@settings(max_examples=50, deadline=None)
@given(
    y=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    chosen=st.lists(st.integers(0, 3), min_size=1, max_size=10),
)
def test_no_probability_is_zero_and_each_row_sums_to_one(y: list[int], chosen: list[int]) -> None:
    result = smoothed(np.eye(4)[chosen], np.array(y), 4)

    assert (result > 0).all()
    assert np.allclose(result.sum(axis=1), 1.0)


def test_a_fold_is_fitted_without_the_rows_that_it_judges(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=60)
    folds = (np.arange(60) % 3).astype(np.int8)
    x[folds == 1] += 100.0
    store = TrialStore(tmp_path / "study")
    settings = {"metric": "rmse", "roles": {"x": "numeric"}, "classes": []}
    store.prepare(pa.table({"x": x}), y=2 * x, folds=folds, weight=None, settings=settings)
    trial = store.trials_folder / "linear-0"

    (meta,) = fit_folds(
        str(store.folder), str(trial), family="linear", params={"strength": 1e-6}, folds=[1], seed=0, threads=1,
        seconds=30.0, device="cpu",
    )  # fmt: skip

    out = trial / "fold_1"
    encoder = Encoder.from_json(json.loads((out / "encoder.json").read_text()))
    centre = encoder.columns[0].to_json()["scale"]["centre"]
    assert centre == pytest.approx(x[folds != 1].mean())
    assert meta["rows"] == 20
    assert meta["device"] == "cpu"
    assert json.loads((out / "fold.json").read_text()) == meta
    assert store.result("linear-0", 1).score == meta["score"]  # type: ignore[union-attr]
    assert len(np.load(out / "predicted.npy", allow_pickle=False)) == 20


@pytest.fixture
def mixed(tmp_path: Path) -> TrialStore:
    """A study whose target is a product of two numbers, with a study's recipe of its own."""
    generator = np.random.default_rng(1)
    a, b = generator.normal(size=(2, 300))
    store = TrialStore(tmp_path / "study")
    settings = {"metric": "rmse", "roles": {"a": "numeric", "b": "numeric"}, "classes": []}
    folds = (np.arange(300) % 3).astype(np.int8)
    recipe = Recipe(scaler="robust").model_dump(mode="json")
    store.prepare(
        pa.table({"a": a, "b": b}), y=a * b, folds=folds, weight=None, settings={**settings, "recipe": recipe}
    )
    return store


def linear_fit(store: TrialStore, trial: str, **options: Any) -> tuple[float, Encoder]:
    """The score of a linear model on the first fold, and its encoder."""
    (meta,) = fit_folds(
        str(store.folder), str(store.trials_folder / trial), family="linear", params={"strength": 1e-6}, folds=[0],
        seed=0, threads=1, seconds=30.0, device="cpu", **options,
    )  # fmt: skip
    document = json.loads((store.fold_folder(trial, 0) / "encoder.json").read_text())
    return meta["score"], Encoder.from_json(document)


def test_a_candidates_own_recipe_stands_beside_the_studys_and_what_each_encodes_is_kept_apart(
    mixed: TrialStore,
) -> None:
    plain_score, plain = linear_fit(mixed, "linear-0")
    paired_score, paired = linear_fit(mixed, "linear-1", recipe={"pairs": 1})
    again_score, again = linear_fit(mixed, "linear-2")

    assert plain.feature_names == ["a", "b"]
    assert paired.feature_names == ["a", "b", "b · a"]
    assert {column.scale.kind for column in paired.columns if column.scale} == {"robust"}
    assert paired_score < 0.1 < 0.9 < plain_score
    assert (again_score, again) == (plain_score, plain)
    assert len(list((mixed.folder / "encoded").iterdir())) == 2


def test_a_field_that_no_recipe_has_is_refused(mixed: TrialStore) -> None:
    with pytest.raises(ValidationError, match="pair"):
        linear_fit(mixed, "linear-0", recipe={"pair": 1})


def test_the_code_that_may_be_imported_is_what_the_recipe_names() -> None:
    assert trusted_of({"recipe": Recipe(custom=("a.b:C",)).model_dump(mode="json")}) == ("a.b:C",)
    assert trusted_of({}) == ()
