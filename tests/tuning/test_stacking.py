"""The stack layer: when it is tried, what its guard measures, and that it is dropped when it does not hold."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from automl_assets.core.values import Study
from automl_assets.learn.families import Shape
from automl_assets.learn.families.stack import INPUTS, with_predictions
from automl_assets.learn.runner import Runner
from automl_assets.learn.score import METRICS
from automl_assets.tuning.budget import Clock
from automl_assets.tuning.search import Search
from automl_assets.tuning.search_settings import SearchSettings
from automl_assets.tuning.stacking import STACK, guard, held_out_scores, verdict
from automl_assets.tuning.strategy import LEAST_STACKED_ROWS, next_move
from automl_assets.tuning.trial_store import GUARD_FILE, TrialStore
from tests.tuning.test_strategy import ALL, Priced, done, situation, told

ROWS, FOLDS = 900, 3
RMSE = METRICS["rmse"]
WHOLE = tuple(done(c.family, *[c.results[0].score or 0.0] * 5, state="complete") for c in ALL)
WEIGHTS = {"lightgbm-0": 0.5, "linear-0": 0.1, "extra_trees-0": 0.4}


def test_predictions_are_the_last_columns_one_of_two_classes_and_all_of_several() -> None:
    matrix = np.array([[1.0, 2.0]], dtype=np.float32)
    binary, several, numbers = np.array([[0.25, 0.75]]), np.array([[0.5, 0.25, 0.25]]), np.array([3.0])

    found = with_predictions(matrix, [binary, several, numbers])

    assert found.tolist() == [[1.0, 2.0, 0.75, 0.5, 0.25, 0.25, 3.0]]
    assert found.dtype == np.float32


def test_a_layer_over_the_heaviest_members_comes_before_other_configurations() -> None:
    move = next_move(situation(*WHOLE, weights=WEIGHTS, may_stack=True))

    assert told(move) == ("new stack", (0,))
    assert move is not None
    assert move.params is not None
    assert move.params[INPUTS] == ["lightgbm-0", "extra_trees-0", "linear-0"]


@pytest.mark.parametrize(
    ("weights", "price", "may_stack"),
    [(WEIGHTS, 1.0, False), ({"lightgbm-0": 1.0}, 1.0, True), (WEIGHTS, 30.0, True)],
    ids=["not wanted", "one member", "no time for it and its guard"],
)
def test_otherwise_there_is_none(weights: dict[str, float], price: float, may_stack: bool) -> None:
    now = situation(*WHOLE, weights=weights, may_stack=may_stack, costs=Priced(stack=price))

    assert told(next_move(now)) != ("new stack", (0,))


def a_layer(folds: int = 5) -> object:
    layer = done("lightgbm", *[0.82] * folds, state="complete" if folds == 5 else "open")
    layer.family, layer.params = STACK, {INPUTS: ["lightgbm-0", "linear-0"]}
    return layer


def test_a_layer_with_all_its_folds_is_guarded_once() -> None:
    layer = a_layer()
    now = situation(*WHOLE, layer, weights=WEIGHTS, may_stack=True)  # type: ignore[arg-type]
    move = next_move(now)

    assert move is not None
    assert (move.guards, move.folds, move.candidate) == (True, (), layer)
    layer.held = True  # type: ignore[attr-defined]
    following = next_move(now)
    assert following is None or not following.guards


def test_a_guard_that_would_not_end_is_not_begun() -> None:
    now = situation(*WHOLE, a_layer(), weights=WEIGHTS, may_stack=True, left=11.0)  # type: ignore[arg-type]

    move = next_move(now)

    assert move is None or not move.guards


@pytest.fixture
def store(tmp_path: Path) -> TrialStore:
    """Numbers that a line explains, but for a step that it can't."""
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, ROWS))
    y = a + 2.0 * (b > 0) + 0.3 * generator.normal(size=ROWS)
    store = TrialStore(tmp_path / "study")
    settings = {"metric": "rmse", "roles": {"a": "numeric", "b": "numeric"}, "classes": []}
    folds = (generator.permutation(ROWS) % FOLDS).astype(np.int8)
    store.prepare(pa.table({"a": a, "b": b}), y=y, folds=folds, weight=None, settings=settings)
    return store


def test_the_guard_judges_rows_that_nothing_had_seen(store: TrialStore) -> None:
    out = store.trials_folder / "stack-0"
    out.mkdir(parents=True)
    bases = [
        {"family": "linear", "params": {"strength": 1e-3}, "recipe": None, "trees": None},
        {"family": "linear", "params": {"strength": 1e3}, "recipe": {"pairs": 1}, "trees": None},
    ]
    layer = {"learning_rate": 0.1, "num_leaves": 8, INPUTS: ["linear-0", "linear-1"]}

    assert guard(str(store.folder), str(out), params=layer, bases=bases, folds=FOLDS, seed=0, threads=1, seconds=30.0)

    with np.load(out / GUARD_FILE) as file:
        held, inside, outside = file["held"], file["inside"], file["outside"]
    y, _, _ = store.labels()
    assert len(held) == ROWS / 9
    assert (inside[:, held] == 0).all()
    assert outside.shape == (3, len(held))
    with_it, without = held_out_scores(out, RMSE, y)
    assert with_it < without
    assert without == pytest.approx(RMSE(y[held], outside[0]), rel=0.05)
    assert verdict(store, RMSE, "stack-0") == (
        True, f"on rows held out {with_it:.6g} with it, {without:.6g} without",
    )  # fmt: skip
    assert verdict(store, RMSE, "stack-1") == (False, "")


def searched(store: TrialStore, runner: Runner, trials: int) -> Study:
    settings = SearchSettings(("linear", "neighbours"), FOLDS, 0, 2, 1, 4_000.0, max_trials=trials, stack=True)
    clock = Clock(60.0, store.clock_file)
    return Search(store, runner, clock, settings, shape=Shape(ROWS, 2, 0)).run()


def test_a_search_ends_with_a_layer_that_holds_or_without_one(store: TrialStore, runner: Runner) -> None:
    assert ROWS >= LEAST_STACKED_ROWS
    study = searched(store, runner, 6)

    (layer,) = [trial for trial in study.trials if trial.family == STACK]
    assert set(layer.params[INPUTS]) <= {"linear-0", "linear-1", "neighbours-0", "neighbours-1"}
    assert "on rows held out" in layer.reason
    assert layer.state == "complete"
    assert store.has_models("stack-0", FOLDS)
    bases = [t for t in study.trials if t.id in layer.params[INPUTS]]
    assert layer.score is not None
    assert layer.score < min(t.score or 9.0 for t in bases)


def test_a_layer_that_loses_on_the_rows_held_out_is_dropped(
    store: TrialStore, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl_assets.tuning.stacking.held_out_scores", lambda *_: (2.0, 1.0))
    study = searched(store, runner, 6)

    (layer,) = [trial for trial in study.trials if trial.family == STACK]
    assert (layer.state, layer.reason) == ("failed", "on rows held out 2 with it, 1 without")
    assert not store.models("stack-0", FOLDS)
