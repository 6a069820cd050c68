from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pytest

from automl_assets.cleaning.apply import apply_plan
from automl_assets.core.tables import columns_of, read_arrow
from automl_assets.learn.runner import Runner
from automl_assets.training.explain import explain_rows
from automl_assets.training.model import Model
from automl_assets.training.train import ModelFacts, train_model
from automl_assets.tuning.config import TuningConfig
from automl_assets.tuning.fold_fit import unweighted
from automl_assets.tuning.study import run_study
from automl_assets.tuning.trial_store import TrialStore
from tests.training.small_models import FEATURES, MEMORY_MB, PLAN, problem_of, raw_table

WEIGHTS = (1.0, 8.0)


@pytest.fixture(scope="module")
def weighted(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, TrialStore]:
    """A linear model whose fits counted each positive row eight times."""
    root, raw = tmp_path_factory.mktemp("weighted"), raw_table("binary", rows=600)
    problem = problem_of("binary").model_copy(update={"class_weights": WEIGHTS})
    roles = problem.feature_roles()
    study = run_study(
        root / "study", ds.dataset(apply_plan(PLAN, raw)), problem,
        TuningConfig(time_budget_seconds=60, max_trials=1, families=["linear"]), runner,
        roles=roles, seed=0, cores=2, memory_mb=MEMORY_MB,
    )  # fmt: skip
    facts = ModelFacts(
        "small", "binary", "y", problem.classes, roles, columns_of(raw.select(list(FEATURES)).schema), PLAN,
        problem.holdout, ("w",), class_weights=WEIGHTS,
    )  # fmt: skip
    store = TrialStore(root / "study")
    found = train_model(store, study, facts, runner, root=root / "m", folder="m", seconds=5.0, memory_mb=MEMORY_MB)
    return Model.load(root / "m" / found.path), store


def test_a_fit_counts_classes_and_its_probabilities_do_not(weighted: tuple[Model, TrialStore]) -> None:
    model, store = weighted
    y, folds, weight = store.labels()
    fold = model.members[0][1][0]
    encoded = model.encoded(read_arrow(store.folder / "table.arrow"))[id(fold.encoder)]

    raw = fold.estimator.predict(encoded)[:, 1]
    out_of_fold = store.predicted("linear-0", int(folds.max()) + 1)[:, 1]

    assert weight is None  # scores count rows once
    assert raw.mean() > y.mean() + 0.1  # the estimator itself believes in more positives
    assert out_of_fold.mean() == pytest.approx(y.mean(), abs=0.03)
    assert model.predict(raw_table("binary", rows=2000, seed=5))[:, 1].mean() == pytest.approx(y.mean(), abs=0.05)


def test_explanations_add_up_to_what_is_served(weighted: tuple[Model, TrialStore]) -> None:
    model, _ = weighted
    table = raw_table("binary", rows=40, seed=3)

    found = explain_rows(model, table, background=model.clean(table), rows=2)

    for one in found:
        assert one.method == "exact"
        assert one.base + sum(c.contribution for c in one.contributions) == pytest.approx(one.output, abs=1e-6)


@pytest.mark.parametrize(
    ("given", "weights", "expected"),
    [
        ([[0.5, 0.5]], (), [[0.5, 0.5]]),
        ([[0.5, 0.5]], (1.0, 4.0), [[0.8, 0.2]]),
        ([[0.0, 1.0]], (1.0, 4.0), [[0.0, 1.0]]),
        ([[0.25, 0.25, 0.5]], (1.0, 1.0, 2.0), [[1 / 3, 1 / 3, 1 / 3]]),
    ],
)
def test_weights_are_divided_out(
    given: list[list[float]], weights: tuple[float, ...], expected: list[list[float]]
) -> None:
    assert unweighted(np.array(given), weights) == pytest.approx(np.array(expected))


def test_the_study_folder_is_told_of_them(weighted: tuple[Model, TrialStore], tmp_path: Path) -> None:
    assert weighted[1].settings()["class_weights"] == list(WEIGHTS)
