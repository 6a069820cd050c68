"""Too little memory for some families: their fits are stopped, the others make the model, and the trials say why."""

from dataclasses import dataclass

import numpy as np
import pytest

from automl_assets import AutoML
from tests.conftest import ROOT
from tests.tuning.plant import planted

BUDGET_SECONDS = 12.0
MEMORY_MB, WORKERS = 60.0, 2
ROWS = 20_000


@dataclass(frozen=True)
class Observed:
    """A fitted estimator, and rows that it has not seen."""

    model: AutoML
    X: np.ndarray
    y: np.ndarray


def rows_of(seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(ROWS, 10))
    return X, (X[:, 0] - X[:, 1] + generator.normal(size=ROWS) > 0).astype(int)


@pytest.fixture(scope="module")
def observed() -> Observed:
    """Linear models need some 30 MiB a fit, neighbours 75, and the glutton ever more; one that is alone may have 60."""
    with pytest.MonkeyPatch.context() as patch, planted():
        patch.setenv("PYTHONPATH", str(ROOT))
        model = AutoML(
            time_budget_seconds=BUDGET_SECONDS,
            families=["linear", "neighbours", "glutton"],
            n_jobs=WORKERS,
            memory_limit_mb=MEMORY_MB,
        )
        model.fit(*rows_of(0))
        return Observed(model, *rows_of(1))


@pytest.mark.timeout(120)
def test_the_family_that_fits_makes_the_model(observed: Observed) -> None:
    board = observed.model.leaderboard()

    assert {name.partition("-")[0] for name in board["name"]} == {"linear", "ensemble"}
    assert observed.model.score(observed.X, observed.y) > 0.75


@pytest.mark.timeout(120)
@pytest.mark.parametrize("family", ["neighbours", "glutton"])
def test_the_trials_say_in_words_that_memory_was_lacking(observed: Observed, family: str) -> None:
    trials = observed.model.trials()
    failed = trials[trials["family"] == family]

    assert len(failed) == 1, "a family whose defaults lack memory is not tried again"
    assert failed["state"].tolist() == ["failed"]
    assert failed["folds"].tolist() == [0]
    assert f"MiB; it may have {MEMORY_MB:.0f}" in failed["reason"].tolist()[0]


@pytest.mark.timeout(120)
def test_what_was_kept_used_no_more_than_it_may(observed: Observed) -> None:
    trials = observed.model.trials()
    complete = trials[trials["state"] == "complete"]

    assert len(complete)
    assert (complete["memory_mb"] <= MEMORY_MB).all()
