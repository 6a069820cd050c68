import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from automl_assets.core.tables import columns_of
from automl_assets.core.values import CleaningPlan, HoldoutRule, Problem, Role
from automl_assets.learn.runner import Runner
from automl_assets.serving.predict import Scorer
from automl_assets.training.intervals import (
    LEAST_ROWS,
    IntervalModel,
    conformal_quantile,
    fit_intervals,
    interval_scores,
)
from automl_assets.training.model import Model
from automl_assets.training.train import ModelFacts, train_model
from automl_assets.tuning.config import TuningConfig
from automl_assets.tuning.study import run_study
from automl_assets.tuning.trial_store import TrialStore

ROLES: dict[str, Role] = {"x": "numeric", "kind": "categorical", "y": "target"}
FEATURES = {"x": "numeric", "kind": "categorical"}


def noisy(rows: int, seed: int, *, loud: float) -> pa.Table:
    """y follows x with an error of 0.2, and of `loud` where the kind says so."""
    generator = np.random.default_rng(seed)
    x, kind = generator.normal(0, 1, rows), generator.choice(["quiet", "loud"], rows)
    noise = np.where(kind == "loud", loud, 0.2) * generator.normal(0, 1, rows)
    return pa.table({"x": x, "kind": kind, "y": x + noise})


@pytest.fixture(scope="module")
def uneven(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A linear model of rows of which half are ten times as noisy."""
    return trained(noisy(1500, 0, loud=2.0), runner, tmp_path_factory.mktemp("uneven"))


def trained(rows: pa.Table, runner: Runner, root: Path) -> Model:
    rule = HoldoutRule(kind="hash", columns=("x",), salt="s", share=0.2, target="y")
    problem = Problem(
        kind="regression", metric="rmse", target="y", roles=ROLES, holdout=rule,
        train_rows=rows.num_rows, holdout_rows=0,
    )  # fmt: skip
    study = run_study(
        root / "study", ds.dataset(rows), problem,
        TuningConfig(time_budget_seconds=60, max_trials=1, families=["linear"]), runner,
        roles=FEATURES, seed=0, cores=2, memory_mb=2000.0,
    )  # fmt: skip
    facts = ModelFacts(
        pipeline="noisy", kind="regression", target="y", classes=(), roles=FEATURES,
        columns=columns_of(rows.select(["x", "kind"]).schema), plan=CleaningPlan(), holdout=rule, window=("w",),
    )  # fmt: skip
    found = train_model(
        TrialStore(root / "study"), study, facts, runner, root=root / "models", folder="m", seconds=5.0,
        memory_mb=2000.0,
    )  # fmt: skip
    return Model.load(root / "models" / found.path, digest=found.digest)


def test_noisy_rows_get_wide_intervals_and_quiet_ones_narrow_ones(uneven: Model) -> None:
    new = noisy(4000, 1, loud=2.0)
    y, loud = np.asarray(new.column("y")), np.array(new.column("kind").to_pylist()) == "loud"

    lower, upper = uneven.interval(new)

    inside, width = (lower <= y) & (y <= upper), upper - lower
    assert 0.87 <= inside.mean() <= 0.93
    assert 0.84 <= inside[loud].mean() <= 0.96
    assert 0.84 <= inside[~loud].mean() <= 0.96
    assert width[loud].mean() > 5 * width[~loud].mean()
    constant = np.abs(y - uneven.predict(new)) <= uneven.card.residual_quantile
    assert constant[~loud].mean() > 0.98  # one width for all is wasted on quiet rows,
    assert constant[loud].mean() < 0.84  # and lacking where it is needed


def test_the_served_ends_are_the_models(uneven: Model) -> None:
    new = noisy(50, 2, loud=2.0)
    lower, upper = uneven.interval(new)
    scorer = Scorer(uneven, "noisy", "1", "b")

    batch = scorer._score_piece(new.to_batches()[0], scorer.schema(new.schema))

    assert np.allclose(np.asarray(batch.column("lower")), lower)
    assert np.allclose(np.asarray(batch.column("upper")), upper)


def test_even_noise_keeps_one_width_for_all(runner: Runner, tmp_path: Path) -> None:
    model = trained(noisy(1500, 0, loud=0.2), runner, tmp_path)

    lower, upper = model.interval(noisy(10, 1, loud=0.2))

    assert upper - lower == pytest.approx(2 * (model.card.residual_quantile or 0.0))


def test_no_rows_have_no_widths(uneven: Model) -> None:
    lower, upper = uneven.interval(noisy(0, 0, loud=2.0))

    assert len(lower) == len(upper) == 0


def test_few_rows_keep_one_width_for_all(runner: Runner, tmp_path: Path) -> None:
    model = trained(noisy(LEAST_ROWS - 1, 0, loud=2.0), runner, tmp_path)

    assert model._interval_model is None


def test_the_same_rows_give_the_same_files(uneven: Model, tmp_path: Path) -> None:
    study = Path(str(uneven._folder)).parents[2] / "study"
    rows = np.arange(1500)
    errors = np.random.default_rng(0).exponential(1 + 4 * (rows % 2))
    np.savez(tmp_path / "arrays.npz", errors=errors, predicted=np.zeros(1500) + rows % 2, rows=rows)

    told = [fit_intervals(str(study), str(tmp_path / "arrays.npz"), str(tmp_path / out), threads=1) for out in "ab"]

    assert told[0] == told[1]
    assert told[0]["kept"]
    assert told[0]["adaptive"] < told[0]["constant"]
    for file in ("encoder.json", "intervals.json", "model/model.txt.gz"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
    assert json.loads((tmp_path / "a" / "intervals.json").read_text())["rows"] == 1500


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([3.0, 1.0, 2.0], 3.0), (list(range(1, 10)), 9), (list(range(1, 20)), 18), (list(range(1, 100)), 90)],
)
def test_the_conformal_quantile_by_hand(scores: list[float], expected: float) -> None:
    assert conformal_quantile(np.array(scores, dtype=float)) == expected


def test_the_interval_score_by_hand() -> None:
    assert interval_scores(np.array([0.5, 1.0, 3.0]), 1.0).tolist() == pytest.approx([2.0, 2.0, 42.0])


def test_a_folder_without_one_has_none(tmp_path: Path) -> None:
    assert IntervalModel.load(tmp_path) is None
