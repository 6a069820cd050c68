"""Trained models for this folder."""

from tests.training.conftest import binary, multiclass, regression, small

__all__ = ["binary", "multiclass", "regression", "small"]
