"""Which parameters mattered, where it is known which do."""

import numpy as np
import pytest

from automl_assets.core.values import Study, Trial
from automl_assets.tuning.importances import parameter_importances


def a_study(count: int, *, noise: float = 0.0) -> Study:
    """Configurations of one family whose score is the logarithm of `rate`; `leaves` and `extra` do nothing."""
    generator = np.random.default_rng(0)
    rates = 10 ** generator.uniform(-3, 0, count)
    trials = tuple(
        Trial(
            id=f"lightgbm-{i}", family="lightgbm", state="complete", folds=5, fit_seconds=1.0, memory_mb=1.0,
            params={"rate": float(rate), "leaves": int(generator.integers(4, 256)), "extra": bool(i % 2), "same": 1},
            score=float(np.log(rate) + noise * generator.normal()),
        )
        for i, rate in enumerate(rates)
    )  # fmt: skip
    return Study(key="k", metric="roc_auc", trials=trials, folds=5, seconds=1.0, complete=True, stopped_because="time")


def test_the_parameter_that_matters_is_first() -> None:
    found = parameter_importances(a_study(40))["lightgbm"]

    assert next(iter(found)) == "rate"
    assert found["rate"] > 0.8
    assert sum(found.values()) == pytest.approx(1.0, abs=0.01)
    assert set(found) == {"rate", "leaves", "extra"}


def test_few_configurations_say_nothing() -> None:
    assert parameter_importances(a_study(9)) == {}


def test_scores_that_are_all_equal_say_nothing() -> None:
    study = a_study(20)
    equal = study.model_copy(update={"trials": tuple(t.model_copy(update={"score": 0.5}) for t in study.trials)})

    assert parameter_importances(equal) == {}
