"""Trained models for this folder."""

from tests.training.conftest import binary, regression

__all__ = ["binary", "regression"]
