"""What the planted families share: a search space, and fits that never come to an end."""

from pathlib import Path
from typing import Any

from automl_assets.learn.families import Family


class NeverFitted(Family):
    """Its `fit` is the subclass's; what needs a fitted model is never reached."""

    packages = ("tests.tuning.plant_for_good",)

    @classmethod
    def defaults(cls, shape: Any) -> dict[str, Any]:
        return {"depth": 1}

    @classmethod
    def space(cls, suggest: Any, shape: Any) -> dict[str, Any]:
        return {"depth": suggest.suggest_int("depth", 1, 3)}

    def predict(self, X: Any, *, threads: int = 1) -> Any:
        raise AssertionError("it never got fitted")

    def save(self, folder: Path) -> None:
        raise AssertionError("it never got fitted")

    @classmethod
    def load(cls, folder: Path) -> Any:
        raise AssertionError("it never got fitted")
