import json
from pathlib import Path

import numpy as np
import pytest

from automl_assets.core.values import Study, Trial
from automl_assets.learn.families import registry
from automl_assets.learn.runner import Runner
from automl_assets.learn.score import metric_named
from automl_assets.training.measure import measure_latency
from automl_assets.training.model import Model, ModelCard
from automl_assets.training.train import ModelFacts, train_model
from automl_assets.tuning.trial_store import TrialStore
from tests.training.small_models import MEMORY_MB, Small


def again(small: Small, runner: Runner, root: Path, study: Study | None = None):  # type: ignore[no-untyped-def]
    card = ModelCard.read(small.folder)
    facts = ModelFacts(
        card.pipeline, card.kind, card.target, card.classes, card.roles, card.columns, card.plan, card.holdout,
        card.window, card.id_columns, card.reference,
    )  # fmt: skip
    return train_model(
        small.store, study or small.study, facts, runner, root=root, folder="again", seconds=5.0, memory_mb=MEMORY_MB,
        deterministic=True,
    )  # fmt: skip


def test_weights_sum_to_one(small: Small) -> None:
    assert sum(member.weight for member in small.model.members) == pytest.approx(1.0, abs=1e-12)
    assert sum(member["weight"] for member in ModelCard.read(small.folder).members) == pytest.approx(1.0, abs=1e-12)


def blended(small: Small) -> np.ndarray:
    """What the model's weights make of its members' out-of-fold predictions."""
    return np.sum(
        [m["weight"] * small.store.predicted(m["name"], small.study.folds).astype(float) for m in
         ModelCard.read(small.folder).members], axis=0,
    )  # fmt: skip


def test_the_ensemble_is_hardly_worse_than_its_best_member_although_it_is_judged_without_hindsight(
    small: Small,
) -> None:
    metric = metric_named(small.model.metric)
    singles = [member for member in small.model.leaderboard if member.name != "ensemble"]
    best = min(metric.loss(member.score) for member in singles)

    assert metric.loss(small.model.score) <= best + 0.03 * abs(best)
    losses = [metric.loss(member.score) for member in small.model.leaderboard]
    assert losses == sorted(losses)
    assert {member.name for member in singles} == {trial.id for trial in small.study.trials}


def test_the_ensembles_score_is_not_the_one_that_its_weights_were_chosen_by(small: Small) -> None:
    metric = metric_named(small.model.metric)
    y, _, _ = small.store.labels()

    in_hindsight = metric.loss(metric(y, blended(small)))
    assert metric.loss(small.model.score) == pytest.approx(in_hindsight, rel=0.05)
    assert (small.model.score != metric(y, blended(small))) == (len(small.model.members) > 1)


def test_a_members_score_is_over_the_rows_of_all_folds_together(small: Small) -> None:
    y, folds, _ = small.store.labels()
    metric = metric_named(small.model.metric)

    for member in small.model.members:
        expected = metric(y[folds >= 0], small.store.predicted(member.name, small.study.folds).astype(float))
        assert member.score == pytest.approx(expected)


def test_the_leaderboard_tells_what_a_row_costs(small: Small) -> None:
    by_name = {member.name: member for member in small.model.leaderboard}
    members = [by_name[member.name] for member in small.model.members]

    for member in by_name.values():
        assert member.row_ms > 0
        assert member.rows_per_second > 0
        assert member.fit_seconds > 0
        assert member.size_mb >= 0
    ensemble = by_name["ensemble"]
    apart = sum(member.row_ms for member in members)
    views = {registry.get(member.family).view for member in members}
    assert ensemble.row_ms == pytest.approx(apart, abs=0.01) if len(views) == len(members) else ensemble.row_ms < apart
    assert 1 / ensemble.rows_per_second == pytest.approx(sum(1 / m.rows_per_second for m in members), rel=0.01)
    assert ensemble.size_mb == pytest.approx(small.model.size_mb)


def test_the_same_study_gives_the_same_bytes(small: Small, runner: Runner, tmp_path: Path) -> None:
    model = again(small, runner, tmp_path)

    assert model.digest == small.model.digest
    assert Path(model.path).name == Path(small.model.path).name
    assert again(small, runner, tmp_path).path == model.path


def test_ninety_percent_of_out_of_fold_residuals_lie_within_the_interval(regression: Small) -> None:
    y, _, _ = regression.store.labels()
    card = ModelCard.read(regression.folder)

    assert card.residual_quantile is not None
    inside = np.abs(y - blended(regression)) <= card.residual_quantile + 1e-12
    assert inside.sum() == pytest.approx(0.9 * (len(y) + 1), abs=3)


def test_classes_have_no_interval(binary: Small) -> None:
    assert ModelCard.read(binary.folder).residual_quantile is None


def test_a_configuration_without_all_folds_or_models_is_left_out(
    regression: Small, runner: Runner, tmp_path: Path
) -> None:
    late = Trial(
        id="xgboost-0", family="xgboost", params={}, state="partial", score=0.0, folds=2, fit_seconds=1, memory_mb=1
    )
    gone = late.model_copy(update={"id": "xgboost-1", "folds": 5, "state": "complete"})
    study = regression.study.model_copy(update={"trials": (late, gone, *regression.study.trials)})

    model = again(regression, runner, tmp_path, study)

    assert {member.family for member in model.members} <= {"linear", "lightgbm"}


def test_latency_is_measured_for_each_model_while_time_lasts(regression: Small) -> None:
    folders = [str(regression.store.fold_folder("linear-0", k)) for k in range(3)]

    measured = measure_latency(str(regression.store.folder), folders, ["linear"] * 3, 30.0)

    assert len(measured) == 3
    for encode_ms, estimator_ms, rows_per_second in measured:
        assert 0 < encode_ms < 1000
        assert 0 < estimator_ms < 1000
        assert rows_per_second > 1000
    assert measure_latency(str(regression.store.folder), folders, ["linear"] * 3, -1.0) == []


def test_a_study_folder_needs_no_pickle_either(small: Small) -> None:
    store: TrialStore = small.store
    for path in store.folder.rglob("*.np[yz]"):
        np.load(path, allow_pickle=False)
    assert json.loads((store.folder / "settings.json").read_text())["metric"] == small.model.metric


def test_the_registrys_digest_is_the_loaded_models(small: Small) -> None:
    assert Model.load(small.folder, digest=small.model.digest).card.target == "y"
