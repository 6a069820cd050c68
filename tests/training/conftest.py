"""Trained models for this folder."""

import pytest

from automl_assets.learn.runner import Runner
from tests.training.small_models import Small, small_model


@pytest.fixture(scope="session")
def binary(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Linear and XGBoost, two classes."""
    return small_model("binary", runner, tmp_path_factory.mktemp("binary"))


@pytest.fixture(scope="session")
def multiclass(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Linear and extra trees (a skops file), three classes."""
    return small_model("multiclass", runner, tmp_path_factory.mktemp("multiclass"))


@pytest.fixture(scope="session")
def regression(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Linear and LightGBM, a number."""
    return small_model("regression", runner, tmp_path_factory.mktemp("regression"))


@pytest.fixture(params=["binary", "multiclass", "regression"])
def small(request: pytest.FixtureRequest) -> Small:
    """Each of them in turn."""
    return request.getfixturevalue(request.param)
