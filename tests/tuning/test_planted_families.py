"""A family that sleeps for ever and one that allocates without end: both killed, both recorded, the rest goes on."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from automl_assets.core.values import CleaningPlan, Column, HoldoutRule, Problem, Study, TrainedModel
from automl_assets.learn.runner import Runner
from automl_assets.training.model import Model
from automl_assets.training.train import ModelFacts, train_model
from automl_assets.tuning.config import TuningConfig
from automl_assets.tuning.study import run_study
from automl_assets.tuning.trial_store import TrialStore
from tests.conftest import ROOT
from tests.tuning.plant import planted

BUDGET_SECONDS = 7.0
OVERRUN_SECONDS = 3.0
MEMORY_MB = 800.0
ROLES = {"a": "numeric", "b": "numeric"}
RULE = HoldoutRule(kind="hash", columns=(), salt="", share=0.2, target="y")


@dataclass(frozen=True)
class Observed:
    """A whole training with the planted families: what came of it, and how long it took."""

    study: Study
    model: TrainedModel
    store: TrialStore
    root: Path
    seconds: float
    children_left: int


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Observed:
    root = tmp_path_factory.mktemp("planted")
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 200))
    table = pa.table({"a": a, "b": b, "y": a - b + 0.1 * generator.normal(size=200)})
    problem = Problem(
        kind="regression", metric="rmse", target="y", roles={"a": "numeric", "b": "numeric", "y": "target"},
        holdout=RULE, train_rows=200, holdout_rows=0,
    )  # fmt: skip
    columns = (Column(name="a", type="number"), Column(name="b", type="number"))
    facts = ModelFacts("planted", "regression", "y", (), ROLES, columns, CleaningPlan(), RULE, ())
    store = TrialStore(root / "study")
    packages = ("sklearn.linear_model", "tests.tuning.plant_for_good")
    with pytest.MonkeyPatch.context() as patch, planted():
        patch.setenv("PYTHONPATH", str(ROOT))
        config = TuningConfig(time_budget_seconds=BUDGET_SECONDS, families=["linear", "sleeper", "glutton"])
        with Runner(packages=packages) as runner:
            runner.run("os:getpid", {}, deadline_seconds=60, memory_mb=500)  # its imports are no part of the budget
            begun = time.monotonic()
            study = run_study(
                store.folder, ds.dataset(table), problem, config, runner,
                roles=ROLES, seed=0, cores=2, memory_mb=MEMORY_MB,
            )  # fmt: skip
            model = train_model(
                store, study, facts, runner, root=root / "models", folder="m",
                seconds=BUDGET_SECONDS - study.seconds, memory_mb=MEMORY_MB,
            )  # fmt: skip
            seconds = time.monotonic() - begun
            left = len(psutil.Process(runner.pid).children())
    return Observed(study, model, store, root, seconds, left)


def test_the_budget_holds(observed: Observed) -> None:
    assert observed.seconds <= BUDGET_SECONDS + OVERRUN_SECONDS
    assert observed.study.stopped_because in ("time", "more would not pay")


@pytest.mark.parametrize(
    ("family", "kind", "told"), [("sleeper", "timeout", "its deadline"), ("glutton", "memory", "MiB; it may have 400")]
)
def test_both_are_killed_once_and_recorded(observed: Observed, family: str, kind: str, told: str) -> None:
    (trial,) = [trial for trial in observed.study.trials if trial.family == family]
    (fit,) = [fit for fit in observed.store.fits() if fit["trial"] == trial.id]

    assert (trial.state, trial.folds) == ("failed", 0)
    assert told in trial.reason
    assert fit["kind"] == kind


def test_the_glutton_got_little_more_than_it_may_have(observed: Observed) -> None:
    (trial,) = [trial for trial in observed.study.trials if trial.family == "glutton"]

    assert MEMORY_MB / 2 < trial.memory_mb < MEMORY_MB


def test_the_rest_goes_on_and_a_model_comes_of_it(observed: Observed) -> None:
    complete = [trial for trial in observed.study.trials if trial.state == "complete"]

    assert {trial.family for trial in complete} == {"linear"}
    fits = [fit["trial"].partition("-")[0] for fit in observed.store.fits()]
    assert "linear" in fits[fits.index("glutton") + 1 :]
    model = Model.load(observed.root / "models" / observed.model.path)
    assert model.predict(pa.table({"a": [1.0], "b": [-1.0]}))[0] == pytest.approx(2.0, abs=0.1)


def test_no_process_is_left_behind(observed: Observed) -> None:
    assert observed.children_left == 0
